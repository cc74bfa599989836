"""One writer at a time, as far as the file system knows locks; a lock ends with its process, however that ends."""

import errno
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

IN_USE = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # what a lock that is held answers; all else: no locks here
log = logging.getLogger(__name__)


class InUse(RuntimeError):
    """Another process holds the lock."""


@contextmanager
def locked(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock file `path`, which is made and stays.

    Args:
        doing: what another process does where the lock is held, as in "trains this run".

    Raises:
        InUse: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        take(handle, doing)
        yield


@contextmanager
def locked_while(path: Path, doing: str) -> Iterator[None]:
    """The same with a lock file that is removed at the end.

    Raises:
        InUse: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as handle:
            take(handle, doing)
            if not _is_at(
                handle, path
            ):  # who held it has just removed it: a lock of a file without a name locks nobody out
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def enter_when_free(
    stack: ExitStack,
    take: Callable[[], AbstractContextManager[None]],
    *,
    pause: float,
    tell: float,
    looked: Callable[[bool], object] = bool,
) -> None:
    """Hold a lock for as long as a stack is open; while another process holds it, wait, and say so.

    Args:
        take: makes the context that holds the lock, or raises InUse.
        pause: seconds between two looks.
        tell: seconds between two lines about it.
        looked: hears after each look whether the lock is held now.
    """
    waited = 0.0
    while True:
        try:
            stack.enter_context(take())
            looked(True)
            return
        except InUse as error:
            looked(False)
            if waited % tell < pause:
                log.info("%s; waiting for it to end", error)
            waited += pause
            time.sleep(pause)


def take(handle: TextIO, doing: str) -> None:
    """Take a lock of the first kind that the file system knows; where it knows none, say so and go on.

    Args:
        handle: a file that is open for writing.

    Raises:
        InUse: another process holds it.
    """
    folder = Path(handle.name).parent
    for kind in (fcntl.flock, fcntl.lockf):
        try:
            kind(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno in IN_USE:
                raise InUse(f"{folder} is in use: another process {doing}; wait for it or stop it") from None
    log.warning("%s lies on a file system without locks; see to it that no other process %s", folder, doing)


def _is_at(handle: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False
