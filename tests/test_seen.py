"""The hash of a large file is remembered as long as the file is the same."""

import hashlib
import os

import pytest

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


@pytest.fixture
def folder(tmp_path):
    """A folder of three files, one of them of no interest."""
    for name in ("train/1.jpg", "query/2.jpg", ".DS_Store"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_text(name)
    return tmp_path / "set"


def hashed(folder):
    return content_hash(folder, folder.parent / "seen.json", ignored=lambda name: name == ".DS_Store")


def test_an_unchanged_folder_is_read_once(folder, monkeypatch):
    found = hashed(folder)
    monkeypatch.setattr(seen, "sha256", lambda path: 1 / 0)
    assert hashed(folder) == found


def test_a_folder_is_its_names_and_contents_wherever_and_since_when(folder, tmp_path):
    found = hashed(folder)
    os.utime(folder / "train/1.jpg", (0, 0))
    (folder / ".DS_Store").write_text("another view")
    assert hashed(folder) == found
    assert hashed(folder.rename(tmp_path / "elsewhere")) == found


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "train/1.jpg").write_text("train/2.jpg"),
        lambda folder: (folder / "train/1.jpg").rename(folder / "train/3.jpg"),
        lambda folder: (folder / "query/2.jpg").unlink(),
        lambda folder: (folder / "query/3.jpg").touch(),
    ],
    ids=["another content of equal size", "another name", "one less", "one more"],
)
def test_a_changed_folder_is_noticed(folder, change):
    found = hashed(folder)
    change(folder)
    assert hashed(folder) != found
