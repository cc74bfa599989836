"""ONNX files of every shape that occurs are read right, or refused with the remedy."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

import dcac
from dcac.closed import ConfigError

pytest.importorskip("onnxruntime", reason="ONNX files need the extra onnx")
SIZE = (32, 16)  # pixels, height and width
VIEW = {"height": 32, "width": 16, "resize": "bicubic", "channels": "rgb", "scale": 1}
VIEW |= {"mean": [0.1, 0.4, 0.7], "std": [0.2, 0.3, 0.6]}  # as in conftest.py
CARD = {"view": VIEW}


class Several(nn.Module):
    """A map, tokens and a vector."""

    def forward(self, images):
        return images, images.flatten(2).transpose(1, 2), images.mean(dim=(2, 3))


class Last(nn.Module):
    """The computation for images with their channels last."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        return self.inner(images.permute(0, 3, 1, 2))


class Bytes(nn.Module):
    """The computation for pixels as they are."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.mean, self.std = (torch.tensor(VIEW[name])[:, None, None] for name in ("mean", "std"))

    def forward(self, images):
        return self.inner((images.float() / 255 - self.mean) / self.std)


def test_a_dynamic_batch_gives_the_computation(write_onnx, stripes, pixels, expected):
    network = dcac.load(write_onnx(stripes), card=CARD)
    np.testing.assert_allclose(network.encode_pixels(pixels), expected, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_is_filled_and_cut(write_onnx, stripes, pixels, expected, batch):
    path = write_onnx(stripes, shape=(batch, 3, *SIZE), dynamic=False)
    network = dcac.load(path, card=CARD)
    assert network.encoder.batch == (batch, batch)
    np.testing.assert_allclose(network.encode_pixels(pixels), expected, atol=1e-5)


def test_bgr_and_a_scale_of_255_are_turned(write_onnx, stripes, pixels, expected):
    view = {**VIEW, "channels": "bgr", "scale": 255}
    view |= {name: [255 * value for value in VIEW[name][::-1]] for name in ("mean", "std")}

    class Turned(nn.Module):
        def forward(self, images):
            return stripes(images.flip(1))

    network = dcac.load(write_onnx(Turned()), card={"view": view})
    np.testing.assert_allclose(network.encode_pixels(pixels), expected, atol=1e-4)


def test_channels_may_come_last(write_onnx, stripes, pixels, expected):
    network = dcac.load(write_onnx(Last(stripes), shape=(2, *SIZE, 3)), card=CARD)
    assert network.encoder.size == SIZE
    np.testing.assert_allclose(network.encode_pixels(pixels), expected, atol=1e-5)


def test_bytes_are_handed_over_whole(write_onnx, stripes, pixels, expected):
    view = {**VIEW, "scale": 255, "mean": [0, 0, 0], "std": [1, 1, 1]}
    network = dcac.load(write_onnx(Bytes(stripes), dtype=torch.uint8), card={"view": view})
    np.testing.assert_allclose(network.encode_pixels(pixels), expected, atol=1e-4)


def test_one_of_several_outputs_is_named(write_onnx, pixels):
    path = write_onnx(Several(), outputs=("map", "tokens", "vector"))
    with pytest.raises(ValueError, match=r"several outputs; name the feature under `feature: output:`.*'tokens'"):
        dcac.load(path, card=CARD).encode_pixels(pixels)
    vector = dcac.load(path, card={**CARD, "feature": {"output": "vector"}}).encode_pixels(pixels)
    for feature in ({"output": "map", "pool": "mean"}, {"output": 1, "pool": "mean"}):
        np.testing.assert_allclose(
            dcac.load(path, card={**CARD, "feature": feature}).encode_pixels(pixels), vector, atol=1e-5
        )
    first = dcac.load(path, card={**CARD, "feature": {"output": "tokens", "pool": "first"}}).encode_pixels(pixels)
    mean, std = (np.array(VIEW[name]) for name in ("mean", "std"))
    np.testing.assert_allclose(first, (pixels[:, :, 0, 0] / 255 - mean) / std, atol=1e-5)


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ({"output": "map"}, r"shape \[10, 3, 32, 16\], no vector an image; write `feature: pool:` mean or max"),
        ({"output": "tokens"}, r"shape \[10, 512, 3\], no vector.*mean, max or first"),
        ({"output": "vectr"}, r"no output 'vectr'.*'vector'"),
        ({"output": 3}, "no output 3"),
    ],
)
def test_an_output_that_is_no_vector_is_refused_with_the_remedy(write_onnx, pixels, feature, message):
    path = write_onnx(Several(), outputs=("map", "tokens", "vector"))
    with pytest.raises(ValueError, match=message):
        dcac.load(path, card={**CARD, "feature": feature}).encode_pixels(pixels)


def test_a_size_that_is_not_the_files_is_refused_with_both(write_onnx, stripes):
    with pytest.raises(ValueError, match=r"images of 32 x 16 pixels, its card says 64 x 32; correct its `view:`"):
        dcac.load(write_onnx(stripes), card={"view": {**VIEW, "height": 64, "width": 32}})


def test_inputs_that_are_no_images_are_refused(write_onnx):
    class Sum(nn.Module):
        def forward(self, values):
            return values.sum(dim=1, keepdim=True)

    with pytest.raises(ValueError, match=r"no images \[B, 3, H, W\]"):
        dcac.load(write_onnx(Sum(), shape=(2, 5)), card=CARD)
    with pytest.raises(ValueError, match="has no three channels"):
        dcac.load(write_onnx(Sum(), shape=(2, 1, 8, 8), name="grey.onnx"), card=CARD)


def test_without_a_card_the_remedy_is_said_and_one_beside_it_is_read(write_onnx, stripes, pixels, expected):
    path = write_onnx(stripes)
    with pytest.raises(ValueError, match=r"does not say how it wants its images; give a card with `view:`"):
        dcac.load(path)
    path.with_suffix(".yaml").write_text(f"view: {VIEW}\nlabel: Stripes\n")
    network = dcac.load(path)
    assert network.card.label == "Stripes"
    np.testing.assert_allclose(network.encode_pixels(pixels), expected, atol=1e-5)
    path.with_suffix(".yaml").write_text(f"view: {VIEW}\nlabl: Stripes\n")
    with pytest.raises(ConfigError, match=r"unknown key 'labl'.*did you mean 'label'"):
        dcac.load(path)


def test_features_that_are_not_finite_name_what_to_look_at(write_onnx, pixels):
    class Endless(nn.Module):
        def forward(self, images):
            return images.mean(dim=(2, 3)) / 0.0

    with pytest.raises(ValueError, match="NaN or infinities; look at the mean, std and scale"):
        dcac.load(write_onnx(Endless()), card=CARD).encode_pixels(pixels)


def test_a_damaged_file_and_an_absent_runtime_are_named(tmp_path, monkeypatch):
    (tmp_path / "net.onnx").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"cannot be opened by onnxruntime.*export it again"):
        dcac.load(tmp_path / "net.onnx", card=CARD)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r"pip install 'dcac\[onnx\]'"):
        dcac.load(tmp_path / "net.onnx", card=CARD)
