"""A full disk, said in one sentence, whatever the library that met it calls it."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
WORDS = ("No space left", "quota exceeded", "unexpected pos", "PytorchStreamWriter failed")  # safetensors', torch's


class DiskFull(OSError):
    """A file that could not be written whole; the message names it and the room there is."""


@contextmanager
def naming_full_disk(path: Path, *, needed: int | None = None) -> Iterator[None]:
    """Turn every library's way to meet a full disk while `path` is written into one error.

    Args:
        needed: bytes that are to be written, as far as known.

    Raises:
        DiskFull: the disk, or the user's quota of it, is full.
    """
    try:
        yield
    except Exception as error:
        if not is_full(error):
            raise
        room = f"{_megabytes(shutil.disk_usage(path.parent).free)} free"
        if needed is not None:
            room += f", {_megabytes(needed)} needed"
        raise DiskFull(
            f"{path} could not be written whole: the disk, or your quota of it, is full ({room}); make room and give the same command again"
        ) from None


def is_full(error: BaseException | None) -> bool:
    """Say whether an error, or one that it arose from, tells of a full disk."""
    if error is None or isinstance(error, DiskFull):
        return False
    if getattr(error, "errno", None) in FULL or any(word in str(error) for word in WORDS):
        return True
    return is_full(error.__context__)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
