"""Test images are resized as the settings ask, training images never."""

import io

import numpy as np
import pytest
from PIL import Image

from dcac.data.images import decode
from dcac.data.store import read_split
from dcac.evaluation.extraction import decode_test_images
from dcac.training.setup import load_data


@pytest.mark.parametrize(("choice", "kernel"), [("bicubic", Image.BICUBIC), ("bilinear", Image.BILINEAR)])
def test_test_images_are_resized_with_the_kernel_of_the_settings(store, settings, choice, kernel):
    """method.md section 10.1, number 2: the released code tests single-source runs bilinearly."""
    settings = settings.model_copy(update={"evaluation_resize": choice, "image_height": 24, "image_width": 20})
    data = list(read_split(store, "query")["data"])
    for ours, encoded in zip(decode_test_images(data, settings), data, strict=True):
        expected = Image.open(io.BytesIO(encoded)).convert("RGB").resize((20, 24), kernel)
        assert np.array_equal(ours, np.asarray(expected).transpose(2, 0, 1))


def test_training_images_stay_bicubic(store, settings):
    settings = settings.model_copy(update={"evaluation_resize": "bilinear", "image_height": 24, "image_width": 20})
    expected = decode(list(read_split(store, "train")["data"]), height=24, width=20, resize="bicubic")
    assert np.array_equal(load_data(settings, [store]).images, expected)
