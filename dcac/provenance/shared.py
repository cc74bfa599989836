"""Arrays that cost time to make and that many processes read: one file in `results/.cache`, mapped into each of them.

Nothing depends on where such an array comes from. What is deleted, damaged or out of date is made again by whoever asks
next; where no file can be written, the array is made in memory.
"""

import glob
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy

from dcac.disk import DiskFull
from dcac.locking import enter_when_free, locked_while
from dcac.provenance.files import atomic, results_folder, sha256, write_json
from dcac.provenance.record import sidecar_of

FOLDER = ".cache"
PAUSE, TELL = 0.2, 60  # seconds between two looks at what another process makes, and between two lines about it
SHOWN = 16  # digits of a key in a file's name
log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """An array of bytes, and what it depends on."""

    name: str  # of its file, one for all versions of what it is made from
    depends_on: dict[str, object]  # everything that its values depend on, as plain JSON values
    shape: tuple[int, ...]
    make: Callable[[], Iterator[np.ndarray]]  # yields it in pieces along the first axis, uint8

    @property
    def key(self) -> str:
        """Hash of what it depends on."""
        content = json.dumps({**self.depends_on, "shape": self.shape}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def shared_array(wanted: Wanted, near: Path) -> np.ndarray:
    """Map an array that lies in the cache, or make it, once for all processes.

    Args:
        near: a file of the `results` folder whose cache is meant; for one outside of any, nothing is cached.

    Returns:
        uint8; pages that nobody writes to are shared with every process that maps the same file.
    """
    results = results_folder(near)
    if results is None:
        return _in_memory(wanted)
    path = results / FOLDER / f"{wanted.name}-{wanted.key[:SHOWN]}.npy"
    found = _open(path, wanted)
    if found is not None:
        return found
    try:
        with ExitStack() as stack:
            lock = path.with_name(f"{wanted.name}.lock")
            enter_when_free(stack, partial(locked_while, lock, f"makes {wanted.name}"), pause=PAUSE, tell=TELL)
            found = _open(path, wanted)
            if found is not None:  # made by whom we waited for
                return found
            _write(path, wanted)
            return np.load(path, mmap_mode="c")
    except (DiskFull, PermissionError) as error:
        log.warning("%s cannot be shared (%s); this process holds it in memory", wanted.name, error)
        return _in_memory(wanted)


def _open(path: Path, wanted: Wanted) -> np.ndarray | None:
    """Map a finished file; None where there is none, or not the one that its sidecar speaks of."""
    try:
        told = json.loads(sidecar_of(path).read_text(encoding="utf-8"))
        if told == {"key": wanted.key, "sha256": sha256(path)}:
            return np.load(path, mmap_mode="c")
    except (OSError, ValueError):
        return None
    log.warning("%s is damaged; it is made again", path)
    return None


def _write(path: Path, wanted: Wanted) -> None:
    """Write the file, then the sidecar that makes it valid; earlier versions of it go first."""
    for old in path.parent.glob(f"{glob.escape(wanted.name)}-*.npy*"):
        old.unlink(missing_ok=True)  # a process that has mapped it goes on
    header = {"descr": "|u1", "fortran_order": False, "shape": wanted.shape}
    with atomic(path) as temporary, temporary.open("wb") as stream:
        npy.write_array_header_1_0(stream, header)
        for piece in wanted.make():
            stream.write(np.ascontiguousarray(piece, dtype=np.uint8).data)
    write_json(sidecar_of(path), {"key": wanted.key, "sha256": sha256(path)})
    log.info("%s: written for this and other processes, %.0f MB", path, path.stat().st_size / 1e6)


def _in_memory(wanted: Wanted) -> np.ndarray:
    made, start = np.empty(wanted.shape, np.uint8), 0
    for piece in wanted.make():
        made[start : start + len(piece)] = piece
        start += len(piece)
    return made
