"""Gallery search: exact hits, a table and a strip."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from dcac.data.store import Record, write_store
from dcac.evaluation.search import hit_table, nearest_images, picture_strip, run
from dcac.features.feature_file import Part, write_features


def encoded(colour):
    stream = io.BytesIO()
    Image.new("RGB", (32, 64), colour).save(stream, format="PNG")
    return stream.getvalue()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("levels", [None, 2])
def test_hits_equal_a_full_sort(make_target, slow_distance, metric, levels):
    pytest.importorskip("faiss")
    target = make_target(0, gallery=300, levels=levels)
    sides = target.query_features, target.gallery_features
    hits = nearest_images(*sides, count=5, metric=metric)
    distances = slow_distance(*sides, metric)
    assert np.array_equal(hits.rows, np.argsort(distances, axis=1, kind="stable")[:, :5])
    assert np.array_equal(hits.distances, np.sort(distances, axis=1)[:, :5])


def test_index_is_asked_again_while_ties_go_on():
    pytest.importorskip("faiss")
    gallery = np.ones((500, 3), dtype=np.float32)
    gallery[400:] = 2
    hits = nearest_images(np.ones((1, 3)), gallery, count=4, metric="euclidean")
    assert hits.rows.tolist() == [[0, 1, 2, 3]]


def test_small_gallery_is_returned_whole():
    pytest.importorskip("faiss")
    hits = nearest_images([[1.0, 0]], [[0.0, 1], [1, 0]], count=9)
    assert hits.rows.tolist() == [[1, 0]]


def test_table_lists_picture_by_picture():
    pytest.importorskip("faiss")
    part = Part(np.eye(3), np.array([5, 6, 7]), np.array([0, 1, 2]), np.array(["a", "b", "c"]))
    table = hit_table(["x", "y"], nearest_images(np.eye(3)[1:], part.features, count=2), part)
    assert table["picture"].tolist() == ["x", "x", "y", "y"]
    assert table["place"].tolist() == [1, 2, 1, 2]
    assert table["path"].tolist() == ["b", "a", "c", "a"]
    assert table["pid"].tolist() == [6, 5, 7, 5]
    assert table["camid"].tolist() == [1, 0, 2, 0]
    assert table["distance"].tolist() == [0, 1, 0, 1]


def test_strip_shows_each_picture_before_its_hits():
    strip = picture_strip([encoded("red"), encoded("white")], [[encoded("blue")], [encoded("lime")]])
    pixels = np.asarray(strip)
    assert pixels[68, 30].tolist() == [255, 0, 0]
    assert pixels[68, 110].tolist() == [0, 0, 255]
    assert pixels[200, 110].tolist() == [0, 255, 0]


def test_run_writes_table_and_strip(tmp_path):
    pytest.importorskip("faiss")
    colours = ["red", "lime", "blue"]
    records = [Record("gallery", 1, 0, "campus", f"g{i}.png", encoded(colour)) for i, colour in enumerate(colours)]
    write_store(records, tmp_path / "store.parquet", facts={})
    write_features(
        tmp_path / "f.npz",
        features=np.eye(4),
        pids=[1] * 4,
        camids=[1, 0, 0, 0],
        split=["query", *["gallery"] * 3],
        paths=["q.png", "g0.png", "g1.png", "g2.png"],
        meta={},
    )
    (tmp_path / "new.png").write_bytes(encoded("lime"))
    table = run(
        gallery=tmp_path / "f.npz",
        pictures=[tmp_path / "new.png"],
        features=np.eye(4)[2:3],
        out=tmp_path / "hits.csv",
        store=tmp_path / "store.parquet",
        count=1,
    )
    assert table["path"].tolist() == ["g1.png"]
    assert (tmp_path / "hits.csv").read_text().splitlines()[1].split(",")[1:3] == ["1", "g1.png"]
    strip = np.asarray(Image.open(tmp_path / "hits.png"))
    assert strip[68, 30].tolist() == strip[68, 110].tolist() == [0, 255, 0]


@pytest.mark.parametrize(
    ("data", "paths", "message"),
    [
        (
            {"dataset": "MA"},
            ["g.png"],
            r"f\.npz shows dataset MA, .*store\.parquet holds campus; give the file it was made",
        ),
        ({"sha256": "0"}, ["g.png"], "shows sha256 0, "),
        ({}, ["other.png"], r"store\.parquet lacks 'other\.png' of .*f\.npz"),
    ],
)
def test_strip_never_shows_pictures_of_another_set(tmp_path, data, paths, message):
    write_store(
        [Record("gallery", 1, 0, "campus", "g.png", b"x")], tmp_path / "store.parquet", facts={"dataset": "campus"}
    )
    rows = {"pids": [1, 1], "camids": [1, 0], "split": ["query", "gallery"], "paths": ["q.png", *paths]}
    write_features(tmp_path / "f.npz", features=np.eye(2), **rows, meta={"data": data})
    asked = {"pictures": [tmp_path / "new.png"], "features": np.eye(2)[:1], "out": tmp_path / "hits.csv", "count": 1}
    with pytest.raises(ValueError, match=message):
        run(gallery=tmp_path / "f.npz", store=tmp_path / "store.parquet", **asked)
    assert not (tmp_path / "hits.csv").exists()


def test_count_must_be_positive():
    with pytest.raises(ValueError, match="count is 0"):
        nearest_images([[1.0]], [[1.0]], count=0)


def test_absent_faiss_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ValueError, match=r"dcac\[search\]"):
        nearest_images([[1.0]], [[1.0]], count=1)


def test_the_strip_shows_pictures_as_the_network_saw_them():
    stream = io.BytesIO()
    Image.new("RGBA", (8, 16), (255, 255, 255, 0)).save(stream, format="PNG")
    strip = np.asarray(picture_strip([stream.getvalue()], [[stream.getvalue()]]))
    assert (strip == 0).any(), "behind transparent pixels is black, there as in features"
