"""Pictures of every form become unit vectors."""

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import dcac
from dcac.foreign.network_card import NetworkCard, PartCard
from dcac.networks.network import BATCH, BatchSize, Network
from dcac.provenance.record import Input


class Pooled:
    """Mean colours; keeps what it was given."""

    batch = BatchSize(1, BATCH)

    def __init__(self):
        self.sizes = []

    def __call__(self, images):
        self.sizes.append(len(images))
        return {"features": images.mean(dim=(2, 3)).numpy()}


@pytest.fixture
def network(view):
    plain = {**view, "mean": [0, 0, 0], "std": [1, 1, 1]}
    return Network("colours", NetworkCard.model_validate({"view": plain}), PartCard(), Pooled(), Input("", ""))


def test_paths_pictures_and_arrays_give_one_feature(network, tmp_path):
    pixels = np.random.default_rng(1).integers(1, 256, (40, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    features = network.embed([str(tmp_path / "a.png"), tmp_path / "a.png", Image.fromarray(pixels), pixels])
    assert features.dtype == np.float32 and features.shape == (4, 3)
    assert (features == features[0]).all()
    np.testing.assert_allclose(np.linalg.norm(features.astype(float), axis=1), 1, atol=1e-6)


def test_grey_pictures_and_turned_photographs_are_read_as_meant(network, tmp_path):
    grey = np.full((8, 4), 100, np.uint8)
    np.testing.assert_allclose(network.embed([grey]), [[3**-0.5] * 3], atol=1e-6)
    photograph = Image.fromarray(np.random.default_rng(2).integers(0, 256, (30, 60, 3), dtype=np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    photograph.save(tmp_path / "turned.png", exif=turned)
    upright = np.asarray(photograph.rotate(-90, expand=True))
    assert np.array_equal(network.embed([tmp_path / "turned.png"]), network.embed([upright]))


def test_many_pictures_are_read_a_part_at_a_time(network):
    count = BATCH + 3
    features = network.embed([np.full((4, 4, 3), 1 + place % 200, np.uint8) for place in range(count)])
    assert features.shape == (count, 3) and network.encoder.sizes == [BATCH, 3]


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ([], "no picture to embed"),
        ("a.png", r"takes a list of pictures, not a str; write embed\(\[picture\]\)"),
        (["absent.png"], "no picture at absent.png"),
        ([np.zeros((4, 4, 3))], r"picture 0 is an array float64 \[4, 4, 3\]; give uint8 \[H, W, 3\]"),
        ([np.zeros((3, 8, 9), np.uint8)], r"uint8 \[3, 8, 9\]; give"),
        ([np.ones((4, 4, 3), np.uint8), None], "picture 1 is a NoneType; give a path"),
        ([np.zeros((4, 4, 3), np.uint8)], "feature of picture 0 has length 0"),
    ],
)
def test_a_picture_that_cannot_be_used_is_named(network, pictures, message):
    with pytest.raises(ValueError, match=message):
        network.embed(pictures)


def test_a_file_that_is_no_picture_is_named(network, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"text.png cannot be used: no JPEG, PNG or BMP image"):
        network.embed([tmp_path / "text.png"])


def test_normalised_features_have_length_one(view):
    card = NetworkCard.model_validate({"view": view, "feature": {"normalise": True}})
    stream = io.BytesIO()
    Image.new("RGB", (4, 8), (200, 10, 30)).save(stream, format="PNG")
    feature = Network("colours", card, PartCard(), Pooled(), Input("", "")).encode([stream.getvalue()])
    np.testing.assert_allclose(np.linalg.norm(feature), 1, atol=1e-6)


def test_images_reach_the_network_as_its_card_says(view):
    seen = []

    class Keeps(Pooled):
        def __call__(self, images):
            seen.append(images)
            return super().__call__(images)

    card = NetworkCard.model_validate(
        {"view": {**view, "channels": "bgr", "scale": 255, "mean": [1, 2, 3], "std": [4, 5, 6]}}
    )
    pixels = np.random.default_rng(3).integers(0, 256, (2, 3, 32, 16), dtype=np.uint8)
    Network("n", card, PartCard(), Keeps(), Input("", "")).encode_pixels(pixels)
    wanted = (pixels[:, ::-1].astype(float) - np.array([1, 2, 3])[:, None, None]) / np.array([4, 5, 6])[:, None, None]
    torch.testing.assert_close(seen[0].double(), torch.from_numpy(wanted), atol=1e-4, rtol=0)


def test_the_package_is_imported_without_torch():
    code = (
        "import sys, dcac; assert 'torch' not in sys.modules and 'numpy' not in sys.modules; assert callable(dcac.load)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_of_the_package_is_an_error():
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = dcac.lod
