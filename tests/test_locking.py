"""One writer at a time: a held lock is in use, a lock file that goes locks nobody out."""

import fcntl
import os

import pytest

from dcac.locking import InUse, locked, locked_while


def test_second_holder_is_told_what_the_first_does(tmp_path):
    with (
        locked_while(tmp_path / "new" / "lock", "fetches x.zip"),
        pytest.raises(InUse, match=r"new is in use: another process fetches x\.zip; wait for it or stop it"),
        locked_while(tmp_path / "new" / "lock", "fetches x.zip"),
    ):
        pass


def test_lock_file_stays_or_goes(tmp_path):
    with locked(tmp_path / "stays", "works"):
        pass
    with pytest.raises(KeyError), locked_while(tmp_path / "goes", "works"):
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["stays"]


def test_lock_of_a_file_that_its_holder_has_just_removed_is_taken_again(tmp_path, monkeypatch):
    path, take = tmp_path / "lock", fcntl.flock
    taken = []

    def flock(handle, how):
        if not taken:
            path.unlink()  # as the holder before does, between our opening and our locking
        taken.append(os.fstat(handle.fileno()).st_ino)
        take(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked_while(path, "works"):
        assert len(taken) == 2
        assert path.stat().st_ino == taken[-1]
