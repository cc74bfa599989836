"""Where results lie: in the folder itself, or in a storage from which they are fetched to be read."""

import shutil
from pathlib import Path

from dcac.places import Here, InStorage


class StoredFile:
    """What a storage plugin gives of one path: here a file of another folder."""

    fetched: list[str] = []

    def __init__(self, folder, path):
        self.path, self.file, self.local = path, folder / path, Path("of a job")

    def exists(self):
        return self.file.exists()

    def set_local_path(self, path):
        self.local = path

    def retrieve_object(self):
        self.fetched.append(self.path)
        shutil.copy(self.file, self.local)


def test_results_of_a_checkout_are_read_where_they_lie(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/a.json").write_text("{}", encoding="utf-8")
    assert Here().has("results/a.json") and not Here().has("results/b.json")
    assert Here().readable("results/a.json") == Path("results/a.json")


def test_what_is_read_of_a_storage_is_fetched_once_and_nothing_lies_in_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store/results").mkdir(parents=True)
    (tmp_path / "store/results/a.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(StoredFile, "fetched", [])
    results = InStorage(lambda path: StoredFile(tmp_path / "store", path))
    assert results.has("results/a.json") and not results.has("results/b.json")
    for _ in range(2):
        assert results.readable("results/a.json").read_text(encoding="utf-8") == "{}"
    assert StoredFile.fetched == ["results/a.json"]
    assert results.readable("results/a.json").match("results/a.json"), "what reads a file may go by its place"
    assert not results.readable("results/b.json").exists() and not (tmp_path / "results").exists()


def test_copies_go_with_the_process(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results/a.json").write_text("{}", encoding="utf-8")
    results = InStorage(lambda path: StoredFile(tmp_path, path))
    copy = results.readable("results/a.json")
    results.folder.cleanup()
    assert not copy.exists() and (tmp_path / "results/a.json").exists()
