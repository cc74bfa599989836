"""Keep what was made, whole and under its identity, so that nothing that is right is computed twice.

Snakemake deletes the outputs of a job before it starts, and after it fails. So every step that costs leaves hard links to
its files in `results/.kept/{step}/{identity}/`, where no rule looks, and begins by asking whether they lie there already.
"""

import glob
import json
import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from dcac.provenance.files import remove_abandoned, results_folder, sha256, temporary_name, write_json
from dcac.provenance.record import Asked

FOLDER = ".kept"
INDEX = "kept.json"
SHOWN = 24  # digits of an identity in a folder's name
log = logging.getLogger(__name__)


def kept_folder(asked: Asked, base: Path) -> Path | None:
    """Return the folder that holds, or would hold, what was asked for; None for files outside of any `results`."""
    inside = results_folder(base)
    return inside / FOLDER / asked.word / asked.identity[:SHOWN] if inside is not None else None


def keep(asked: Asked, base: Path, names: Iterable[str]) -> None:
    """Keep finished files of a `results` folder under their identity, by hard links; where there are none, by copies.

    Args:
        base: folder of the files.
        names: their paths in it, the file with the record last.
    """
    folder = kept_folder(asked, base)
    if folder is None:
        return
    root = folder.parent
    root.mkdir(parents=True, exist_ok=True)
    remove_abandoned(root, ".*.tmp")
    staged = temporary_name(folder)
    entries = {}
    try:
        for name in names:
            source, target = base / name, staged / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(source, target)
            entries[name] = {"bytes": source.stat().st_size, "sha256": sha256(source)}
        write_json(staged / INDEX, {"step": asked.step, "identity": asked.identity, "files": entries})
        if folder.is_dir():
            shutil.rmtree(folder)
        os.replace(staged, folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def put_back(asked: Asked, base: Path, names: Sequence[str] | None = None) -> bool:
    """Put back what was made before under the asked identity, byte for byte; say so in the log.

    Args:
        base: folder of the files.
        names: what the kept files are to be called there, in the order of keeping; None: as they were called.

    Returns:
        Whether it was there, complete and undamaged; then nothing remains to be done.
    """
    folder = kept_folder(asked, base)
    if folder is None or not (entries := read_index(folder)):
        return False
    damaged = [name for name, entry in entries.items() if not _is(folder / name, entry["sha256"])]
    if damaged:
        log.warning("%s is damaged (%s): it is made again", folder, damaged[0])
        shutil.rmtree(folder)
        return False
    for name, called in zip(entries, names or entries, strict=True):
        target = base / called
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(target.parent, f".{glob.escape(target.name)}.*.tmp")
        staged = temporary_name(target)
        _link(folder / name, staged)
        os.replace(staged, target)
        os.utime(target)
    log.info(
        "%s was made before from the same settings, data, networks and code (identity %s): put back, nothing is computed",
        base / (names[0] if names else ""),
        asked.identity[:12],
    )
    return True


def read_index(folder: Path) -> dict[str, dict]:
    """List the files of a kept thing with size and sha256; empty where nothing complete is kept."""
    try:
        return json.loads((folder / INDEX).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return {}


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path) == digest


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)
