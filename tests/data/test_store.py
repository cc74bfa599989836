"""The normalised file: contract, determinism, row groups, atomic writing."""

import hashlib
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcac.data import store
from dcac.data.store import Record, count, iter_split, read_sidecar, read_split, stored_splits, write_store

MANIFEST = {"dataset": "MA", "version": "v1", "variant": "standard", "standard": True}


def record(split, path, pid=1, camid=0, data=b"image", caption=None):
    return Record(split, pid, camid, "MA", path, data, caption)


RECORDS = [
    record("gallery", "gallery/b.jpg", pid=0, camid=2, data=b"four"),
    record("train", "train/b.jpg", pid=7, data=b"two"),
    record("query", "query/a.jpg", pid=5, camid=1, data=b"three"),
    record("train", "train/a.jpg", pid=7, camid=9, data=b"one"),
]


@pytest.fixture
def written(tmp_path):
    out = tmp_path / "new" / "MA.parquet"
    return out, write_store(RECORDS, out, facts=MANIFEST)


def test_columns_and_order_are_the_contract(written):
    table = pq.read_table(written[0])
    assert table.schema.field("image").type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    types = {name: str(table.schema.field(name).type) for name in table.column_names[1:]}
    assert types == {"split": "string", "pid": "int32", "camid": "int16", "domain": "string"}
    assert [row["image"]["bytes"] for row in table.to_pylist()] == [b"one", b"two", b"three", b"four"]


def test_plain_pandas_reads_it(written):
    rows = pd.read_parquet(written[0])
    assert list(rows["image"].str["path"]) == ["train/a.jpg", "train/b.jpg", "query/a.jpg", "gallery/b.jpg"]
    assert list(rows["pid"]) == [7, 7, 5, 0]


def test_hugging_face_reads_it(written, tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = datasets.load_dataset(
        "parquet", data_files=str(written[0]), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert type(rows.features["image"]).__name__ == "Image"
    assert rows["pid"][:] == [7, 7, 5, 0]


def test_sidecar_counts_and_hashes(written):
    out, sidecar = written
    assert sidecar == read_sidecar(out) == json.loads(out.with_suffix(".json").read_text())
    assert sidecar["counts"] == {
        "train": {"ids": 1, "images": 2, "cameras": 2},
        "query": {"ids": 1, "images": 1, "cameras": 1},
        "gallery": {"ids": 1, "images": 1, "cameras": 1},
    }
    assert sidecar["images"] == 4
    assert sidecar["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert sidecar["variant"] == "standard"


def test_distractors_are_images_but_no_identity():
    assert count(RECORDS, distractor_pid=0)["gallery"] == {"ids": 0, "images": 1, "cameras": 1}


@settings(max_examples=20, deadline=None)
@given(st.permutations(RECORDS))
def test_any_order_gives_the_same_bytes(tmp_path_factory, records):
    out = tmp_path_factory.mktemp("order") / "a.parquet"
    first = write_store(RECORDS, out, facts=MANIFEST)
    assert write_store(records, out, facts=MANIFEST) == first


def test_functions_as_data_give_the_same_bytes(written, tmp_path):
    lazy = [Record(r.split, r.pid, r.camid, r.domain, r.path, lambda r=r: r.data) for r in RECORDS]
    assert write_store(lazy, tmp_path / "lazy.parquet", facts=MANIFEST) == written[1]


def test_images_are_asked_for_group_by_group(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROWS_PER_GROUP", 3)
    asked = []
    written = []
    write_table = pq.ParquetWriter.write_table

    def watched(*args, **options):
        written.append(len(asked))
        write_table(*args, **options)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", watched)
    records = [record("train", f"{i}", data=lambda i=i: asked.append(i) or b"x") for i in range(8)]
    write_store(records, tmp_path / "a.parquet", facts={})
    assert written == [3, 6, 8]


def test_no_row_group_spans_two_splits(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROWS_PER_GROUP", 2)
    records = [record(split, f"{split}/{i}") for split in ("train", "query", "gallery") for i in range(3)]
    write_store(records, tmp_path / "a.parquet", facts={})
    file = pq.ParquetFile(tmp_path / "a.parquet")
    groups = [
        set(file.read_row_group(i, columns=["split"]).column("split").to_pylist()) for i in range(file.num_row_groups)
    ]
    assert groups == [{"train"}, {"train"}, {"query"}, {"query"}, {"gallery"}, {"gallery"}]


def test_only_the_row_groups_of_the_split_are_read(written, monkeypatch):
    read = []
    original = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile, "iter_batches", lambda self, **kw: read.extend(kw["row_groups"]) or original(self, **kw)
    )
    rows = read_split(written[0], "query")
    assert read == [1]
    assert list(rows["path"]) == ["query/a.jpg"]
    assert list(rows["data"]) == [b"three"]


def test_splits_come_in_file_order_without_images_on_request(written):
    rows = read_split(written[0], ["gallery", "train"], images=False)
    assert list(rows.columns) == ["path", "pid", "camid", "domain", "split"]
    assert list(rows["split"]) == ["train", "train", "gallery"]
    assert list(rows.index) == [0, 1, 2]
    assert str(rows["pid"].dtype) == "int32"
    assert str(rows["camid"].dtype) == "int16"


def test_a_file_names_the_splits_it_holds(written, tmp_path):
    assert stored_splits(written[0]) == ("train", "query", "gallery")
    write_store(RECORDS[:1], tmp_path / "one.parquet", facts=MANIFEST)
    assert stored_splits(tmp_path / "one.parquet") == ("gallery",)


def test_chunks_add_up_to_the_split(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROWS_PER_GROUP", 2)
    write_store([record("train", f"{i}") for i in range(5)], tmp_path / "a.parquet", facts={})
    assert [len(chunk) for chunk in iter_split(tmp_path / "a.parquet", "train")] == [2, 2, 1]


def test_captions_are_kept(tmp_path):
    write_store([record("train", "a", caption=(0.5, 0.25))], tmp_path / "a.parquet", facts={})
    assert list(read_split(tmp_path / "a.parquet", "train")["caption"][0]) == [0.5, 0.25]
    assert str(pq.read_schema(tmp_path / "a.parquet").field("caption").type) == "list<element: float>"


@pytest.mark.parametrize("wanted", ["trian", ["query", "test"]])
def test_absent_split_is_named(written, wanted):
    with pytest.raises(ValueError, match=r"no split '(trian|test)'; it holds train, query, gallery"):
        read_split(written[0], wanted)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "no images"),
        ([record("test", "a")], "split 'test'"),
        ([record("train", "a", pid=-1)], "pid -1"),
        ([record("train", "a", pid=2**31)], "pid 2147483648"),
        ([record("train", "a", camid=-1)], "camid -1"),
        ([record("train", "a", camid=2**15)], "camid 32768"),
        ([record("train", "a"), record("train", "a")], "occurs twice"),
    ],
)
def test_records_outside_the_contract_are_refused_and_nothing_is_written(tmp_path, records, message):
    with pytest.raises(ValueError, match=message):
        write_store(records, tmp_path / "a.parquet", facts={})
    assert not list(tmp_path.iterdir())


def test_same_path_in_two_splits_is_allowed(tmp_path):
    assert write_store([record("query", "a"), record("gallery", "a")], tmp_path / "a.parquet", facts={})["images"] == 2


def test_failure_half_way_leaves_the_old_file(written):
    def fail():
        raise OSError("disk gone")

    out, sidecar = written
    with pytest.raises(OSError, match="disk gone"):
        write_store([record("train", "a", data=fail)], out, facts={})
    assert sorted(path.name for path in out.parent.iterdir()) == ["MA.json", "MA.parquet"]
    assert hashlib.sha256(out.read_bytes()).hexdigest() == sidecar["sha256"]


def test_manifest_may_not_claim_counts(tmp_path):
    with pytest.raises(ValueError, match="counts"):
        write_store(RECORDS, tmp_path / "a.parquet", facts={"counts": {}})


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_unusable_sidecar_says_what_to_do(written, text):
    out, _ = written
    sidecar = out.with_suffix(".json")
    sidecar.unlink() if text is None else sidecar.write_text(text)
    with pytest.raises(ValueError, match="import the data set again"):
        read_sidecar(out)
