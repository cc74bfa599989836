"""Distances twice: in float64 by definition, and as fast float32 stand-ins with a proven error bound."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcac.evaluation.ranking.checks import ROWS_AT_A_TIME, checked_features

Metric = Literal["cosine", "euclidean"]
FLOAT32_ROUNDING = 2.0**-24  # largest relative error of one float32 operation
FLOAT64_ROUNDING = 2.0**-53
LARGEST_POWER = 400  # of two, in a scale: its square stays finite
VALUES_AT_A_TIME = 2**20  # float64 values of gathered rows held at once (8 MB)


@dataclass(frozen=True)
class Rows:
    """Features [N, D] as given, with what turns them into float64 rows of the metric."""

    features: NDArray
    lengths: NDArray[np.float64] | None  # [N], divides each row under the cosine metric

    def __len__(self) -> int:
        return len(self.features)

    def take(self, index: slice | NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the chosen rows in float64, of unit length under the cosine metric."""
        rows = self.features[index].astype(np.float64)
        return rows if self.lengths is None else rows / self.lengths[index][:, None]


@dataclass(frozen=True)
class Geometry:
    """A query set and a gallery whose distances can be told apart exactly.

    A stand-in is |g|^2/2 - q.g of features shifted by the gallery's mean and scaled by a power of two: within one query
    it orders the gallery as the distance does, up to `error` of that query. The shift keeps features with a large
    common part (collapsed or uncentred ones) apart in float32.
    """

    query: Rows
    gallery: Rows
    metric: Metric
    centre: NDArray[np.float64]  # [D]
    scale: float
    gallery_stand_in: NDArray[np.float32]  # [G, D + 1]: minus the feature, then half its squared length
    longest: float  # of the scaled gallery rows

    def stand_ins(self, rows: slice) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the float32 query factors [B, D + 1] of some rows, and each row's largest stand-in error [B]."""
        shifted = self.shifted(self.query, rows)
        factors = np.ones((len(shifted), shifted.shape[1] + 1), dtype=np.float32)
        factors[:, :-1] = shifted
        return factors, self._errors(np.sqrt((shifted * shifted).sum(axis=1)))

    def values(self, rows: slice) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the stand-ins [B, G] of some rows, and each row's largest error [B]."""
        factors, errors = self.stand_ins(rows)
        return factors @ self.gallery_stand_in.T, errors

    def given(self, query_row: int) -> NDArray[np.intp]:
        """Return the gallery rows whose distance to one query is not that of their features alone: here none."""
        return np.empty(0, dtype=np.intp)

    def shifted(self, rows: Rows, index: slice) -> NDArray[np.float64]:
        """Return some rows in float64 from the centre, scaled so that the longest is at most 1."""
        return (rows.take(index) - self.centre) * self.scale

    def exact(self, query_row: int, columns: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the float64 distances of one query to some gallery rows; they do not depend on the company."""
        query = self.query.take(slice(query_row, query_row + 1))
        step = max(1, VALUES_AT_A_TIME // query.shape[1])
        parts = [
            _distances(query, self.gallery.take(columns[start : start + step]), self.metric)
            for start in range(0, len(columns), step)
        ]
        return np.concatenate(parts)

    def _errors(self, query_lengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bound |stand-in - scaled distance| per query: any summation order, with or without fused products."""
        terms = self.centre.size + 8  # D products, the half square, roundings of both factors, and slack
        single = 1.01 * terms * FLOAT32_ROUNDING * (query_lengths * self.longest + self.longest**2 / 2)
        reach = np.full_like(query_lengths, self.scale) if self.metric == "cosine" else query_lengths + self.longest
        double = 4 * terms * FLOAT64_ROUNDING * reach**2  # roundings of the definition itself
        underflow = terms * 2.0**-125
        return single + double + underflow


def measure(query_features: ArrayLike, gallery_features: ArrayLike, *, metric: Metric) -> Geometry:
    """Check two sets of features and prepare their distances.

    Args:
        query_features: [Q, D].
        gallery_features: [G, D].
        metric: "cosine" is 1 - cos, "euclidean" the squared Euclidean distance.
    """
    if metric not in ("cosine", "euclidean"):
        raise ValueError(f"metric is {metric!r}: give 'cosine' or 'euclidean'")
    query = _rows(query_features, "query_features", metric)
    gallery = _rows(gallery_features, "gallery_features", metric)
    widths = query.features.shape[1], gallery.features.shape[1]
    if widths[0] != widths[1]:
        raise ValueError(f"query features have {widths[0]} values, gallery features {widths[1]}: use one encoder")
    centre = sum(block.sum(axis=0) for _, block in _blocks(gallery)) / len(gallery)
    longest = np.sqrt(max(_shifted_squares(rows, centre) for rows in (query, gallery)))
    scale = float(2.0 ** min(LARGEST_POWER, -np.ceil(np.log2(longest)))) if longest > 0 else 1.0
    stand_in, longest_gallery = _gallery_stand_in(gallery, centre, scale)
    return Geometry(query, gallery, metric, centre, scale, stand_in, longest_gallery)


def _rows(features: ArrayLike, name: str, metric: Metric) -> Rows:
    array, squares = checked_features(features, name)
    if metric == "euclidean":
        return Rows(array, None)
    if (squares == 0).any():
        row = int(np.flatnonzero(squares == 0)[0])
        raise ValueError(f"{name} row {row} has length 0 and thus no cosine: extract it again, or score by 'euclidean'")
    return Rows(array, np.sqrt(squares))


def _blocks(rows: Rows) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    for start in range(0, len(rows), ROWS_AT_A_TIME):
        index = slice(start, min(start + ROWS_AT_A_TIME, len(rows)))
        yield index, rows.take(index)


def _shifted_squares(rows: Rows, centre: NDArray[np.float64]) -> float:
    return max(float(((block - centre) ** 2).sum(axis=1).max()) for _, block in _blocks(rows))


def _gallery_stand_in(gallery: Rows, centre: NDArray[np.float64], scale: float) -> tuple[NDArray[np.float32], float]:
    stand_in = np.empty((len(gallery), centre.size + 1), dtype=np.float32)
    longest = 0.0
    for index, block in _blocks(gallery):
        shifted = (block - centre) * scale
        squares = (shifted * shifted).sum(axis=1)
        stand_in[index, :-1] = -shifted
        stand_in[index, -1] = squares / 2
        longest = max(longest, float(np.sqrt(squares.max())))
    return stand_in, longest


def _distances(query: NDArray[np.float64], gallery: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    """Evaluate the definition; NumPy sums each row pairwise, in an order that depends on D alone."""
    if metric == "cosine":
        return 1.0 - (query * gallery).sum(axis=1)
    return ((query - gallery) ** 2).sum(axis=1)
