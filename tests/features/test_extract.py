"""Test images are resized and normalised as the settings ask, and embedded a batch at a time."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dcac.data import store as data_store
from dcac.data.images import decode
from dcac.data.store import read_split
from dcac.features import extract
from dcac.features.extract import embed, require_names
from dcac.features.targets import decode_test_images, encode_store
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


def test_batches_change_nothing(settings, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (7, 3, 4, 2), dtype=np.uint8)
    settings = settings.model_copy(update={"pixel_mean": (0.1, 0.2, 0.3), "pixel_std": 0.5})
    weight = torch.randn(5, 24, requires_grad=True)
    sizes = []

    def encode(batch):
        sizes.append(len(batch))
        return batch.flatten(1) @ weight.T

    monkeypatch.setattr(extract, "CPU_BATCH", 3)
    got = embed(encode, images, settings=settings, device="cpu")
    pixels = (images / 255 - np.array([0.1, 0.2, 0.3])[:, None, None]) / 0.5
    assert sizes == [3, 3, 1] and got.dtype == np.float32
    np.testing.assert_allclose(got, pixels.reshape(7, 24) @ weight.detach().double().numpy().T, rtol=0, atol=1e-5)


def test_a_target_is_decoded_in_parts_in_the_order_of_its_rows(store, settings, monkeypatch, tmp_path):
    monkeypatch.setattr(data_store, "ROWS_PER_GROUP", 3)
    people = zip(("query", "gallery"), ("query", "train"), strict=True)
    records = [
        data_store.Record(split, row.pid, row.camid, "A", row.path, row.data)
        for split, origin in people
        for row in read_split(store, origin)[:8].itertuples()
    ]
    data_store.write_store(records, tmp_path / "A.parquet", facts={"dataset": "A", "version": "1"})
    sizes = []

    def encode(images):
        sizes.append(len(images))
        return images.reshape(len(images), -1).astype(np.float32)

    got = encode_store(tmp_path / "A.parquet", encode, settings)
    assert sizes == [3, 3, 2, 3, 3, 2]
    rows = read_split(tmp_path / "A.parquet", ("query", "gallery"))
    assert np.array_equal(got, encode(decode_test_images(list(rows["data"]), settings)))


REPORT = {"seed": 3, "data": {"MA": "a", "C3": "b"}}
NAMES = {"suite": "paper", "variant": "dcac", "sources": "MA+C3", "seed": 3}


def test_names_are_those_of_the_run():
    require_names(REPORT, Path("run"), NAMES)
    require_names({**REPORT, "data": {}}, Path("run"), NAMES)  # a converted run does not know its data


@pytest.mark.parametrize(("name", "value"), [("seed", 4), ("sources", "MA"), ("sources", "C3+MA")])
def test_another_name_than_the_runs_own_is_refused_with_both(name, value):
    own = {"seed": 3, "sources": "MA.C3"}[name]
    with pytest.raises(ValueError, match=f"run was trained with {name} {own}, not .*; give --{name} {own}"):
        require_names(REPORT, Path("run"), {**NAMES, name: value})


@pytest.mark.parametrize("suffix", ["", "0", "4,2", " 3 ", "many", "-1", "1.5"])
def test_any_number_of_threads_asked_for_decodes_images(store, settings, monkeypatch, suffix):
    monkeypatch.setenv("OMP_NUM_THREADS", suffix)
    data = list(read_split(store, "query")["data"][:2])
    assert len(decode_test_images(data, settings)) == 2
