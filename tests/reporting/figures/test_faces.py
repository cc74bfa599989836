"""Heads of real people are blurred, those of rendered ones are not."""

import io

import numpy as np
import pytest
from PIL import Image

from dcac.data.store import Record, write_store
from dcac.reporting.figures.faces import BLOCKS, HEAD, read_pictures, without_face


@pytest.fixture
def store_of(tmp_path):
    """Return a function that writes a target of one query and one gallery picture of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (128, 64, 3), dtype=np.uint8)

    def write(**manifest):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, format="PNG")
        records = [
            Record(split, 1, cam, "T", "a.png" if cam else "b.png", stream.getvalue())
            for cam, split in enumerate(("query", "gallery"))
        ]
        path = tmp_path / "T.parquet"
        write_store(records, path, facts={"dataset": "T", "version": "1", **manifest})
        return path, pixels

    return write


def test_the_upper_part_is_blocks_of_mean_colour_and_the_rest_untouched():
    picture = np.random.default_rng(1).integers(0, 256, (128, 64, 3), dtype=np.uint8)
    shown = without_face(picture)
    bottom = round(HEAD * 128)
    assert np.array_equal(shown[bottom:], picture[bottom:])
    colours = np.unique(shown[:bottom].reshape(-1, 3), axis=0)
    assert len(colours) <= BLOCKS * 3, "so few colours show no face"
    first = picture[: -(-bottom // 2), : 64 // BLOCKS].reshape(-1, 3).mean(axis=0).round()
    assert np.array_equal(shown[0, 0], first)
    assert np.array_equal(shown, without_face(picture)), "the same each time"


@pytest.mark.parametrize(
    ("manifest", "faces", "blurred"),
    [({}, "blurred", True), ({}, "shown", False), ({"layout": "rendered"}, "blurred", False)],
)
def test_only_real_people_are_blurred_and_only_unless_shown(store_of, manifest, faces, blurred):
    path, pixels = store_of(**manifest)
    picture = read_pictures(path, ["a.png"], faces=faces)["a.png"]
    assert np.array_equal(picture, pixels) != blurred


def test_a_picture_of_another_target_is_named(store_of):
    with pytest.raises(ValueError, match=r"holds no test image 'c.png'"):
        read_pictures(store_of()[0], ["c.png"], faces="blurred")
