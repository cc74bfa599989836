"""The content of large files and folders, hashed once: archives are read again only where sizes or times changed."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from dcac.provenance.files import sha256, write_json

MEMORY = Path("results/.seen.json")  # absolute path -> size in bytes, times of change, sha256
LARGE = 1e9  # bytes from which hashing is announced; source: ours, some seconds
log = logging.getLogger(__name__)


def content_hash(path: Path, memory: Path = MEMORY, *, ignored: Callable[[str], bool] = lambda name: False) -> str:
    """Return the sha256 of a file, or of the names and contents of all files below a folder.

    It is remembered from the last time if names, sizes and times of change are the same.

    Args:
        ignored: tells by the relative name which files of a folder do not act.
    """
    entries = list(_entries(path, ignored)) if path.is_dir() else [("", path.stat())]
    key, size = str(path.resolve()), sum(facts.st_size for _, facts in entries)
    stamp = [size, _digest(f"{name} {facts.st_size} {facts.st_mtime_ns}" for name, facts in entries)]
    known = _remembered(memory)
    if known.get(key, [])[:2] == stamp:
        return known[key][2]
    if size > LARGE:
        log.info("reading %s (%.1f GB) to tell whether it is what was imported; once", path, size / 1e9)
    found = _digest(f"{name} {sha256(path / name)}" for name, _ in entries) if path.is_dir() else sha256(path)
    if memory.parent.is_dir():  # in a checkout
        write_json(memory, {**_remembered(memory), key: [*stamp, found]})
    return found


def _entries(folder: Path, ignored: Callable[[str], bool]) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files below a folder in order of their names; a link counts as the file that it leads to."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            path = Path(root, file)
            name = path.relative_to(folder).as_posix()
            if not ignored(name) and path.is_file():
                yield name, path.stat()


def _digest(lines: Iterator[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _remembered(memory: Path) -> dict[str, list]:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
