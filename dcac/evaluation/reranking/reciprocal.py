"""Neighbourhoods of k-reciprocal neighbours, as sparse weights (Zhong et al. 2017, sections 3.2 to 3.4)."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dcac.evaluation.ranking.distances import Geometry
from dcac.evaluation.ranking.neighbours import Neighbours
from dcac.evaluation.reranking.sparse import SparseRows, add_rows

TAYLOR_ORDER = 19  # the next term is below 1e-18


def encode(geometry: Geometry, neighbours: Neighbours, *, k1: int) -> SparseRows:
    """Weight the k-reciprocal neighbours of every row by exp(-distance / farthest), sum 1.

    Args:
        geometry: of the set against itself.
        neighbours: of every row, at least k1 + 1 where the set has as many.
        k1: neighbours that may be reciprocal; half as many for those that join.
    """
    near = neighbours.nearest
    half = reciprocal_rows(near, round(k1 / 2))
    inside = np.zeros(len(near) + 1, dtype=bool)  # the last place stands for "no neighbour"
    rows = []
    for row, own in enumerate(rows_without_padding(reciprocal_rows(near, k1))):
        members = join_half_neighbours(own, half, inside)
        rows.append((members, geometry.exact(row, members) / neighbours.farthest[row]))
    distances = SparseRows.of(rows)
    weights = exp_of_minus(distances.values)
    sums = np.add.reduceat(weights, distances.start[:-1])
    return replace(distances, values=weights / np.repeat(sums, np.diff(distances.start)))


def exp_of_minus(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate exp(-x) for x in 0..1 by sums and products alone.

    NumPy's own exp differs in the last digit from CPU to CPU, which would decide ties.
    """
    result = np.ones_like(distances)
    for order in range(TAYLOR_ORDER, 0, -1):
        result = 1 - distances / order * result
    return result


def expand_queries(weights: SparseRows, neighbours: Neighbours, *, k2: int) -> SparseRows:
    """Replace every row by the mean of its k2 nearest rows (the paper's local query expansion)."""
    if k2 == 1:
        return weights
    return SparseRows.of([add_rows(weights, near, scale=1 / len(near)) for near in neighbours.nearest[:, :k2]])


def reciprocal_rows(near: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """Return of each row's k + 1 nearest those that have it among theirs, [N, k + 1], padded with N."""
    near = near[:, : k + 1]
    mutual = np.stack([(near[own] == row).any(axis=1) for row, own in enumerate(near)])
    return np.where(mutual, near, np.int32(len(near)))


def rows_without_padding(padded: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """Yield each row's real entries."""
    for row in padded:
        yield row[row < len(padded)]


def join_half_neighbours(
    own: NDArray[np.int32], half: NDArray[np.int32], inside: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Add the half-size neighbourhoods that lie to more than two thirds within a neighbourhood (equation 5).

    Args:
        own: k-reciprocal neighbours of one row.
        half: [N, k1 / 2 + 1] those of all rows for half the k, padded with N.
        inside: [N + 1] all False, used and given back so.
    """
    inside[own] = True
    theirs = half[own]
    sizes = (theirs < len(half)).sum(axis=1)
    shared = inside[theirs].sum(axis=1)
    inside[own] = False
    joining = theirs[3 * shared > 2 * sizes].ravel()
    return np.union1d(own, joining[joining < len(half)])
