"""Random generators named by what they draw, so that no draw depends on the order of calls."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: str | int) -> int:
    """Turn a seed and a name into an independent 63-bit seed."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Make a NumPy generator for one purpose."""
    return np.random.Generator(np.random.PCG64(derive(seed, *names)))


def torch_generator(seed: int, *names: str | int) -> "torch.Generator":
    """Make a CPU torch generator for one purpose: the draws are the same on every device."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *names))
