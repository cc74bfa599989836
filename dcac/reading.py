"""Files that earlier steps wrote, read again: a missing, damaged or half-copied one is named with what to do."""

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

DAMAGE: tuple[type[Exception], ...] = (
    *(SafetensorError, json.JSONDecodeError, UnicodeDecodeError, zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, LookupError, NotImplementedError, RecursionError, SyntaxError, TokenError, TypeError),
)


@contextmanager
def naming_damage(path: Path, remedy: str, *, also: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn every library's way to refuse a damaged file or folder into one sentence.

    Args:
        remedy: what the user does about it.
        also: further errors that mean damage here.

    Raises:
        ValueError: the path does not exist, or cannot be read as what it should be.
    """
    if not path.exists():
        raise ValueError(f"{path} does not exist; {remedy}")
    try:
        yield
    except (*DAMAGE, *also) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ValueError(f"{path} is damaged or was copied in part ({reason}); {remedy}") from None


def read_json(path: Path, *, keys: Sequence[str] = (), remedy: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        keys: that it must hold.

    Raises:
        ValueError: the file is missing or damaged, holds no object, or lacks a key.
    """
    _refuse_folder(path, remedy)
    with naming_damage(path, remedy):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a JSON {type(content).__name__}, not an object; {remedy}")
    absent = [key for key in keys if key not in content]
    if absent:
        raise ValueError(f"{path} lacks '{absent[0]}'; {remedy}")
    return content


@contextmanager
def open_tensors(path: Path, *, remedy: str) -> Iterator[Any]:
    """Open a `.safetensors` file for reading tensor by tensor; a name that it lacks means damage too.

    Raises:
        ValueError: the file is missing or damaged.
    """
    _refuse_folder(path, remedy)
    with naming_damage(path, remedy), safe_open(path, framework="pt") as archive:
        yield archive


def load_tensors(path: Path, *, remedy: str) -> dict[str, Any]:
    """Read all tensors of a `.safetensors` file.

    Raises:
        ValueError: the file is missing or damaged.
    """
    with open_tensors(path, remedy=remedy) as archive:
        return {name: archive.get_tensor(name) for name in archive.keys()}


def read_arrays(path: Path, *, remedy: str) -> dict[str, np.ndarray]:
    """Read all arrays of an `.npz` file; pickles are refused.

    Raises:
        ValueError: the file is missing or damaged.
    """
    _refuse_folder(path, remedy)
    with (
        naming_damage(path, remedy, also=(ValueError, OSError, RuntimeError)),
        np.load(path, allow_pickle=False) as file,
    ):
        return dict(file)


def _refuse_folder(path: Path, remedy: str) -> None:
    if path.is_dir():
        raise ValueError(f"{path} is a folder, where a file should be; {remedy}")


def naming_damaged_part(folder: Path) -> AbstractContextManager[None]:
    """The same for a part of a network that diffusers reads, such as `unet/` or `vae/` of a prior's folder."""
    remedy = f"delete {folder.parent} and run `snakemake {folder.parent}/manifest.json` to make these weights again"
    return naming_damage(folder, remedy, also=(OSError, RuntimeError, ValueError))
