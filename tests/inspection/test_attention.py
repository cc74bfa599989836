"""Rollout is the product of the layers' attention; activation maps are lengths of features; both lie on the encoder's grid."""

import json

import numpy as np
import pytest
import timm
import torch

from dcac.data.store import read_split
from dcac.inspection import attention as step
from dcac.inspection.attention import attention_of, look, roll_out, spaced_people

SMALL = {"img_size": (32, 16), "patch_size": 8, "embed_dim": 24, "num_heads": 2, "num_classes": 0}


@pytest.fixture
def images():
    return torch.randn(3, 3, 32, 16, generator=torch.Generator().manual_seed(0))


def vit(**options):
    torch.manual_seed(1)
    model = timm.create_model("vit_tiny_patch16_224", depth=2, **SMALL, **options).eval()
    for block in model.blocks:  # weights far from uniform attention
        torch.nn.init.normal_(block.attn.qkv.weight, std=0.5)
    return model


def slow_attention(model, images):
    """Recompute each layer's attention from its projections, step by step, in plain matrix products."""
    tokens, found = model._pos_embed(model.patch_embed(images)), []
    for block in model.blocks:
        inner = block.norm1(tokens)
        heads = block.attn.num_heads
        q, k, _ = block.attn.qkv(inner).chunk(3, dim=-1)
        q, k = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k))
        found.append(torch.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, dim=-1))
        tokens = block(tokens)
    return found


def slow_rollout(layers, image):
    """Follow Abnar and Zuidema for one image, with NumPy."""
    joint = np.eye(layers[0].shape[-1])
    for layer in layers:
        mean = layer[image].double().numpy().mean(axis=0) + np.eye(len(joint))
        joint = (mean / mean.sum(axis=1, keepdims=True)) @ joint
    return joint


@torch.no_grad()
def test_attention_is_that_of_the_layers_and_the_encoder_stays_as_it_was(images):
    model = vit()
    before = model(images)
    for ours, wanted in zip(attention_of(model, images), slow_attention(model, images), strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-4)
    assert all(block.attn.fused_attn for block in model.blocks) and torch.equal(model(images), before)


@torch.no_grad()
@pytest.mark.parametrize(("pool", "prefix"), [("token", 1), ("avg", 1), ("avg", 0)])
def test_rollout_equals_a_slow_loop(images, pool, prefix):
    model = vit(global_pool=pool, class_token=bool(prefix))
    maps, kind = look(model, images, size=(32, 16))
    assert kind == "rollout" and maps.shape == (3, 4, 2)
    layers = slow_attention(model, images)
    for image in range(3):
        joint = slow_rollout(layers, image)
        wanted = joint[0, prefix:] if pool == "token" else joint[prefix:, prefix:].mean(axis=0)
        np.testing.assert_allclose(maps[image], wanted.reshape(4, 2), atol=1e-5)


def test_rollout_by_hand():
    """Two tokens, one head: the first layer looks at itself, the second sends all of token 0 to token 1."""
    first, second = torch.eye(2)[None, None], torch.tensor([[0.0, 1.0], [0.0, 1.0]])[None, None]
    torch.testing.assert_close(
        roll_out([first, second])[0], torch.tensor([[0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
    )


@torch.no_grad()
def test_convolutions_and_windows_are_mapped_by_the_length_of_their_features(images):
    resnet = timm.create_model("resnet18", num_classes=0).eval()
    large = torch.nn.functional.interpolate(images, size=(64, 32))
    maps, kind = look(resnet, large, size=(64, 32))
    wanted = resnet.forward_features(large).square().sum(dim=1).sqrt()
    assert kind == "activation" and maps.shape == (3, 2, 1)
    np.testing.assert_allclose(maps, wanted.numpy(), rtol=1e-5)
    swin = timm.create_model("swin_tiny_patch4_window7_224", img_size=(64, 32), window_size=2, num_classes=0).eval()
    maps, kind = look(swin, large, size=(64, 32))
    wanted = swin.forward_features(large).square().sum(dim=-1).sqrt()  # channels last
    assert kind == "activation" and maps.shape == (3, 2, 1)
    np.testing.assert_allclose(maps, wanted.numpy(), rtol=1e-5)


def test_an_encoder_without_a_grid_is_refused(images):
    class Line(torch.nn.Module):
        def forward_features(self, images):
            return images.flatten(1)

    with pytest.raises(ValueError, match=r"Line ends in features \[3, 1536\] that lie on no grid"):
        look(Line(), images, size=(32, 16))


def test_people_are_evenly_spaced():
    pids = np.array([3, 3, 5, 5, 5, 9, 11])
    assert spaced_people(pids, 3).tolist() == [0, 5, 6] and spaced_people(pids, 1).tolist() == [0]
    with pytest.raises(ValueError, match=r"count 5 is not within 1..4, the people of the target"):
        spaced_people(pids, 5)


def test_the_file_names_the_pictures_and_stands_by_its_record(finished_run, other_store, tmp_path):
    run = {name: value for name, value in finished_run(diffusion="none").items() if name != "stores"}
    step.run(**run, store=other_store, out=tmp_path / "a.npz", count=3)
    with np.load(tmp_path / "a.npz") as content:
        assert content["maps"].shape == (3, 4, 2) and str(content["kind"]) == "rollout"
        assert set(content["paths"]) <= set(read_split(other_store, "query", images=False)["path"])
        assert json.loads(str(content["meta"]))["seed"] == 0
    record = json.loads((tmp_path / "a.npz.json").read_text())["made"]
    assert record["settings"] == {"count": 3} and set(record["inputs"]) == {"run", "encoder", "data"}
