"""Normalised files that other tools wrote: read as they are meant, or refused with the file, the fault and the remedy."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcac.data import store
from dcac.data.imports import checking
from dcac.data.store import Record, iter_split, read_split, stored_splits, write_store

COUNTS = {"train": 5, "query": 2, "gallery": 4}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The content of a sound file."""
    out = tmp_path_factory.mktemp("sound") / "MA.parquet"
    records = [
        Record(split, number, number % 3, "MA", f"{split}/{number}.jpg", f"{split}{number}".encode())
        for split, count in COUNTS.items()
        for number in range(count)
    ]
    write_store(records, out, facts={"dataset": "MA"})
    return pq.read_table(out)


def column(table, name, values, kind=None):
    """Return the table with another column."""
    return table.set_column(table.column_names.index(name), name, pa.array(values, kind))


def as_words(table):
    return [(row["split"], row["image"]["path"], row["pid"], row["image"]["bytes"]) for row in table.to_pylist()]


def read(path, splits):
    return [(row.split, row.path, row.pid, row.data) for row in read_split(path, splits).itertuples()]


@settings(max_examples=30, deadline=None)
@given(size=st.integers(1, 12), statistics=st.booleans(), most=st.integers(1, 6))
def test_rows_are_chosen_by_split_whatever_the_row_groups(table, tmp_path_factory, size, statistics, most):
    path = tmp_path_factory.mktemp("foreign") / "a.parquet"
    pq.write_table(table, path, row_group_size=size, write_statistics=statistics)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "ROWS_PER_GROUP", most)
        for split in COUNTS:
            assert read(path, split) == [row for row in as_words(table) if row[0] == split]
        assert read(path, list(COUNTS)) == as_words(table)
        assert all(len(part) <= most for part in iter_split(path, "train"))
    assert stored_splits(path) == tuple(COUNTS)


def test_types_that_mean_the_same_are_cast(table, tmp_path):
    wide = column(table, "pid", table.column("pid").to_pylist(), pa.int64())
    wide = column(wide, "camid", table.column("camid").to_pylist(), pa.uint8())
    wide = column(wide, "split", table.column("split").to_pylist(), pa.large_string())
    wide = wide.set_column(4, "domain", wide.column("domain").dictionary_encode())
    image = pa.struct([("path", pa.large_string()), ("bytes", pa.large_binary())])
    wide = column(wide, "image", table.column("image").to_pylist(), image)
    pq.write_table(wide.replace_schema_metadata(None), tmp_path / "wide.parquet")
    rows = read_split(tmp_path / "wide.parquet", list(COUNTS))
    assert read(tmp_path / "wide.parquet", list(COUNTS)) == as_words(table)
    assert [str(rows[name].dtype) for name in ("pid", "camid")] == ["int32", "int16"]
    assert set(rows["domain"]) == {"MA"}


def test_one_row_group_is_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROWS_PER_GROUP", 10)
    noise = np.random.default_rng(0)
    records = [Record("train", 1, 0, "MA", f"{i:04d}", noise.bytes(8_000)) for i in range(4096)]
    write_store(records, tmp_path / "a.parquet", facts={})
    whole = pq.read_table(tmp_path / "a.parquet")
    pq.write_table(whole, tmp_path / "b.parquet", compression="NONE")
    del whole
    assert pq.ParquetFile(tmp_path / "b.parquet").num_row_groups == 1
    before, held = pa.total_allocated_bytes(), []
    parts = [held.append(pa.total_allocated_bytes() - before) for _ in iter_split(tmp_path / "b.parquet", "train")]
    assert len(parts) == 410
    assert max(held) < 20e6  # of 33 MB; a page holds 1,024 images


IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NULL = {"bytes": b"x", "path": None}
FAULTS = {
    "two columns": (lambda t: t.select(["image", "domain"]), "lacks the column 'split'"),
    "no image": (lambda t: t.drop_columns(["image"]), "lacks the column 'image'"),
    "image of bytes": (lambda t: column(t, "image", [b"x"] * 11), "column 'image' of the type binary"),
    "image without path": (
        lambda t: column(t, "image", [{"bytes": b"x"}] * 11),
        r"lacks the column 'image\.path'",
    ),
    "pid of text": (lambda t: column(t, "pid", ["1"] * 11), "column 'pid' of the type string, not int32"),
    "pid of floats": (lambda t: column(t, "pid", [1.0] * 11), "column 'pid' of the type double, not int32"),
    "pid too large": (lambda t: column(t, "pid", [2**40] * 11), "has a pid that is no int32"),
    "junk": (lambda t: column(t, "pid", [-1] * 11, pa.int32()), "has the pid -1, where 0 is the least; leave junk out"),
    "empty pid": (lambda t: column(t, "pid", [None] * 11, pa.int32()), "rows without a value of pid"),
    "empty path": (lambda t: column(t, "image", [NULL] * 11, IMAGE), r"rows without a value of image\.path"),
    "split of numbers": (lambda t: column(t, "split", [0] * 11), "column 'split' of the type int64, not string"),
    "split unknown": (lambda t: column(t, "split", ["test"] * 11), "the split 'test', not one of train, query"),
    "split empty": (lambda t: column(t, "split", [None] * 11, pa.string()), "rows without a split"),
    "shuffled": (lambda t: t.take([*range(6, 11), *range(6)]), "is not sorted by split"),
    "paths shuffled": (lambda t: t.take([1, 0, *range(2, 11)]), r"not sorted by path.* or 'train/0\.jpg' occurs twice"),
    "caption of words": (
        lambda t: t.append_column("caption", pa.array([["red"]] * 11)),
        "column 'caption' of the type list<.*: string>, not a list of floats",
    ),
    "row twice": (lambda t: t.take([0, 0, *range(2, 11)]), r"or 'train/0\.jpg' occurs twice"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_not_as_it_must_be_is_refused(table, tmp_path, name):
    change, message = FAULTS[name]
    path = tmp_path / "a.parquet"
    pq.write_table(change(table), path)
    with pytest.raises(ValueError, match=rf"a\.parquet .*{message}.*; it is no normalised file"):
        read_split(path, list(COUNTS))


@pytest.mark.parametrize("name", ["two columns", "pid of text", "split empty"])
def test_the_check_names_it_too(table, tmp_path, name):
    change, message = FAULTS[name]
    pq.write_table(change(table), tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text('{"sha256": ""}')
    with pytest.raises(ValueError, match=rf"a\.parquet .*{message.replace('a split', 'a value of split')}"):
        checking.run(tmp_path / "a.parquet")


def test_file_that_lost_rows_is_not_what_its_sidecar_speaks_of(table, tmp_path):
    pq.write_table(table.slice(0, 9), tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text('{"sha256": "", "images": 11}')
    with pytest.raises(ValueError, match=r"a\.parquet holds 9 images, its sidecar speaks of 11"):
        read_split(tmp_path / "a.parquet", "train")


@pytest.mark.parametrize("damage", ["cut", "page", "text"])
def test_damaged_file_is_named(table, tmp_path, damage):
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, compression="zstd")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "page":
        data[4:400] = bytes(396)
    path.write_bytes(b"text" * 10 if damage == "text" else data)
    with pytest.raises(ValueError, match=r"a\.parquet is no readable Parquet file, or damaged \(.*import the data set"):
        read_split(path, "train")


def test_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"a\.parquet does not exist; import the data set"):
        read_split(tmp_path / "a.parquet", "train")
