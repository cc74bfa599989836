"""CompVis names and diffusers names: every tensor has one counterpart, at full size too, and the way back is exact."""

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

from dcac.foreign.compvis import (
    inverse,
    rename,
    require_fit,
    unet_modules,
    vae_modules,
    vae_to_compvis,
    vae_to_diffusers,
)
from dcac.foreign.stable_diffusion import UNET, VAE

TINY_UNET = {**UNET["sd-1"], "block_out_channels": [8, 16, 16, 16], "cross_attention_dim": 12, "attention_head_dim": 2}
TINY_UNET |= {"norm_num_groups": 4, "sample_size": 8}
TINY_VAE = {**VAE, "block_out_channels": [8, 8, 16, 16], "norm_num_groups": 4}


@pytest.fixture
def unet_tensors(compvis_unet, filled):
    """A tiny U-Net of Stable Diffusion's layout."""
    return filled(compvis_unet(channels=(8, 16, 16, 16), context=12))


@pytest.fixture
def vae_tensors(compvis_vae, filled):
    """A tiny autoencoder of Stable Diffusion's layout."""
    return filled(compvis_vae(channels=(8, 8, 16, 16)))


def _meta(shapes):
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def test_every_tensor_of_the_full_size_unet_has_its_counterpart(compvis_unet):
    tensors = _meta(compvis_unet(channels=(320, 640, 1280, 1280), context=768))
    assert sum(value.numel() for value in tensors.values()) == 859_520_964  # method.md section 9
    with torch.device("meta"):
        model = UNet2DConditionModel(**UNET["sd-1"])
    renamed = rename(tensors, unet_modules(model.config))
    assert len(renamed) == len(tensors) == 686
    require_fit(renamed, model, "U-Net")


def test_every_tensor_of_the_full_size_autoencoder_has_its_counterpart(compvis_vae):
    tensors = _meta(compvis_vae(channels=(128, 256, 512, 512)))
    assert sum(value.numel() for value in tensors.values()) == 83_653_863  # method.md section 9
    with torch.device("meta"):
        model = AutoencoderKL(**VAE)
    renamed = vae_to_diffusers(tensors, model.config)
    assert len(renamed) == len(tensors) == 248
    require_fit(renamed, model, "autoencoder")


def test_stable_diffusion_2_has_linear_projections_and_a_wider_context(compvis_unet):
    tensors = _meta(compvis_unet(channels=(320, 640, 1280, 1280), context=1024))
    tensors = {n: v[..., 0, 0] if n.endswith(("proj_in.weight", "proj_out.weight")) else v for n, v in tensors.items()}
    with torch.device("meta"):
        model = UNet2DConditionModel(**UNET["sd-2-base"])
    require_fit(rename(tensors, unet_modules(model.config)), model, "U-Net")


def test_unet_agrees_with_the_converter_of_diffusers(unet_tensors):
    theirs = convert_ldm_unet_checkpoint({f"model.diffusion_model.{n}": v for n, v in unet_tensors.items()}, TINY_UNET)
    ours = rename(unet_tensors, unet_modules(TINY_UNET))
    assert ours.keys() == theirs.keys() and all(ours[name] is theirs[name] for name in ours)


def test_autoencoder_agrees_with_the_converter_of_diffusers(vae_tensors):
    theirs = convert_ldm_vae_checkpoint({f"first_stage_model.{n}": v for n, v in vae_tensors.items()}, TINY_VAE)
    ours = vae_to_diffusers(vae_tensors, TINY_VAE)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_way_back_gives_the_original_names_and_values(unet_tensors, vae_tensors):
    modules = unet_modules(TINY_UNET)
    unet = rename(rename(unet_tensors, modules), inverse(modules))
    vae = vae_to_compvis(vae_to_diffusers(vae_tensors, TINY_VAE), TINY_VAE)
    for found, expected in ((unet, unet_tensors), (vae, vae_tensors)):
        assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_no_two_modules_share_a_name(layers):
    for table in (
        unet_modules({**TINY_UNET, "layers_per_block": layers}),
        vae_modules({**VAE, "layers_per_block": layers}),
    ):
        assert len(set(table.values())) == len(table)


def test_names_inside_a_module_pass_through():
    modules = unet_modules(TINY_UNET)
    name = "output_blocks.11.1.transformer_blocks.0.attn1.to_q.lora_A"
    assert list(rename({name: 0}, modules)) == ["up_blocks.3.attentions.2.transformer_blocks.0.attn1.to_q.lora_A"]
    assert list(rename({"input_blocks.10.0.emb_layers.1.bias": 0}, modules)) == [
        "down_blocks.3.resnets.0.time_emb_proj.bias"
    ]


@pytest.mark.parametrize("name", ["label_emb.0.0.weight", "input_blocks.12.0.in_layers.0.weight", "weight"])
def test_tensor_of_another_network_is_named(name):
    with pytest.raises(ValueError, match=f"tensor {name} belongs to no module"):
        rename({name: 0}, unet_modules(TINY_UNET))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": None}, r"tensor bias is absent, expected \(2,\)"),
        ({"bias": torch.zeros(3)}, r"tensor bias is \(3,\), expected \(2,\)"),
        ({"scale": torch.zeros(3)}, r"tensor scale is \(3,\), expected absent"),
    ],
)
def test_tensors_that_do_not_fit_are_named_with_their_shape(change, message):
    model = torch.nn.Linear(3, 2)
    tensors = {name: value for name, value in {**model.state_dict(), **change}.items() if value is not None}
    require_fit(model.state_dict(), model, "layer")
    with pytest.raises(ValueError, match=f"layer: {message}"):
        require_fit(tensors, model, "layer")
