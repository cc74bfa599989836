"""The Re-ID branch: sizes, position grid, BNNeck, classifier, and the folder it loads from."""

import json
import math
import shutil

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file

from dcac.model.backbone import build_backbone
from dcac.model.encoder import ReIDModel, load_backbone, resolve_normalisation, save_backbone
from dcac.seeding import torch_generator

CLIP = "vit_base_patch16_clip_quickgelu_224"


@pytest.fixture(scope="module")
def clip():
    """CLIP ViT-B/16 at 256 x 128 as the published weights would build it, without memory."""
    with torch.device("meta"):
        state = timm.create_model(CLIP, num_classes=512).state_dict()
        state["head.bias"] = torch.zeros(512, device="cpu")
        card = {"architecture": CLIP, "num_classes": 512}
        return build_backbone(card, state, size=(256, 128), freeze_patches=True)


def test_clip_has_the_published_number_of_parameters(clip):
    model, dim = clip
    assert dim == 512
    assert sum(p.numel() for p in model.parameters()) == 86_140_416
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 85_550_592


def test_clip_sees_129_tokens_and_gives_one_feature_of_512(clip):
    model, _ = clip
    assert tuple(model.patch_embed.grid_size) == (16, 8) and model.pos_embed.shape == (1, 129, 768)
    assert model(torch.empty(2, 3, 256, 128, device="meta")).shape == (2, 512)


def test_only_the_patch_projection_is_frozen(clip):
    frozen = [name for name, parameter in clip[0].named_parameters() if not parameter.requires_grad]
    assert frozen == ["patch_embed.proj.weight"]


def test_clip_uses_quick_gelu(clip):
    x = torch.linspace(-3, 3, 7)
    torch.testing.assert_close(clip[0].blocks[0].mlp.act(x), x * torch.sigmoid(1.702 * x))


def test_demo_encoder_survives_saving_and_loading(tmp_path):
    images = torch.randn(2, 3, 128, 64, generator=torch_generator(0))
    model = timm.create_model("vit_demo_conv16_128").eval()
    save_backbone(model, tmp_path, architecture="vit_demo_conv16_128")
    loaded, dim = load_backbone(tmp_path, height=128, width=64)
    assert dim == 96
    assert torch.equal(loaded.eval()(images), model(images))


def test_folder_with_model_arguments_loads(encoder_folder):
    model, dim = load_backbone(encoder_folder, height=32, width=16, freeze_patches=True)
    assert dim == 24 and model(torch.zeros(2, 3, 32, 16)).shape == (2, 24)
    assert not any(p.requires_grad for p in model.patch_embed.parameters())
    stored = load_file(encoder_folder / "model.safetensors")
    assert all(torch.equal(value, stored[name]) for name, value in model.state_dict().items())


def test_positions_that_form_no_square_are_not_resized(tmp_path):
    save_backbone(timm.create_model("vit_demo_conv16_128"), tmp_path, architecture="vit_demo_conv16_128")
    with pytest.raises(ValueError, match=r"32 positions form no square grid.* set image_height and image_width"):
        load_backbone(tmp_path, height=256, width=128)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_file_is_named_with_the_command_that_fetches_it(encoder_folder, tmp_path, name):
    folder = shutil.copytree(encoder_folder, tmp_path / "encoder")
    (folder / name).unlink()
    with pytest.raises(ValueError, match=rf"{name} does not exist; .*run `snakemake .*encoder/manifest.json`"):
        load_backbone(folder, height=32, width=16)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_half_copied_file_is_named_with_the_command_that_fetches_it(encoder_folder, tmp_path, name):
    folder = shutil.copytree(encoder_folder, tmp_path / "encoder")
    (folder / name).write_bytes((folder / name).read_bytes()[:50])
    with pytest.raises(ValueError, match=rf"{name} is damaged or was copied in part .*run `snakemake .*manifest.json`"):
        load_backbone(folder, height=32, width=16)


def test_weights_of_another_architecture_are_refused(encoder_folder, tmp_path):
    folder = shutil.copytree(encoder_folder, tmp_path / "encoder")
    config = json.loads((folder / "config.json").read_text())
    config["model_args"]["depth"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"weights in .*encoder do not make a vit_tiny_patch16_224 .*blocks\.1"):
        load_backbone(folder, height=32, width=16)


def test_unknown_architecture_is_refused(encoder_folder, tmp_path):
    folder = shutil.copytree(encoder_folder, tmp_path / "encoder")
    (folder / "config.json").write_text(json.dumps({"architecture": "vit_unheard_of", "num_classes": 0}))
    with pytest.raises(ValueError, match=r"do not make a vit_unheard_of .*fetch the folder again"):
        load_backbone(folder, height=32, width=16)


def test_word_encoder_becomes_the_normalisation_of_the_pre_training(settings, tmp_path):
    stated = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet18", "pretrained_cfg": stated}))
    asked = settings.model_copy(update={"pixel_mean": "encoder", "pixel_std": "encoder"})
    resolved = resolve_normalisation(asked, tmp_path)
    assert resolved.pixel_mean == (0.1, 0.2, 0.3) and resolved.pixel_std == (0.4, 0.5, 0.6)
    assert resolved.model_dump(exclude={"pixel_mean", "pixel_std"}) == asked.model_dump(
        exclude={"pixel_mean", "pixel_std"}
    )
    mixed = settings.model_copy(update={"pixel_mean": "encoder", "pixel_std": 0.25})
    assert resolve_normalisation(mixed, tmp_path).pixel_std == 0.25


def test_numbers_are_left_alone_without_reading_the_folder(settings, tmp_path):
    assert resolve_normalisation(settings, tmp_path / "absent") is settings


def test_encoder_that_does_not_state_its_normalisation_is_named(settings, encoder_folder):
    asked = settings.model_copy(update={"pixel_std": "encoder"})
    with pytest.raises(ValueError, match=r"config\.json does not say its pixel_std; set pixel_std to a share or to"):
        resolve_normalisation(asked, encoder_folder)


def test_bnneck_trains_its_weight_and_not_its_bias(reid, batch):
    assert not reid.bnneck.bias.requires_grad and reid.bnneck.weight.requires_grad
    reid(batch[0]).logits.square().sum().backward()
    assert reid.bnneck.bias.grad is None and reid.bnneck.weight.grad.any()
    assert (reid.bnneck.bias == 0).all() and (reid.bnneck.weight == 1).all()


def test_embedding_matches_float64_numpy(reid, batch):
    with torch.no_grad():
        reid.bnneck.weight.copy_(torch.linspace(0.5, 2, 6))
    got = reid.train()(batch[0])
    weights = {name: value.detach().double().numpy() for name, value in reid.named_parameters()}
    f = batch[0].double().numpy() @ weights["backbone.weight"].T + weights["backbone.bias"]
    z = weights["bnneck.weight"] * (f - f.mean(axis=0)) / np.sqrt(f.var(axis=0) + 1e-5)
    expected = {
        "feature": f,
        "normed": z,
        "direction": z / np.sqrt((z * z).sum(axis=1, keepdims=True)),
        "logits": z @ weights["classifier.weight"].T,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(got, name).detach().numpy(), value, atol=1e-5, err_msg=name)


def test_logits_come_from_the_feature_before_it_is_normalised(reid, batch):
    got = reid(batch[0])
    torch.testing.assert_close(got.logits, got.normed @ reid.classifier.weight.T)
    assert not torch.allclose(got.logits, got.direction @ reid.classifier.weight.T, atol=1e-2)


def test_test_features_are_unit_vectors_from_running_statistics(reid, batch):
    reid.train()(batch[0])  # moves the running statistics away from 0 and 1
    reid.eval()
    f = reid.backbone(batch[0]).double()
    z = (f - reid.bnneck.running_mean) / (reid.bnneck.running_var + 1e-5).sqrt()
    expected = z / z.norm(dim=1, keepdim=True)
    torch.testing.assert_close(reid.embed(batch[0]).double(), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(reid.embed(batch[0]), reid(batch[0]).direction)
    assert not reid.embed(batch[0]).requires_grad


def test_bnneck_moves_its_statistics_once_a_forward_pass(reid, batch):
    reid.train()(batch[0])
    assert reid.bnneck.num_batches_tracked == 1
    torch.testing.assert_close(reid.bnneck.running_mean, 0.1 * reid.backbone(batch[0]).mean(dim=0))


def test_tail_is_computed_in_float32_under_autocast(reid, batch):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = reid(batch[0])
    logits = got.normed.double() @ reid.classifier.weight.double().T
    assert {value.dtype for value in got} == {torch.float32}
    torch.testing.assert_close(got.logits.double(), logits, rtol=0, atol=1e-6)


def test_classifier_starts_from_the_asked_normal_distribution():
    model = ReIDModel(torch.nn.Identity(), 512, 751)
    model.initialise_classifier(0.001, torch_generator(0, "classifier"))
    weight = model.classifier.weight.detach().double().flatten()
    assert model.classifier.bias is None
    assert abs(weight.mean()) < 4 * 0.001 / math.sqrt(len(weight))
    assert weight.std() == pytest.approx(0.001, rel=4 / math.sqrt(2 * len(weight)))
    assert (weight.abs() < 0.001).double().mean() == pytest.approx(0.6827, abs=0.004)  # normal, not uniform


def test_classifier_repeats_for_one_generator():
    first, second, other = (ReIDModel(torch.nn.Identity(), 8, 4) for _ in range(3))
    for model, seed in ((first, 0), (second, 0), (other, 1)):
        model.initialise_classifier(1.0, torch_generator(seed))
    assert torch.equal(first.classifier.weight, second.classifier.weight)
    assert not torch.equal(first.classifier.weight, other.classifier.weight)
