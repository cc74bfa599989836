"""Released checkpoints: they convert, compute what their tensors say, and come back as they were."""

import json
import math
import os
import signal
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from dcac.cli import app
from dcac.features.opened import load_reid_model
from dcac.foreign import convert as step
from dcac.foreign.compvis import rename, unet_modules, vae_to_diffusers
from dcac.foreign.released_names import to_ours
from dcac.foreign.schedule_buffers import schedule_buffers
from dcac.foreign.stable_diffusion import SCHEDULE, UNET, VAE
from dcac.model.diffusion import DiffusionPrior, prepare_fine_tuning, restore_prior
from dcac.seeding import torch_generator
from dcac.settings import dump_settings
from dcac.training.inputs import Inputs
from dcac.training.setup import build_model
from dcac.training.state import learnt_state

IDENTITIES, RANK, CONTEXT, HEADS, GROUPS, FEATURE = 5, 3, 12, 2, 4, 10
CHANNELS = (8, 16, 32, 32)  # shortcuts stand where they stand at full size
CLIP = "vit_base_patch16_clip_quickgelu_224"
CLIP_SIZES = {"patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2}
ADAPTED = [f"{a}.{linear}" for a in ("attn1", "attn2") for linear in ("to_q", "to_k", "to_v", "to_out.0")]
ADAPTED += ["ff.net.0.proj"]
BIASED = ("to_q", "to_k", "to_v")


@pytest.fixture(scope="module")
def choose(settings):
    """Return a function that gives the settings of a run with changes, by default as the released code trains."""

    def change(**changes):
        behaviour = {"lora_rank": RANK, "lora_qkv_bias": "random_frozen", "lora_cross_attention_qk": "keep"}
        return settings.model_copy(update={**behaviour, **changes})

    return change


@pytest.fixture(scope="module")
def base(compvis_unet, compvis_vae, filled):
    """The pre-trained networks under CompVis names: U-Net and autoencoder."""
    return filled(compvis_unet(channels=CHANNELS, context=CONTEXT)), filled(compvis_vae(channels=CHANNELS), 1)


@pytest.fixture(scope="module")
def checkpoint(base, clip_visual, filled):
    """A released checkpoint: CompVis names, loralib's names, and random biases of q, k and v."""
    unet, vae = base
    clip = filled(clip_visual(width=24, depth=2, patch=8, tokens=9, outputs=FEATURE), 2)
    shapes = {"bnneck.weight": (FEATURE,), "bnneck.bias": (FEATURE,), "bnneck.running_mean": (FEATURE,)}
    head = filled({**shapes, "fc.weight": (IDENTITIES, FEATURE)}, 3)
    return {
        **{f"encoder.image_encoder.{name}": value for name, value in clip.items()},
        **{f"encoder.{name}": value for name, value in head.items()},
        "encoder.bnneck.running_var": torch.linspace(0.5, 2, FEATURE),
        "encoder.bnneck.num_batches_tracked": torch.tensor(404),
        "denoiser.model.prompt_emb.prompt_emb": torch.randn(IDENTITIES, CONTEXT, generator=torch_generator(4)),
        **{f"denoiser.model.{name}": value for name, value in {**unet, **filled(_additions(unet, RANK), 5)}.items()},
        **{f"denoiser.autoencoder.{name}": value for name, value in vae.items()},
        **{f"denoiser.{name}": value for name, value in schedule_buffers(DDPMScheduler(**SCHEDULE).betas).items()},
    }


@pytest.fixture(scope="module")
def prior(base, tmp_path_factory):
    """The pre-trained networks in the diffusers layout."""
    folder = tmp_path_factory.mktemp("released-prior")
    unet, vae = _tiny_unet(), AutoencoderKL(**{**VAE, "block_out_channels": CHANNELS, "norm_num_groups": GROUPS})
    unet.load_state_dict(rename(base[0], unet_modules(unet.config)))
    vae.load_state_dict(vae_to_diffusers(base[1], vae.config))
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    DDPMScheduler(**SCHEDULE).save_pretrained(folder / "scheduler")
    return folder


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    """A narrow CLIP encoder at its square size, in timm's layout."""
    folder = tmp_path_factory.mktemp("clip")
    model = timm.create_model(CLIP, num_classes=FEATURE, img_size=(32, 32), **CLIP_SIZES)
    torch.nn.init.zeros_(model.head.bias)
    save_file(model.state_dict(), folder / "model.safetensors")
    config = {"architecture": CLIP, "num_classes": FEATURE, "model_args": {**CLIP_SIZES, "img_size": [32, 32]}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture
def convert(checkpoint, tmp_path):
    """Return a function that converts the checkpoint, with changes to its tensors, and gives the run folder."""

    def start(settings, changes=None):
        tensors = {name: value for name, value in {**checkpoint, **(changes or {})}.items() if value is not None}
        torch.save(tensors, tmp_path / "released.pth")
        (tmp_path / "config.yaml").write_text(dump_settings(settings), encoding="utf-8")
        out = tmp_path / "run"
        step.run(source=tmp_path / "released.pth", out=out, config=tmp_path / "config.yaml", prior=None)
        return out

    return start


def _tiny_unet():
    sizes = {"block_out_channels": CHANNELS, "cross_attention_dim": CONTEXT, "attention_head_dim": HEADS}
    return UNet2DConditionModel(**{**UNET["sd-1"], **sizes, "norm_num_groups": GROUPS, "sample_size": 8})


def _additions(unet, rank):
    """Shapes of what loralib's layers add to a U-Net, name -> shape."""
    found = {}
    for name, weight in unet.items():
        layer = name.removesuffix(".weight")
        if layer.partition(".transformer_blocks.0.")[2] in ADAPTED and layer != name:
            found[f"{layer}.lora_A"], found[f"{layer}.lora_B"] = (rank, weight.shape[1]), (weight.shape[0], rank)
            if layer.endswith(BIASED):
                found[f"{layer}.bias"] = (weight.shape[0],)
    return found


class Direct:
    """The U-Net, evaluated from tensors under CompVis names; an adapted layer is W0 x + b + (alpha / r) B A x."""

    def __init__(self, tensors, alpha):
        self.t, self.alpha = tensors, alpha

    def linear(self, name, x):
        y = F.linear(x, self.t[f"{name}.weight"], self.t.get(f"{name}.bias"))
        if f"{name}.lora_A" in self.t:
            a, b = self.t[f"{name}.lora_A"], self.t[f"{name}.lora_B"]
            y = y + self.alpha / len(a) * (x @ a.T) @ b.T
        return y

    def conv(self, name, x, **options):
        weight = self.t[f"{name}.weight"]
        return F.conv2d(x, weight, self.t[f"{name}.bias"], padding=weight.shape[-1] // 2, **options)

    def group_norm(self, name, x, eps=1e-5):
        return F.group_norm(x, GROUPS, self.t[f"{name}.weight"], self.t[f"{name}.bias"], eps)

    def layer_norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.t[f"{name}.weight"], self.t[f"{name}.bias"])

    def attend(self, name, x, context):
        heads = [
            self.linear(f"{name}.to_{part}", source) for part, source in zip("qkv", (x, context, context), strict=True)
        ]
        q, k, v = (h.reshape(*h.shape[:2], HEADS, -1).transpose(1, 2) for h in heads)
        weights = (q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])).softmax(dim=-1)
        return self.linear(f"{name}.to_out.0", (weights @ v).transpose(1, 2).flatten(2))

    def transform(self, name, x, context):
        y = self.conv(f"{name}.proj_in", self.group_norm(f"{name}.norm", x, eps=1e-6)).flatten(2).transpose(1, 2)
        block = f"{name}.transformer_blocks.0"
        z = self.layer_norm(f"{block}.norm1", y)
        y = y + self.attend(f"{block}.attn1", z, z)
        y = y + self.attend(f"{block}.attn2", self.layer_norm(f"{block}.norm2", y), context)
        value, gate = self.linear(f"{block}.ff.net.0.proj", self.layer_norm(f"{block}.norm3", y)).chunk(2, dim=-1)
        y = y + self.linear(f"{block}.ff.net.2", value * F.gelu(gate))
        return x + self.conv(f"{name}.proj_out", y.transpose(1, 2).reshape(x.shape))

    def resnet(self, name, x, time):
        y = self.conv(f"{name}.in_layers.2", F.silu(self.group_norm(f"{name}.in_layers.0", x)))
        y = y + self.linear(f"{name}.emb_layers.1", F.silu(time))[:, :, None, None]
        y = self.conv(f"{name}.out_layers.3", F.silu(self.group_norm(f"{name}.out_layers.0", y)))
        return y + (self.conv(f"{name}.skip_connection", x) if f"{name}.skip_connection.weight" in self.t else x)

    def block(self, name, x, time, context):
        if f"{name}.0.op.weight" in self.t:
            return self.conv(f"{name}.0.op", x, stride=2)
        if f"{name}.0.weight" in self.t:
            return self.conv(f"{name}.0", x)
        x = self.resnet(f"{name}.0", x, time)
        if f"{name}.1.norm.weight" in self.t:
            x = self.transform(f"{name}.1", x, context)
        for place in (1, 2):
            if f"{name}.{place}.conv.weight" in self.t:
                x = self.conv(f"{name}.{place}.conv", F.interpolate(x, scale_factor=2, mode="nearest"))
        return x

    def __call__(self, x, steps, context):
        half = CHANNELS[0] // 2
        angles = steps[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
        time = self.linear("time_embed.0", torch.cat([angles.cos(), angles.sin()], dim=1))
        time = self.linear("time_embed.2", F.silu(time))
        skips = []
        for i in range(12):
            x = self.block(f"input_blocks.{i}", x, time, context)
            skips.append(x)
        x = self.resnet("middle_block.0", x, time)
        x = self.resnet("middle_block.2", self.transform("middle_block.1", x, context), time)
        for i in range(12):
            x = self.block(f"output_blocks.{i}", torch.cat([x, skips.pop()], dim=1), time, context)
        return self.conv("out.2", F.silu(self.group_norm("out.0", x)))


def _draws():
    generator = torch_generator(6)
    latents = torch.randn(3, 4, 8, 8, generator=generator)
    return latents, torch.tensor([0, 500, 999]), torch.randn(3, 1, CONTEXT, generator=generator)


def _unet_tensors(checkpoint):
    prefix = "denoiser.model."
    found = {name.removeprefix(prefix): value for name, value in checkpoint.items() if name.startswith(prefix)}
    return {name: value for name, value in found.items() if not name.startswith("prompt_emb")}


def _without_biases(tensors):
    return {name: value for name, value in tensors.items() if not name.endswith(tuple(f"{b}.bias" for b in BIASED))}


@torch.no_grad()
def _output(run, settings, prior):
    network = restore_prior(load_file(run / "weights.safetensors"), settings, 0, prior).unet.eval()
    latents, steps, context = _draws()
    return network(latents, steps, encoder_hidden_states=context).sample


@pytest.mark.parametrize("dead", ["keep", "drop"])
@pytest.mark.parametrize("alpha", [1.0, 2.5])
def test_converted_network_computes_what_the_released_tensors_say(convert, choose, checkpoint, prior, dead, alpha):
    settings = choose(lora_cross_attention_qk=dead, lora_alpha=alpha)
    tensors = _unet_tensors(checkpoint)
    expected = Direct(tensors, alpha)(*_draws())
    assert expected.std() > 0.1
    torch.testing.assert_close(_output(convert(settings), settings, prior), expected, rtol=0, atol=1e-5)
    assert (expected - Direct(_without_biases(tensors), alpha)(*_draws())).abs().max() > 1e-2


def test_without_the_switch_the_random_biases_are_gone(convert, choose, checkpoint, prior):
    settings = choose(lora_qkv_bias="none")
    run = convert(settings)
    assert not [name for name in load_file(run / "weights.safetensors") if name.endswith("base_layer.bias")]
    expected = Direct(_without_biases(_unet_tensors(checkpoint)), 1.0)(*_draws())
    torch.testing.assert_close(_output(run, settings, prior), expected, rtol=0, atol=1e-5)


def test_the_way_back_gives_the_checkpoint_as_it_was(convert, choose, checkpoint, prior, tmp_path):
    run = convert(choose())
    step.run(source=run, out=tmp_path / "back.pth", config=None, prior=prior)
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    assert back.keys() == checkpoint.keys()
    assert [name for name, value in back.items() if not torch.equal(value, checkpoint[name])] == []


def test_run_without_biases_and_dead_adapters_becomes_a_complete_checkpoint(
    convert, choose, checkpoint, prior, tmp_path
):
    run = convert(choose(lora_qkv_bias="none", lora_cross_attention_qk="drop"))
    step.run(source=run, out=tmp_path / "back.pth", config=None, prior=prior)
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    assert {name: value.shape for name, value in back.items()} == {n: v.shape for n, v in checkpoint.items()}
    changed = {name for name, value in back.items() if not torch.equal(value, checkpoint[name])}
    assert all(not back[name].any() for name in changed)
    dead = tuple(f"attn2.to_{part}.lora_{half}" for part in "qk" for half in "AB")
    assert all(name.endswith((*dead, "to_q.bias", "to_k.bias", "to_v.bias")) for name in changed)
    expected = Direct(_without_biases(_unet_tensors(checkpoint)), 1.0)(*_draws())
    torch.testing.assert_close(Direct(_unet_tensors(back), 1.0)(*_draws()), expected, rtol=0, atol=1e-5)


def test_extraction_reads_a_converted_run(convert, choose, checkpoint, clip_folder):
    settings = choose()
    run = convert(settings)
    model = load_reid_model(run / "weights.safetensors", clip_folder, settings)
    assert torch.equal(model.classifier.weight, checkpoint["encoder.fc.weight"])
    assert torch.equal(model.backbone.head.weight, checkpoint["encoder.image_encoder.proj"].T)
    images = torch.randn(2, 3, settings.image_height, settings.image_width, generator=torch_generator(7))
    feature = model.backbone(images)
    scale = checkpoint["encoder.bnneck.weight"] / (checkpoint["encoder.bnneck.running_var"] + 1e-5).sqrt()
    z = (feature - checkpoint["encoder.bnneck.running_mean"]) * scale + checkpoint["encoder.bnneck.bias"]
    torch.testing.assert_close(model.embed(images), z / z.norm(dim=1, keepdim=True))
    report = json.loads((run / "run.json").read_text())
    assert report["settings"] == settings.model_dump(mode="json") and report["epoch"] == {}
    assert len(report["identity"]) == 64 and len(report["code"]) == 12 and "released.pth" in report["weights"]


def test_baseline_keeps_the_encoder_alone_and_comes_back_without_a_prior(convert, choose, checkpoint, tmp_path):
    run = convert(choose(diffusion="none"))
    assert all(name.startswith("reid.") for name in load_file(run / "weights.safetensors"))
    step.run(source=run, out=tmp_path / "back.pth", config=None, prior=None)
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    expected = {name: value for name, value in checkpoint.items() if name.startswith("encoder.")}
    assert back.keys() == expected.keys() and all(torch.equal(back[name], expected[name]) for name in back)


@pytest.mark.parametrize("mode", ["all", "freeze"])
def test_checkpoint_of_another_mode_comes_back_as_it_was(convert, choose, checkpoint, base, prior, tmp_path, mode):
    plain = {f"denoiser.model.{name}": value * 1.5 if mode == "all" else value for name, value in base[0].items()}
    added = {f"denoiser.model.{name}": None for name in _additions(base[0], RANK)}
    run = convert(choose(diffusion=mode), {**added, **plain})
    assert any(name.startswith("prior.") for name in load_file(run / "weights.safetensors")) is (mode == "all")
    step.run(source=run, out=tmp_path / "back.pth", config=None, prior=prior)
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    expected = {name: value for name, value in {**checkpoint, **added, **plain}.items() if value is not None}
    assert back.keys() == expected.keys() and all(torch.equal(back[name], expected[name]) for name in back)


def test_whole_network_that_is_incomplete_is_refused(convert, choose, base):
    changes = {f"denoiser.model.{name}": None for name in _additions(base[0], RANK)}
    with pytest.raises(ValueError, match=r"U-Net tensor conv_out\.bias is missing or unknown"):
        convert(choose(diffusion="all"), {**changes, "denoiser.model.out.2.bias": None})


@pytest.mark.parametrize("numbered", [True, False])
def test_bottleneck_of_one_layer_is_found_with_and_without_its_number(convert, choose, numbered):
    layer = torch.nn.BatchNorm1d(CONTEXT).state_dict()
    place = "denoiser.model.prompt_emb.condition_bottleneck.bottleneck." + ("0." if numbered else "")
    run = convert(choose(bottleneck="bn"), {place + name: value for name, value in layer.items()})
    found = load_file(run / "weights.safetensors")
    assert {f"prompts.bottleneck.0.{name}" for name in layer} == {n for n in found if "bottleneck" in n}


def test_trained_run_carries_its_frozen_biases_into_the_checkpoint(choose, clip_folder, prior, tmp_path):
    settings = choose()
    model = build_model(settings, Inputs([], clip_folder, prior=prior), num_identities=IDENTITIES, seed=3)
    save_file({n: v.contiguous() for n, v in learnt_state(model).items()}, tmp_path / "weights.safetensors")
    facts = {"settings": settings.model_dump(mode="json"), "seed": 3}
    report = {**facts, "identity": "a", "data": {}, "epoch": {}, "code": "c"}
    (tmp_path / "run.json").write_text(json.dumps(report), encoding="utf-8")
    step.run(source=tmp_path, out=tmp_path / "out.pth", config=None, prior=prior)
    tensors = _unet_tensors(torch.load(tmp_path / "out.pth", weights_only=True))
    latents, steps, context = _draws()
    with torch.no_grad():
        expected = model.prior.unet.eval()(latents, steps, encoder_hidden_states=context).sample
    torch.testing.assert_close(Direct(tensors, 1.0)(latents, steps, context), expected, rtol=0, atol=1e-5)
    assert all(tensors[name].any() for name in tensors if name.endswith("to_q.bias"))


PROJECTION = "denoiser.model.middle_block.1.transformer_blocks.0.attn1.to_out.0"


@pytest.mark.parametrize(
    ("choice", "changes", "message"),
    [
        ({"lora_rank": 8}, {}, "lora_rank is 8, but the checkpoint's .* has rank 3; correct `lora_rank`"),
        ({"diffusion": "all"}, {}, "diffusion is 'all', but the checkpoint holds adapters; correct `diffusion`"),
        ({"lora_ffn_output": True}, {}, "the checkpoint lacks .*ff.net.2.lora_A"),
        ({}, {f"{PROJECTION}.lora_B": None}, r"the checkpoint lacks mid_block\..*to_out\.0\.lora_B"),
        (
            {},
            {"denoiser.model.middle_block.1.proj_in.lora_A": torch.ones(3, 3)},
            "adapts mid_block.attentions.0.proj_in",
        ),
        ({"bottleneck": "bn"}, {}, "bottleneck is 'bn' in the settings, but the checkpoint's holds no tensors"),
        ({}, {"encoder.fc.weight": None}, "holds no encoder.fc.weight; it is no whole checkpoint"),
        ({}, {"encoder.bnneck.running_var": None}, "holds no encoder.bnneck.running_var"),
        ({}, {"encoder.camera": torch.ones(2)}, "holds encoder.camera, which would change the features"),
        ({}, {f"{PROJECTION[:-8]}to_k.bias": None}, r"holds no mid_block\..*attn1\.to_k\.bias; set it to 'none'"),
        ({}, {"encoder.image_encoder.proj": None}, "tensor proj is missing"),
        ({}, {"denoiser.model.prompt_emb.prompt_emb": None}, "holds no denoiser.model.prompt_emb.prompt_emb"),
    ],
)
def test_checkpoint_that_contradicts_the_settings_is_refused(convert, choose, choice, changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        convert(choose(**choice), changes)
    assert not (tmp_path / "run" / "run.json").exists()


def test_switch_for_biases_needs_a_checkpoint_that_has_them(convert, choose, base):
    biases = {f"denoiser.model.{name}": None for name in _additions(base[0], RANK) if name.endswith(".bias")}
    with pytest.raises(
        ValueError, match=r"lora_qkv_bias is 'random_frozen', but the checkpoint holds no .*bias; set it"
    ):
        convert(choose(), biases)


def test_missing_arguments_are_named(convert, choose, tmp_path):
    run = convert(choose())
    with pytest.raises(ValueError, match=r"holds no settings; add --config FILE"):
        step.run(source=tmp_path / "released.pth", out=tmp_path / "other", config=None, prior=None)
    with pytest.raises(ValueError, match=r"add --prior FOLDER"):
        step.run(source=run, out=tmp_path / "back.pth", config=None, prior=None)


def test_weights_of_another_run_are_not_converted(convert, choose, prior, tmp_path):
    run = convert(choose())
    tensors = load_file(run / "weights.safetensors")
    save_file(tensors, run / "weights.safetensors", metadata={"identity": "another"})
    with pytest.raises(ValueError, match=r"weights.safetensors is not the file that run.json beside it speaks of"):
        step.run(source=run, out=tmp_path / "back.pth", config=None, prior=prior)
    report = json.loads((run / "run.json").read_text()) | {"made": {"step": "dcac.training.train"}}
    (run / "run.json").write_text(json.dumps(report))
    with pytest.raises(ValueError, match=r"run.json is damaged, its 'made' is no whole record; delete .* and train"):
        step.run(source=run, out=tmp_path / "back.pth", config=None, prior=prior)
    assert not (tmp_path / "back.pth").exists()


def test_prior_of_another_size_is_refused(convert, choose, prior_folder, tmp_path):
    run = convert(choose())
    with pytest.raises(ValueError, match="is not the network this run was trained with"):
        step.run(source=run, out=tmp_path / "back.pth", config=None, prior=prior_folder)


def test_command_converts_both_ways(convert, choose, prior, tmp_path):
    convert(choose())
    config, source, out = tmp_path / "config.yaml", tmp_path / "released.pth", tmp_path / "by-command"
    result = CliRunner().invoke(app, ["convert", str(source), "--out", str(out), "--config", str(config)])
    assert result.exit_code == 0, result.output
    back = tmp_path / "back.pth"
    result = CliRunner().invoke(app, ["convert", str(out), "--out", str(back), "--prior", str(prior)])
    assert result.exit_code == 0 and len(torch.load(back, weights_only=True)) == len(torch.load(source))


def test_full_size_checkpoint_fills_a_full_size_run(compvis_unet, clip_visual, choose):
    """Market-1501 at rank 8, on the meta device; counts of method.md section 9."""
    settings = choose(lora_rank=8)
    with torch.device("meta"):
        unet = {n: torch.empty(s) for n, s in compvis_unet(channels=(320, 640, 1280, 1280), context=768).items()}
        added = {n: torch.empty(s) for n, s in _additions(unet, 8).items()}
        clip = clip_visual(width=768, depth=12, patch=16, tokens=129, outputs=512)
        tensors = {f"encoder.image_encoder.{n}": torch.empty(s) for n, s in clip.items()}
        tensors |= {f"encoder.bnneck.{n}": v for n, v in torch.nn.BatchNorm1d(512).state_dict().items()}
        tensors |= {"encoder.fc.weight": torch.empty(751, 512)}
        tensors |= {"denoiser.model.prompt_emb.prompt_emb": torch.empty(751, 768)}
        tensors |= {f"denoiser.model.{n}": v for n, v in {**unet, **added}.items()}
        network = DiffusionPrior(UNet2DConditionModel(**UNET["sd-1"]), torch.empty(1000))
        prepare_fine_tuning(network, settings.model_copy(update={"lora_qkv_bias": "none"}), 0)
    ours = to_ours(tensors, settings, UNET["sd-1"])
    adapters = {n.removeprefix("prior."): v.shape for n, v in ours.items() if "lora_" in n}
    assert adapters == {n: p.shape for n, p in network.named_parameters() if p.requires_grad} and len(adapters) == 288
    assert sum(shape.numel() for shape in adapters.values()) == 2_492_928
    assert sum(v.numel() for n, v in ours.items() if n.endswith("base_layer.bias")) == 74_880
    trained = [v for n, v in ours.items() if not n.startswith("reid.bnneck") and not n.endswith("base_layer.bias")]
    assert sum(v.numel() for v in trained) - 768 * 3 * 16 * 16 + 512 == 89_005_312


def test_what_a_killed_conversion_left_goes_with_the_next(convert, choose, tmp_path):
    out = convert(choose())
    whole = sorted(path.name for path in out.iterdir())
    again = {"source": tmp_path / "released.pth", "out": out, "config": tmp_path / "config.yaml", "prior": None}

    def half(_, path, **named):
        Path(path).write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            step.save_file = half
            step.run(**again)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert sorted(path.name for path in out.iterdir()) != whole, "half a file is left"
    step.run(**again)
    assert sorted(path.name for path in out.iterdir()) == whole
