"""The hash of a large file is remembered as long as the file is the same."""

import hashlib
import os

from dcac.provenance import seen
from dcac.provenance.seen import content_hash


def expected(content):
    return hashlib.sha256(content).hexdigest()


def test_an_unchanged_file_is_read_once(tmp_path, monkeypatch):
    archive, memory = tmp_path / "a.zip", tmp_path / "seen.json"
    archive.write_bytes(b"first")
    assert content_hash(archive, memory) == expected(b"first")
    monkeypatch.setattr(seen, "sha256", lambda path: 1 / 0)
    assert content_hash(archive, memory) == expected(b"first")


def test_a_replaced_file_of_equal_size_is_noticed(tmp_path):
    archive, memory = tmp_path / "a.zip", tmp_path / "seen.json"
    archive.write_bytes(b"first")
    content_hash(archive, memory)
    archive.write_bytes(b"other")
    os.utime(archive, ns=(0, archive.stat().st_mtime_ns + 1))
    assert content_hash(archive, memory) == expected(b"other")


def test_a_damaged_memory_is_only_forgotten(tmp_path):
    archive, memory = tmp_path / "a.zip", tmp_path / "seen.json"
    archive.write_bytes(b"first")
    for damage in ("{", "[1]"):
        memory.write_text(damage)
        assert content_hash(archive, memory) == expected(b"first")


def test_outside_of_a_checkout_nothing_is_written(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"first")
    assert content_hash(archive, tmp_path / "results/.seen.json") == expected(b"first")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
