"""The Re-ID branch: sizes, position grid, BNNeck, classifier, and the folder it loads from."""

import json
import math
import shutil

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file

from dcac.model.encoder import ReIDModel, build_backbone, load_backbone, resize_positions, save_backbone
from dcac.seeding import torch_generator

CLIP = "vit_base_patch16_clip_quickgelu_224"


@pytest.fixture(scope="module")
def clip():
    """CLIP ViT-B/16 at 256 x 128 as the published weights would build it, without memory."""
    with torch.device("meta"):
        state = timm.create_model(CLIP, num_classes=512).state_dict()
        state["head.bias"] = torch.zeros(512, device="cpu")
        return build_backbone(CLIP, state, num_classes=512, arguments={}, size=(256, 128), freeze_patches=True)


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


def test_head_without_bias_is_removed_only_when_its_bias_is_zero():
    state = timm.create_model("vit_tiny_patch16_224", num_classes=7, **_arguments()).state_dict()
    for bias, kept in ((0.0, False), (1.0, True)):
        state["head.bias"] = torch.full((7,), bias)
        model, _ = _build(state, size=(32, 16))
        assert (model.head.bias is not None) is kept


def _arguments():
    return {"patch_size": 8, "embed_dim": 12, "depth": 1, "num_heads": 2, "img_size": (32, 32)}


def _build(state, size):
    return build_backbone(
        "vit_tiny_patch16_224", state, num_classes=7, arguments=_arguments(), size=size, freeze_patches=False
    )


def slow_bilinear(grid, height, width):
    """Sample a grid [h, w, C] at the centres of height x width cells, clamped at the border."""
    out = np.zeros((height, width, grid.shape[2]))
    for i in range(height):
        for j in range(width):
            y = max(0.0, (i + 0.5) * grid.shape[0] / height - 0.5)
            x = max(0.0, (j + 0.5) * grid.shape[1] / width - 0.5)
            top, left = int(y), int(x)
            down, right = min(top + 1, grid.shape[0] - 1), min(left + 1, grid.shape[1] - 1)
            dy, dx = y - top, x - left
            out[i, j] = (1 - dy) * ((1 - dx) * grid[top, left] + dx * grid[top, right])
            out[i, j] += dy * ((1 - dx) * grid[down, left] + dx * grid[down, right])
    return out


def test_positions_are_resized_bilinearly_and_the_class_token_keeps_its_own():
    positions = torch.randn(1, 1 + 14 * 14, 5, generator=torch_generator(0))
    with torch.device("meta"):
        model = timm.create_model(CLIP, num_classes=512, img_size=(256, 128))
    resized = resize_positions(positions, model)
    assert resized.shape == (1, 129, 5)
    assert torch.equal(resized[:, 0], positions[:, 0])
    slow = slow_bilinear(positions[0, 1:].double().numpy().reshape(14, 14, 5), 16, 8)
    np.testing.assert_allclose(resized[0, 1:].numpy(), slow.reshape(128, 5), rtol=0, atol=1e-5)


def test_positions_of_the_right_grid_are_left_alone():
    state = timm.create_model("vit_tiny_patch16_224", num_classes=7, **_arguments()).state_dict()
    model, _ = _build(state, size=(32, 32))
    assert torch.equal(model.pos_embed, state["pos_embed"])


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
    with pytest.raises(ValueError, match=rf"holds no {name}; run `snakemake .*encoder/manifest.json`"):
        load_backbone(folder, height=32, width=16)


def test_weights_of_another_architecture_are_refused(encoder_folder, tmp_path):
    folder = shutil.copytree(encoder_folder, tmp_path / "encoder")
    config = json.loads((folder / "config.json").read_text())
    config["model_args"]["depth"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RuntimeError, match=r"blocks\.1"):
        load_backbone(folder, height=32, width=16)


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
