"""Rough counts for block after block of queries, by NumPy or by torch on any device."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcac.evaluation.ranking.counting import RoughCount, count_roughly, uncertain_band
from dcac.evaluation.ranking.distances import Geometry
from dcac.evaluation.ranking.identities import MatchIndex

if TYPE_CHECKING:
    from torch import Tensor

Progress = Callable[[int, int], None]  # called with the queries done and their number
Counted = tuple[int, NDArray[np.intp], RoughCount]  # query row, gallery rows of its matches, what is known of them


def count_with_numpy(
    geometry: Geometry, index: MatchIndex, *, rows: int, progress: Progress | None
) -> Iterator[Counted]:
    """Count roughly for every query with a match.

    Args:
        geometry: the features.
        index: the matches of each query.
        rows: queries at once.
        progress: told after every block.
    """
    values = np.empty((min(rows, len(geometry.query)), len(geometry.gallery)), dtype=np.float32)
    for block in slices(len(geometry.query), rows, progress):
        factors, errors = geometry.stand_ins(block)
        np.matmul(factors, geometry.gallery_stand_in.T, out=values[: len(factors)])
        for query, row, error in zip(range(block.start, block.stop), values, errors, strict=False):
            matches, removed = index.split(query)
            if matches.size:
                row[removed] = np.inf
                yield query, matches, count_roughly(row, matches, error=float(error))


def count_with_torch(
    geometry: Geometry, index: MatchIndex, *, rows: int, device: str, progress: Progress | None
) -> Iterator[Counted]:
    """Count roughly on a torch device; what is left open is the same few near-ties, settled in float64 elsewhere.

    Args:
        geometry: the features.
        index: the matches of each query.
        rows: queries at once.
        device: "cpu", "cuda" or another torch device.
        progress: told after every block.
    """
    import torch

    gallery = torch.from_numpy(geometry.gallery_stand_in).to(device)
    for block in slices(len(geometry.query), rows, progress):
        factors, errors = geometry.stand_ins(block)
        values = _full_precision_product(torch.from_numpy(factors).to(device), gallery)
        for query, row, error in zip(range(block.start, block.stop), values, errors, strict=True):
            matches, removed = index.split(query)
            if matches.size:
                row[torch.from_numpy(removed).to(device)] = torch.inf
                yield query, matches, _count_row(row, matches, error=float(error))


def slices(size: int, rows: int, progress: Progress | None) -> Iterator[slice]:
    """Cut 0..size into slices of some rows, and tell of each once it is worked through."""
    for start in range(0, size, rows):
        block = slice(start, min(start + rows, size))
        yield block
        if progress is not None:
            progress(block.stop, size)


def _full_precision_product(factors: "Tensor", gallery: "Tensor") -> "Tensor":
    """Multiply in true float32: the error bound does not hold for TF32."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        return factors @ gallery.T
    finally:
        torch.set_float32_matmul_precision(before)


def _count_row(values: "Tensor", matches: NDArray[np.intp], *, error: float) -> RoughCount:
    """Do what `count_roughly` does where the values lie; only candidates leave the device."""
    import torch

    own = values[torch.from_numpy(matches).to(values.device)].cpu().numpy()
    low, high = uncertain_band(own, error)
    lower, upper = (torch.from_numpy(bound).to(values.device) for bound in (low, high))
    ordered = values.sort().values
    first = torch.searchsorted(ordered, lower).cpu().numpy()
    last = torch.searchsorted(ordered, upper, right=True).cpu().numpy()
    unsure = np.flatnonzero(last - first > 1)
    inside = torch.zeros(len(values), dtype=torch.bool, device=values.device)
    for match in unsure:
        inside |= (values >= lower[match]) & (values <= upper[match])
    candidates = inside.nonzero().squeeze(1)
    return RoughCount(first, low, high, unsure, candidates.cpu().numpy(), values[candidates].cpu().numpy())
