"""The feature file keeps what is put in, refuses what breaks its contract, and stays on disk."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dcac.evaluation import score
from dcac.features.feature_file import read_features, write_features

BOOK = (Path(__file__).parents[2] / "docs" / "features").with_suffix(".md")


def content(rows=6, **changes):
    generator = np.random.default_rng(0)
    plain = {
        "features": generator.standard_normal((rows, 5)).astype(np.float32),
        "pids": np.arange(rows),
        "camids": np.arange(rows) % 2,
        "split": ["query", "query"] + ["gallery"] * (rows - 2),
        "paths": [f"query/é{row}.jpg" for row in range(rows)],
        "meta": {"dataset": "campus", "seed": 1, "run": {"variant": "dcac"}},
    }
    return plain | changes


def saved(path, **changes):
    """Save the fields by NumPy alone, without the writer's checks."""
    fields = content() | changes
    if not isinstance(fields["meta"], str):
        fields["meta"] = json.dumps(fields["meta"])
    np.savez(path, **{name: value for name, value in fields.items() if value is not None})
    return path


def test_everything_comes_back(tmp_path):
    path, given = tmp_path / "f.npz", content()
    write_features(path, **given)
    file = read_features(path)
    assert file.meta == given["meta"]
    assert np.array_equal(file.query.features, given["features"][:2])
    assert np.array_equal(file.gallery.features, given["features"][2:])
    assert file.gallery.paths.tolist() == given["paths"][2:]
    assert file.gallery.pids.tolist() == [2, 3, 4, 5]
    assert (file.gallery.pids.dtype, file.gallery.camids.dtype) == (np.int64, np.int64)
    assert file.gallery.features.dtype == np.float32


def test_plain_numpy_reads_it_without_pickles(tmp_path):
    write_features(tmp_path / "f.npz", **content())
    with np.load(tmp_path / "f.npz", allow_pickle=False) as file:
        assert sorted(file.files) == ["camids", "features", "meta", "paths", "pids", "split"]
        assert json.loads(str(file["meta"]))["seed"] == 1


def test_features_are_mapped_not_read(tmp_path):
    write_features(tmp_path / "f.npz", **content())
    file = read_features(tmp_path / "f.npz")
    assert isinstance(file.query.features, np.memmap)
    assert isinstance(file.gallery.features, np.memmap)


def test_mixed_splits_and_compressed_files_read_the_same(tmp_path):
    split = ["gallery", "query", "gallery", "query", "gallery", "gallery"]
    given = content(split=split)
    write_features(tmp_path / "stored.npz", **given)
    fields = given | {"meta": json.dumps(given["meta"])}
    np.savez_compressed(tmp_path / "compressed.npz", **fields)
    for name in ("stored", "compressed"):
        file = read_features(tmp_path / f"{name}.npz")
        assert np.array_equal(file.query.features, given["features"][[1, 3]])
        assert file.gallery.pids.tolist() == [0, 2, 4, 5]


def test_column_order_is_kept(tmp_path):
    features = np.asfortranarray(content()["features"])
    file = read_features(saved(tmp_path / "f.npz", features=features))
    assert np.array_equal(file.gallery.features, features[2:])


def test_same_content_gives_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        write_features(tmp_path / name, **content())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "f.npz"
    write_features(path, **content())
    before = path.read_bytes()
    with pytest.raises(ValueError, match="pids are"):
        write_features(path, **content(pids=np.arange(3)))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["f.npz"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pids": None}, "lacks the field 'pids'"),
        ({"meta": None}, "lacks the field 'meta'"),
        ({"pids": np.arange(5)}, r"pids are int64 \(5,\)"),
        ({"camids": np.zeros(6)}, "camids are float64"),
        ({"paths": np.arange(6)}, "paths are int64"),
        ({"features": np.zeros((6, 2, 2), np.float32)}, "features are float32"),
        ({"features": np.zeros((6, 2), np.int8)}, "features are int8"),
        ({"split": ["query"] * 5 + ["train"]}, "split of row 5 is 'train'"),
        ({"split": ["gallery"] * 6}, "holds no query image"),
        ({"split": ["query"] * 6}, "holds no gallery image"),
        ({"meta": "{"}, "meta is no JSON"),
        ({"meta": "[1]"}, "meta is a JSON list"),
        ({"features": np.array([[1]] * 6, dtype=object)}, "field features.npy"),
        ({"paths": np.array(["a"] * 6, dtype=object)}, "field paths.npy"),
    ],
)
def test_broken_contract_names_the_field(tmp_path, changes, message):
    if changes.get("meta", "") is None:
        path = tmp_path / "f.npz"
        np.savez(path, **{name: value for name, value in content().items() if name != "meta"})
    else:
        path = saved(tmp_path / "f.npz", **changes)
    with pytest.raises(ValueError, match=message):
        read_features(path)


def test_missing_file_says_what_makes_it(tmp_path):
    with pytest.raises(ValueError, match=r"does not exist: extract the features first"):
        read_features(tmp_path / "none.npz")


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_truncated_file_is_refused(tmp_path, keep):
    path = tmp_path / "f.npz"
    write_features(path, **content())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"not a complete \.npz"):
        read_features(path)


def test_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match="lacks the field 'features'"):
        read_features(tmp_path / "f.npz")


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_no_flipped_byte_ends_in_an_error_without_the_path(tmp_path, write):
    path = saved(tmp_path / "whole.npz")
    with np.load(path) as whole:
        write(path, **whole)
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x81]) + content[place + 1 :])
        try:
            read_features(path)
        except ValueError as error:
            assert str(path) in str(error), place


def test_the_book_s_ten_lines_write_a_file_that_is_scored(tmp_path, monkeypatch):
    page = BOOK.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(code.splitlines()) == 10
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    record = score.run(tmp_path / "features.npz", tmp_path / "score.json")
    assert (record["num_query"], record["num_gallery"], record["num_valid_queries"]) == (2, 4, 2)
    assert record["protocol"] == {"data_set": "MA", "known_by": "meta", "ranked": "one ranking"}


def test_the_book_names_every_field():
    page = BOOK.read_text(encoding="utf-8")
    assert tuple(re.findall(r"^\| `(\w+)` \|", page.partition("## 1.")[0], flags=re.MULTILINE)) == (
        "features",
        "pids",
        "camids",
        "split",
        "paths",
        "meta",
    )


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ('{"x": NaN}', "meta is no JSON text \\(NaN is no JSON number\\)"),
        ('{"data": "VIPeR"}', "data of meta is 'VIPeR': give an object"),
    ],
)
def test_meta_that_no_record_could_hold_is_refused_before_scoring(tmp_path, meta, message):
    arrays = {name: np.array(value) for name, value in content().items()} | {"meta": np.array(meta)}
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(ValueError, match=rf"f\.npz: {message}"):
        read_features(tmp_path / "f.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_field_given_twice_is_refused(tmp_path):
    write_features(tmp_path / "f.npz", **content())
    with zipfile.ZipFile(tmp_path / "f.npz", "a") as archive:
        archive.writestr("pids.npy", archive.read("pids.npy"))
    with pytest.raises(ValueError, match=r"f\.npz holds a field twice"):
        read_features(tmp_path / "f.npz")


def test_features_of_a_network_that_diverged_are_not_written(tmp_path):
    features = content()["features"]
    features[2, 1] = np.inf
    with pytest.raises(
        ValueError, match=r"f\.npz is not written: the feature of 'query/é2\.jpg' holds NaN or infinities \(1 such"
    ):
        write_features(tmp_path / "f.npz", **content(features=features))
    assert not (tmp_path / "f.npz").exists()
