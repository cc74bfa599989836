"""Exact nearest neighbours within one set: candidates by float32 blocks, their order by float64 distances."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcac.evaluation.ranking.blocks import Progress, slices
from dcac.evaluation.ranking.counting import uncertain_band
from dcac.evaluation.ranking.distances import Geometry

BLOCK_VALUES = 2**23  # distances held at once (32 MB of float32)


@dataclass(frozen=True)
class Neighbours:
    """The nearest rows of every row, itself usually first, and how far its farthest row is."""

    nearest: NDArray[np.int32]  # [N, K], equally near ones in row order
    farthest: NDArray[np.float64]  # [N]


def find_neighbours(geometry: Geometry, count: int, *, progress: Progress | None = None) -> Neighbours:
    """Find the nearest gallery rows of every query row, and its largest distance.

    Args:
        geometry: of a set against itself, or of queries against a gallery.
        count: K, at most the gallery's size.
        progress: told after every block.
    """
    num_query, num_gallery = len(geometry.query), len(geometry.gallery)
    nearest = np.empty((num_query, count), dtype=np.int32)
    farthest = np.empty(num_query)
    rows = max(1, BLOCK_VALUES // num_gallery)
    for block in slices(num_query, rows, progress):
        values, errors = geometry.values(block)
        for row, (row_values, error) in enumerate(zip(values, errors, strict=True), block.start):
            nearest[row] = _nearest(geometry, row, row_values, error=float(error), count=count)
            farthest[row] = _farthest(geometry, row, row_values, error=float(error))
    return Neighbours(nearest, farthest)


def exact_order(distances: NDArray[np.float64], candidates: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return the `count` nearest of some ascending candidate rows, equally near ones in row order."""
    return candidates[np.argsort(distances, kind="stable")[:count]]


def certain_candidates(ordered: NDArray[np.float32], *, count: int, error: float) -> int:
    """Return how many of ascending values may be among the `count` smallest of what they stand in for."""
    return int(np.searchsorted(ordered, uncertain_band(ordered[count - 1 : count], error)[1][0], side="right"))


def _nearest(
    geometry: Geometry, row: int, values: NDArray[np.float32], *, error: float, count: int
) -> NDArray[np.intp]:
    last = np.partition(values, count - 1)[count - 1 : count]
    candidates = np.flatnonzero(values <= uncertain_band(last, error)[1])
    return exact_order(geometry.exact(row, candidates), candidates, count)


def _farthest(geometry: Geometry, row: int, values: NDArray[np.float32], *, error: float) -> float:
    candidates = np.flatnonzero(values >= uncertain_band(values.max(keepdims=True), error)[0])
    return float(geometry.exact(row, candidates).max())
