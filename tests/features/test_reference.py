"""The features that no source taught, on a target of noise."""

import io
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from dcac.data.images import decode
from dcac.data.store import Record, read_split, write_store
from dcac.features import reference as step
from dcac.features.feature_file import read_features
from dcac.model.encoder import load_backbone

MEAN, STD = (0.1, 0.4, 0.7), (0.2, 0.3, 0.6)


@pytest.fixture
def colourful_encoder(encoder_folder, tmp_path):
    """The small encoder, with a normalisation of its own in its card."""
    folder = shutil.copytree(encoder_folder, tmp_path / "encoder")
    card = json.loads((folder / "config.json").read_text())
    card["pretrained_cfg"] = {"mean": MEAN, "std": STD}
    (folder / "config.json").write_text(json.dumps(card))
    return folder


@pytest.fixture(scope="session")
def target(tmp_path_factory):
    """Three queries and three gallery images of noise."""
    generator = np.random.default_rng(0)
    records = []
    for split in ("query", "gallery"):
        for pid in range(3):
            stream = io.BytesIO()
            Image.fromarray(generator.integers(0, 256, (32, 16, 3), dtype=np.uint8)).save(stream, format="PNG")
            records.append(Record(split, pid, int(split == "query"), "T", f"{split}/{pid}.png", stream.getvalue()))
    path = tmp_path_factory.mktemp("target") / "T.parquet"
    write_store(records, path, facts={"dataset": "T", "version": "1"})
    return path


@pytest.fixture
def reference(settings, target, colourful_encoder, tmp_path):
    """Return a function that writes a reference of the data set and returns its features."""

    def features(kind, **changes):
        step.run(
            reference=kind,
            settings=settings.model_copy(update=changes),
            encoder=colourful_encoder,
            stores=[target],
            names={"suite": "test", "variant": kind, "sources": "none", "seed": 1},
            out=tmp_path / kind,
            device="cpu",
        )
        return read_features(tmp_path / kind / f"{target.stem}.npz").query.features

    return features


def test_pretrained_encoder_sees_the_colours_it_was_trained_with(reference, target, colourful_encoder, settings):
    got = reference("pretrained", pixel_mean="encoder", pixel_std="encoder")
    pixels = decode(list(read_split(target, "query")["data"]), height=settings.image_height, width=settings.image_width)
    normalised = (pixels / 255 - np.array(MEAN)[:, None, None]) / np.array(STD)[:, None, None]
    backbone, _ = load_backbone(colourful_encoder, height=settings.image_height, width=settings.image_width)
    with torch.no_grad():
        feature = backbone.eval()(torch.from_numpy(normalised).float()).double().numpy()
    expected = feature / np.sqrt((feature**2).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
    assert not np.allclose(got, reference("pretrained"), atol=1e-3)  # the settings' own numbers, 0.5


def test_references_without_an_encoder_do_not_ask_for_its_colours(reference, colourful_encoder):
    (colourful_encoder / "config.json").unlink()
    assert reference("histogram", pixel_mean="encoder").shape[1] == 8 * 128
    assert reference("chance", pixel_mean="encoder").shape[1] == 64


def test_histogram_of_two_halves_worked_by_hand():
    """Left half red, right half blue: each stripe has two cells of equal weight."""
    image = np.zeros((1, 3, 16, 8), dtype=np.uint8)
    image[0, 0, :, :4] = image[0, 2, :, 4:] = 255
    (found,) = step.histograms(image)
    filled = found[found > 0]
    np.testing.assert_allclose(filled, np.full(16, (1 / 16) ** 0.5), rtol=1e-6)


def test_histogram_listens_to_the_middle_of_the_image():
    """A red column amid blue weighs more than one at the edge, by the bell of a quarter of the width."""
    shares = {}
    for column in (0, 4):
        image = np.zeros((1, 3, 8, 9), dtype=np.uint8)
        image[0, 2] = 255
        image[0, :, :, column] = np.array([255, 0, 0])[:, None]
        red = step.histograms(image)[0].reshape(8, -1)[:, :64]  # hues below one half
        shares[column] = float((red**2).sum())
    bell = np.exp(-(((np.arange(9) - 4) / (9 / 4)) ** 2) / 2)
    assert shares == pytest.approx({0: bell[0] / bell.sum(), 4: bell[4] / bell.sum()}, rel=1e-5)


def test_unknown_reference_is_refused(reference):
    with pytest.raises(ValueError, match="unknown reference 'colour'; choose chance, histogram or pretrained"):
        reference("colour")
