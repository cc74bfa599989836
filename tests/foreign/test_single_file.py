"""A single file of Stable Diffusion becomes a folder that diffusers and the prior load, without a network."""

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from dcac.foreign import single_file
from dcac.foreign.compvis import rename, unet_modules
from dcac.foreign.stable_diffusion import UNET, VAE
from dcac.model.diffusion import load_prior

TINY_UNET = {**UNET["sd-1"], "block_out_channels": [8, 16, 16, 16], "cross_attention_dim": 12, "attention_head_dim": 2}
TINY_UNET |= {"norm_num_groups": 4, "sample_size": 8}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Narrow the networks, so that a file of Stable Diffusion's layout is small."""
    monkeypatch.setitem(UNET, "sd-1", TINY_UNET)
    monkeypatch.setattr(single_file, "VAE", {**VAE, "block_out_channels": [8, 8, 16, 16], "norm_num_groups": 4})


@pytest.fixture
def unet(compvis_unet, filled):
    """The U-Net's tensors as trained, and their moving average."""
    shapes = compvis_unet(channels=(8, 16, 16, 16), context=12)
    return {"trained": filled(shapes, 0), "average": filled(shapes, 1)}


@pytest.fixture
def checkpoint(unet, compvis_vae, filled):
    """A file's content: U-Net, its average, autoencoder, text encoder."""
    vae = filled(compvis_vae(channels=(8, 8, 16, 16)), 2)
    average = {"model_ema.diffusion_model" + name.replace(".", ""): value for name, value in unet["average"].items()}
    return {
        **{f"model.diffusion_model.{name}": value for name, value in unet["trained"].items()},
        **average,
        "model_ema.decay": torch.tensor(0.9999),
        **{f"first_stage_model.{name}": value for name, value in vae.items()},
        "cond_stage_model.transformer.text_model.final_layer_norm.weight": torch.ones(3),
        "betas": torch.ones(1000),
    }


def _save(tensors, path):
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save({"state_dict": tensors, "global_step": 840000}, path)
    return path


@pytest.mark.parametrize("suffix", ["safetensors", "ckpt"])
@pytest.mark.parametrize(("ema", "wanted"), [(False, "trained"), (True, "average")])
def test_file_becomes_a_folder_that_loads(tmp_path, checkpoint, unet, suffix, ema, wanted):
    path = _save(checkpoint, tmp_path / f"sd.{suffix}")
    single_file.run(path, tmp_path / "out", architecture="sd-1", ema=ema)
    prior = load_prior(tmp_path / "out")
    expected = rename(unet[wanted], unet_modules(TINY_UNET))
    assert all(torch.equal(value, expected[name]) for name, value in prior.unet.state_dict().items())
    assert prior.context_width == 12 and prior.alphas_cumprod.shape == (1000,)
    assert prior.alphas_cumprod[0].item() == pytest.approx(1 - 8.5e-4)
    vae = AutoencoderKL.from_pretrained(tmp_path / "out" / "vae", use_safetensors=True)
    assert vae.config.scaling_factor == 0.18215
    assert vae.encode(torch.zeros(1, 3, 64, 64)).latent_dist.mean.shape == (1, 4, 8, 8)
    assert torch.equal(vae.decoder.conv_in.weight, checkpoint["first_stage_model.decoder.conv_in.weight"])


def test_half_precision_file_is_written_in_full_precision(tmp_path, checkpoint):
    path = _save({name: value.half() for name, value in checkpoint.items()}, tmp_path / "sd.safetensors")
    single_file.run(path, tmp_path / "out", architecture="sd-1", ema=False)
    tensors = load_file(tmp_path / "out" / "unet" / "diffusion_pytorch_model.safetensors")
    assert {value.dtype for value in tensors.values()} == {torch.float32}
    assert UNet2DConditionModel.from_pretrained(tmp_path / "out" / "unet").dtype == torch.float32


def test_average_that_is_absent_in_part_is_never_filled_up_from_the_other_weights(checkpoint):
    del checkpoint["model_ema.diffusion_modelout2bias"]
    with pytest.raises(ValueError, match=r"model_ema\.diffusion_modelout2bias is absent\); set `ema: false`"):
        single_file.unet_tensors(checkpoint, ema=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.diffusion_model.out.2.bias": None}, "U-Net: tensor conv_out.bias is absent, expected"),
        ({"model.diffusion_model.label_emb.weight": torch.ones(2)}, "tensor label_emb.weight belongs to no module"),
        ({"first_stage_model.quant_conv.bias": torch.ones(5)}, r"autoencoder: tensor quant_conv.bias is \(5,\)"),
    ],
)
def test_file_of_another_architecture_is_refused(tmp_path, checkpoint, changes, message):
    changed = {name: value for name, value in {**checkpoint, **changes}.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        single_file.run(_save(changed, tmp_path / "sd.ckpt"), tmp_path / "out", architecture="sd-1", ema=False)


def test_file_without_a_unet_is_refused(tmp_path):
    path = _save({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"begins with 'model\.diffusion_model\.'.*no single file of Stable Diffusion"):
        single_file.run(path, tmp_path / "out", architecture="sd-1", ema=False)
