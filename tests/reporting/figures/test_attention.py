"""The figure of attention has a column a picture and a row a run, and says how alike the maps are."""

import io

import numpy as np
import pytest
from PIL import Image

from dcac.data.store import Record, write_store
from dcac.reporting.figures.attention import correlation, draw_attention

LABELS = {"baseline": "Baseline (ours)", "dcac": "DCAC (ours)"}


@pytest.fixture
def target(tmp_path):
    """Two query pictures, and a function that writes maps of them."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 16), (90, 120, 150)).save(stream, format="PNG")
    records = [Record("query", pid, 0, "T", f"{pid}.png", stream.getvalue()) for pid in (1, 2)]
    records.append(Record("gallery", 1, 1, "T", "g.png", stream.getvalue()))
    write_store(records, tmp_path / "T.parquet", facts={"dataset": "T", "version": "1"})

    def write(name, seed, paths=("1.png", "2.png")):
        maps = np.random.default_rng(seed).random((2, 4, 2)).astype(np.float32)
        np.savez(tmp_path / f"{name}.npz", paths=paths, maps=maps, kind="rollout", meta="{}")
        return tmp_path / f"{name}.npz"

    return tmp_path / "T.parquet", write


def test_a_row_a_run_and_a_column_a_picture(target):
    store, write = target
    files = {"baseline": write("baseline", 0), "dcac": write("dcac", 1)}
    figure = draw_attention(files, store, LABELS, faces="blurred", title="t")
    assert len(figure.axes) == 6
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == ["picture", *LABELS.values()]
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 2, 2, 2, 2]
    heading = figure.get_suptitle()
    with np.load(files["baseline"]) as a, np.load(files["dcac"]) as b:
        ours, theirs = a["maps"].reshape(2, 8).astype(float), b["maps"].reshape(2, 8).astype(float)
    slow = []
    for x, y in zip(ours, theirs, strict=True):
        dx, dy = x - x.mean(), y - y.mean()
        slow.append((dx * dy).sum() / np.sqrt((dx**2).sum() * (dy**2).sum()))
    assert f"Baseline (ours) and DCAC (ours): correlation of their maps {np.mean(slow):.3f}" in heading


def test_maps_that_are_alike_up_to_scale_correlate_fully():
    maps = np.random.default_rng(0).random((3, 4, 2))
    assert correlation(maps, 2 * maps + 1) == pytest.approx(1)


def test_maps_of_other_pictures_are_refused(target):
    store, write = target
    files = {"baseline": write("baseline", 0), "dcac": write("dcac", 1, paths=("1.png", "g.png"))}
    with pytest.raises(ValueError, match=r"dcac.npz maps other pictures than .*baseline.npz"):
        draw_attention(files, store, LABELS, faces="blurred", title="t")
