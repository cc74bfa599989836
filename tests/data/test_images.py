"""Decoding gives the pixels that Pillow gives, in the order of the input."""

import io

import numpy as np
import pytest
from PIL import Image

from dcac.data.images import decode


def encode(image, kind="PNG"):
    stream = io.BytesIO()
    image.save(stream, format=kind)
    return stream.getvalue()


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, size=(11, 7, 3), dtype=np.uint8)


def test_image_of_the_right_size_keeps_its_pixels(pixels):
    out = decode([encode(Image.fromarray(pixels))], height=11, width=7)
    assert out.shape == (1, 3, 11, 7) and out.dtype == np.uint8
    assert np.array_equal(out[0].transpose(1, 2, 0), pixels)


def test_resize_squashes_bicubically(pixels):
    image = Image.fromarray(pixels)
    (ours,) = decode([encode(image)], height=16, width=8)
    assert np.array_equal(ours.transpose(1, 2, 0), np.asarray(image.resize((8, 16), Image.Resampling.BICUBIC)))
    assert not np.array_equal(ours.transpose(1, 2, 0), np.asarray(image.resize((8, 16), Image.Resampling.BILINEAR)))


def test_resize_is_that_of_torchvision(pixels):
    from torchvision.transforms import InterpolationMode, Resize

    image = Image.fromarray(pixels)
    (ours,) = decode([encode(image)], height=32, width=16)
    theirs = Resize((32, 16), interpolation=InterpolationMode.BICUBIC)(image)
    assert np.array_equal(ours.transpose(1, 2, 0), np.asarray(theirs))


def test_order_of_many_images_is_kept():
    images = [encode(Image.new("RGB", (4, 8), (shade, 0, 255 - shade))) for shade in range(100)]
    out = decode(images, height=8, width=4)
    assert out[:, 0, 0, 0].tolist() == list(range(100))
    assert out[:, 2, 7, 3].tolist() == list(range(255, 155, -1))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_every_colour_mode_becomes_rgb(mode, pixels):
    image = Image.fromarray(pixels).convert(mode)
    (ours,) = decode([encode(image)], height=11, width=7)
    assert np.array_equal(ours.transpose(1, 2, 0), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["JPEG", "BMP"])
def test_other_formats_are_read(kind, pixels):
    data = encode(Image.fromarray(pixels), kind)
    (ours,) = decode([data], height=11, width=7)
    assert np.array_equal(ours.transpose(1, 2, 0), np.asarray(Image.open(io.BytesIO(data))))


def test_no_images_give_an_empty_array():
    assert decode([], height=8, width=4).shape == (0, 3, 8, 4)


def test_number_of_workers_changes_nothing(monkeypatch, pixels):
    images = [encode(Image.fromarray(np.roll(pixels, shift))) for shift in range(9)]
    results = []
    for threads in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        results.append(decode(images, height=16, width=8))
    assert np.array_equal(*results)
