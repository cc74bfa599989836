"""Read files of plain tensors; a pickle that holds anything else is refused and never executed."""

import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

# What the Stable Diffusion 1.x `.ckpt` files hold beside tensors: left-overs of their training, read as empty stand-ins.
TRAINING_LEFTOVERS = (
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
)


class _Leftover:
    """Stand in for an object of a training framework: takes anything, keeps nothing, runs nothing."""

    def __new__(cls, *arguments: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a flat dictionary of tensors from `.safetensors` or from a torch file (`.ckpt`, `.pth`).

    Large files are mapped into memory and read where they are used.

    Raises:
        ValueError: the file is missing, damaged, or holds more than tensors.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not a file; give the path of a checkpoint")
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _read_pickle(path)
    except UnpicklingError as error:
        raise ValueError(
            f"{path} holds more than plain tensors ({_refused(str(error))}), so it was refused and nothing in it was "
            "run; get it as .safetensors, or from its authors"
        ) from None
    except (RuntimeError, EOFError, SafetensorError, ValueError, LookupError) as error:
        raise ValueError(f"{path} cannot be read as tensors ({type(error).__name__}); fetch it again") from None
    return _only_tensors(content, path)


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take the tensors whose names begin with a prefix, and remove it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _read_pickle(path: Path) -> object:
    stand_ins: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
        (_Leftover, name) for name in TRAINING_LEFTOVERS
    ]
    with torch.serialization.safe_globals(stand_ins):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def _refused(message: str) -> str:
    found = re.search(r"GLOBAL ([\w.]+)", message)
    return f"it names {found[1]}" if found else "it is no plain pickle of tensors"


def _only_tensors(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path} holds no dictionary of tensors; give a checkpoint of a model's weights")
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{path} holds a {type(value).__name__} under '{name}', not a tensor; save weights alone")
    return content
