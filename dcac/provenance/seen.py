"""The content of large files, hashed once: an archive of many gigabytes is read again only where its size or time changed."""

import json
import logging
from pathlib import Path

from dcac.provenance.files import sha256, write_json

MEMORY = Path("results/.seen.json")  # absolute path -> size in bytes, time of change in nanoseconds, sha256
LARGE = 1e9  # bytes from which hashing is announced; source: ours, some seconds
log = logging.getLogger(__name__)


def content_hash(path: Path, memory: Path = MEMORY) -> str:
    """Return the sha256 of a file, remembered from the last time if its size and time of change are the same."""
    key, facts = str(path.resolve()), path.stat()
    stamp = [facts.st_size, facts.st_mtime_ns]
    known = _remembered(memory)
    if known.get(key, [])[:2] == stamp:
        return known[key][2]
    if facts.st_size > LARGE:
        log.info("reading %s (%.1f GB) to tell whether it is what was imported; once", path, facts.st_size / 1e9)
    found = sha256(path)
    if memory.parent.is_dir():  # in a checkout
        write_json(memory, {**_remembered(memory), key: [*stamp, found]})
    return found


def _remembered(memory: Path) -> dict[str, list]:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
