"""Files that appear whole or not at all, and what their bytes are."""

import glob
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from dcac.disk import naming_full_disk

HOST = platform.node().replace(".", "-") or "host"
BOOKS = ("manifest.json", ".snakemake_timestamp")  # the second: by which Snakemake dates a folder that it stores
RESULTS = "results"  # the folder of a checkout that everything made lies in
ABANDONED = 86_400  # seconds; source: ours


def results_folder(path: Path) -> Path | None:
    """Return the innermost folder called `results` that a path lies in, or is; None where there is none."""
    path = path.absolute()
    return next((parent for parent in (path, *path.parents) if parent.name == RESULTS), None)


def sha256(path: Path) -> str:
    """Hash a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Listed(TypedDict):
    """What a manifest says of a file."""

    bytes: int
    sha256: str


def manifest(folder: Path) -> dict[str, Listed]:
    """List every file below a folder with its size in bytes and sha256, sorted by path; not those that keep books of it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in BOOKS)
    return {p.relative_to(folder).as_posix(): {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in files}


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON under a temporary name, then rename."""
    with atomic(path) as temporary:
        temporary.write_text(json_text(content), encoding="utf-8")


def json_text(content: Mapping[str, object]) -> str:
    """Write JSON as text, as all files of this project hold it."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends without an error.

    What a killed process left under such a name is removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent, f".{glob.escape(path.name)}.*.tmp")
    temporary = temporary_name(path)
    with naming_full_disk(path):
        try:
            yield temporary
            make_readable(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def temporary_name(path: Path) -> Path:
    """Name a temporary file or folder beside `path` after this machine and process: `.{name}.{host}-{pid}.tmp`."""
    return path.with_name(f".{path.name}.{HOST}-{os.getpid()}.tmp")


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove the temporary files and folders of a pattern that killed processes left in a folder."""
    for left in folder.glob(pattern):
        if is_abandoned(left):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


def is_abandoned(path: Path) -> bool:
    """Tell whether the process that a temporary name names is gone; one of another machine after a day without a change."""
    host, _, pid = path.name.removesuffix(".tmp").rpartition(".")[2].rpartition("-")
    if host != HOST or not pid.isdigit():
        try:
            return time.time() - path.stat().st_mtime > ABANDONED
        except OSError:
            return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def make_readable(path: Path) -> None:
    """Let a file, or all below a folder, be read by whom the user's mask lets: safetensors writes for the user alone."""
    mask = os.umask(0)
    os.umask(mask)
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.is_file():
            file.chmod(0o666 & ~mask)
