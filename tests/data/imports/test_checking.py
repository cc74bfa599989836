"""Checking a normalised file again: every kind of damage is named."""

import json

import pytest

from dcac.data import store
from dcac.data.imports import checking
from dcac.data.store import Record, write_store

MANIFEST = {"dataset": "MA", "version": "v1", "variant": "standard", "standard": True, "fingerprint": "f"}


@pytest.fixture
def records(picture):
    return [
        Record(split, pid, pid % 2, "MA", f"{split}/{pid}.jpg", picture(pid))
        for split in ("train", "query", "gallery")
        for pid in range(1, 6)
    ]


def problems(path, **options):
    return "\n".join(checking.run(path, **options).problems)


def rewrite(out, records, manifest=MANIFEST, **changes):
    """Write other records, but keep the old sidecar with some changes, as if the file had been tampered with."""
    old = json.loads(out.with_suffix(".json").read_text())
    new = write_store(records, out, facts=manifest)
    out.with_suffix(".json").write_text(json.dumps({**old, "sha256": new["sha256"], **changes}))


@pytest.fixture
def out(records, tmp_path):
    write_store(records, tmp_path / "MA.parquet", facts=MANIFEST)
    return tmp_path / "MA.parquet"


def test_sound_file_has_no_problems(out):
    checked = checking.run(out)
    assert checked.problems == ()
    assert checked.report == "MA: 15 images decode; labels, order, counts and hashes agree"


def test_two_workers_agree_with_one(out):
    assert checking.run(out, workers=2) == checking.run(out, workers=1)


def test_non_standard_file_says_so(out, records):
    write_store(records, out, facts={**MANIFEST, "standard": False})
    assert checking.run(out).report.endswith("NON-STANDARD")


def test_stamp_cannot_be_removed_from_the_sidecar_alone(out, records):
    write_store(records, out, facts={**MANIFEST, "standard": False})
    sidecar = json.loads(out.with_suffix(".json").read_text())
    out.with_suffix(".json").write_text(json.dumps({**sidecar, "standard": True}))
    assert "standard is False in the file, True in the sidecar" in problems(out)


def test_changed_byte_changes_the_hash(out):
    data = bytearray(out.read_bytes())
    data[200] ^= 1
    out.write_bytes(data)
    assert "sha256 differs" in problems(out)


def test_unreadable_image_is_named(out, records):
    bad = [*records[1:], Record("train", 1, 1, "MA", "train/1.jpg", b"none")]
    rewrite(out, bad)
    found = problems(out)
    assert "train/1.jpg: no JPEG, PNG or BMP image" in found
    assert "content_sha256 differs" in found


@pytest.mark.parametrize(
    ("change", "message"),
    [({"pid": 3}, "counts are"), ({"camid": 0}, "content_sha256"), ({"domain": "D"}, "a domain is not MA")],
)
def test_changed_label_is_noticed(out, records, change, message):
    first = records[0]
    values = {name: getattr(first, name) for name in ("split", "pid", "camid", "domain", "path", "data")} | change
    rewrite(out, [Record(**values), *records[1:]])
    assert message in problems(out)


def test_wrong_order_is_noticed(out, records, monkeypatch):
    monkeypatch.setattr(store, "_split_rank", lambda record: -store.SPLITS.index(record.split))
    rewrite(out, records)
    assert "not sorted" in problems(out)


def test_lost_sidecar_and_foreign_files_say_what_to_do(out):
    text = out.with_suffix(".json").read_text()
    out.with_suffix(".json").unlink()
    with pytest.raises(ValueError, match="import the data set again"):
        checking.run(out)
    out.with_suffix(".json").write_text(text)
    out.write_bytes(b"no parquet at all")
    with pytest.raises(ValueError, match="no readable Parquet file"):
        checking.run(out)
