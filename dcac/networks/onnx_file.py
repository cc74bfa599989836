"""An ONNX file as a network, computed by onnxruntime."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcac.closed import parse
from dcac.foreign.network_card import NetworkCard, PartCard, View
from dcac.networks.content import content_of_file
from dcac.networks.network import BATCH, BatchSize, Network

OWN = "dcac"  # key of the file's metadata under which an exported run carries its card
TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


class OnnxEncoder:
    """A session of onnxruntime with one input of images, channels first or last."""

    def __init__(self, session: Any, path: Path):
        self.session = session
        self.input = _only_input(session, path)
        self.last = _channels_last(self.input.shape)
        self.dtype = TYPES[self.input.type]
        size = self.input.shape[0]
        self.batch = BatchSize(size, size) if isinstance(size, int) else BatchSize(1, BATCH)

    @property
    def size(self) -> tuple[int | None, int | None]:
        """Height and width that the file is fixed to; None where it takes any."""
        place = 1 if self.last else 2
        height, width = (side if isinstance(side, int) else None for side in self.input.shape[place : place + 2])
        return height, width

    def __call__(self, images: Tensor) -> Mapping[str, NDArray]:
        pixels = images.numpy()
        pixels = pixels.transpose(0, 2, 3, 1) if self.last else pixels
        pixels = pixels.round().clip(0, 255) if self.dtype == np.uint8 else pixels
        values = self.session.run(None, {self.input.name: np.ascontiguousarray(pixels, dtype=self.dtype)})
        return dict(zip((output.name for output in self.session.get_outputs()), values, strict=True))


def load_onnx(path: Path, card: PartCard, *, device: str) -> Network:
    """Open an ONNX file under its card; one that `dcac export` wrote carries its own.

    Raises:
        ValueError: onnxruntime is absent or cannot read the file, the file takes no images, or its size is not the card's.
    """
    session = _session(path, device)
    encoder = OnnxEncoder(session, path)
    own = session.get_modelmeta().custom_metadata_map.get(OWN)
    chosen = card.over(None if own is None else parse(NetworkCard, json.loads(own), f"{path}: {OWN}"), str(path))
    require_size(encoder.size, chosen.view, path)
    return Network(path.as_posix(), chosen, card, encoder, content_of_file(path))


def require_size(size: tuple[int | None, int | None], view: View, path: Path) -> None:
    """Refuse a card whose images are not of the size that a file is fixed to.

    Raises:
        ValueError: with both sizes.
    """
    asked = view.height, view.width
    if any(own not in (None, side) for own, side in zip(size, asked, strict=True)):
        own = " x ".join("any" if side is None else str(side) for side in size)
        raise ValueError(
            f"{path} takes images of {own} pixels, its card says {asked[0]} x {asked[1]}; correct its `view:`"
        )


def _session(path: Path, device: str) -> Any:
    runtime = _onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    wanted: list[Any] = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        number = int(device.partition(":")[2] or 0)
        wanted.insert(0, ("CUDAExecutionProvider", {"device_id": number}))
        if "CUDAExecutionProvider" not in runtime.get_available_providers():
            raise ValueError(f"--device {device}, but this onnxruntime has no CUDA; pip install onnxruntime-gpu")
    try:
        return runtime.InferenceSession(str(path), options, providers=wanted)
    except Exception as error:  # onnxruntime's errors have no common kind of their own
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} cannot be opened by onnxruntime ({reason}); export it again") from None


def _only_input(session: Any, path: Path) -> Any:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(given.name for given in inputs)
        raise ValueError(f"{path} takes {len(inputs)} inputs ({names}), not images alone; export it with one")
    given = inputs[0]
    if given.type not in TYPES or len(given.shape) != 4:
        raise ValueError(
            f"input '{given.name}' of {path} is {given.type} {given.shape}, no images [B, 3, H, W]; export it with such an input"
        )
    if all(isinstance(given.shape[place], int) and given.shape[place] != 3 for place in (1, 3)):
        raise ValueError(
            f"input '{given.name}' of {path} is {given.shape}: it has no three channels; export it for RGB images"
        )
    return given


def _channels_last(shape: Sequence[int | str | None]) -> bool:
    """Tell [B, H, W, 3] from [B, 3, H, W]; where a shape leaves it open, channels come first, as PyTorch has them."""
    return shape[3] == 3 and shape[1] != 3


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise ValueError("ONNX files need onnxruntime: pip install 'dcac[onnx]'") from None
    return onnxruntime
