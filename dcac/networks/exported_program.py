"""A program of torch.export (.pt2) as a network."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import SupportsFloat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcac.closed import parse
from dcac.foreign.network_card import NetworkCard, PartCard
from dcac.networks.content import content_of_file
from dcac.networks.network import BATCH, BatchSize, Network
from dcac.networks.onnx_file import require_size

OWN = "dcac.json"  # file in the archive in which an exported run carries its card
PLAIN_CONSTANT = "tensor_"  # begins the name of a constant that is no object


class ProgramEncoder:
    """An exported program with one input of images [B, 3, H, W]."""

    def __init__(self, program: torch.export.ExportedProgram, device: str, path: Path):
        shape, self.dtype, limits = _images(program, path)
        self.batch = BatchSize(shape[0], shape[0]) if isinstance(shape[0], int) else limits
        height, width = (side if isinstance(side, int) else None for side in shape[2:])
        self.size = height, width
        self.model, self.device = program.module().to(device), device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Mapping[str, NDArray]:
        return named(self.model(images.to(self.device, self.dtype)))


def named(outputs: object) -> dict[str, NDArray]:
    """Name a program's outputs: a mapping by its keys, a sequence by places, a single tensor `features`."""
    pairs: list[tuple[object, object]]
    if isinstance(outputs, Tensor):
        pairs = [("features", outputs)]
    elif isinstance(outputs, Mapping):
        pairs = list(outputs.items())
    else:
        pairs = list(enumerate(outputs)) if isinstance(outputs, (tuple, list)) else []
    return {str(name): value.float().cpu().numpy() for name, value in pairs if isinstance(value, Tensor)}


def load_program(path: Path, card: PartCard, *, device: str) -> Network:
    """Open an exported program under its card; one that `dcac export` wrote carries its own.

    Raises:
        ValueError: the file is damaged or holds pickles, takes no images, or its size is not the card's.
    """
    refuse_pickles(path)
    extra = {OWN: ""}
    try:
        program = torch.export.load(path, extra_files=extra)
    except Exception as error:  # torch.export raises errors of many kinds on files of other versions
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ValueError(
            f"{path} cannot be read by torch.export of PyTorch {torch.__version__} ({reason}); export it again with this version"
        ) from None
    encoder = ProgramEncoder(program, device, path)
    own = parse(NetworkCard, json.loads(extra[OWN]), f"{path}: {OWN}") if extra[OWN] else None
    chosen = card.over(own, str(path))
    require_size(encoder.size, chosen.view, path)
    return Network(path.as_posix(), chosen, card, encoder, content_of_file(path))


def refuse_pickles(path: Path) -> None:
    """Refuse a program that holds pickles other than of plain tensors: PyTorch would execute them.

    Raises:
        ValueError: it holds one, or is no archive of torch.export.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            held = _held(archive)
    except (zipfile.BadZipFile, OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no program of torch.export ({error}); save one with torch.export.save") from None
    if held:
        raise ValueError(f"{path} {held}, so it was refused and nothing in it was run; export it again, or as ONNX")


def _held(archive: zipfile.ZipFile) -> str:
    """Say which pickle an archive holds; "" where all is plain."""
    names = archive.namelist()
    if not any(name.endswith("/archive_format") for name in names):
        return "is in the older format, which is pickles"
    for name in names:
        if name.endswith("_config.json"):
            for entry in json.loads(archive.read(name)).get("config", {}).values():
                constant = "/constants/" in name and not entry["path_name"].startswith(PLAIN_CONSTANT)
                if entry["use_pickle"] or constant:
                    return f"holds a pickled object ({entry['path_name']})"
        elif "/sample_inputs/" in name:
            try:
                torch.load(io.BytesIO(archive.read(name)), weights_only=True)
            except (UnpicklingError, RuntimeError, EOFError):
                return "holds more than plain tensors among its sample inputs"
    return ""


def _images(program: torch.export.ExportedProgram, path: Path) -> tuple[list, torch.dtype, BatchSize]:
    users = program.graph_signature.user_inputs
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in users]
    value = values[0] if len(values) == 1 else None
    if not isinstance(value, Tensor) or value.ndim != 4 or value.shape[1] != 3 or not value.dtype.is_floating_point:
        shapes = [f"{v.dtype} {list(v.shape)}" if isinstance(v, Tensor) else type(v).__name__ for v in values]
        raise ValueError(
            f"{path} takes {', '.join(shapes) or 'nothing'}, not floats [B, 3, H, W] alone; export it for images"
        )
    shape = [side if isinstance(side, int) else str(side) for side in value.shape]
    return shape, value.dtype, _limits(program, str(value.shape[0]))


def _limits(program: torch.export.ExportedProgram, symbol: str) -> BatchSize:
    """Read how many images a program may take at once."""
    for name, bounds in program.range_constraints.items():
        if str(name) == symbol:
            return BatchSize(max(1, int(bounds.lower)), int(min(BATCH, _finite(bounds.upper))))
    return BatchSize(1, BATCH)


def _finite(bound: SupportsFloat) -> float:
    return float(np.inf) if "int_oo" in str(bound) else float(bound)
