"""Distances of others for chosen pairs, such as a cross-encoder's for the first hundred of each query, mixed into ours."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcac.evaluation.metrics import RankedRow, RankingScore, score_rows
from dcac.evaluation.ranking.blocks import Progress, slices
from dcac.evaluation.ranking.distances import FLOAT32_ROUNDING, FLOAT64_ROUNDING, Geometry, Metric, measure
from dcac.evaluation.ranking.identities import Column, checked_identities
from dcac.reading import read_arrays

FIELDS = ("query", "gallery", "distance")
BLOCK_VALUES = 2**24  # query x gallery values held at once (64 MB of float32)


@dataclass(frozen=True)
class ExtraDistances:
    """Given distances of some query-gallery pairs, and their share in the mixture; other pairs keep theirs."""

    query: NDArray[np.int64]  # [P] rows of the queries, ascending
    gallery: NDArray[np.int64]  # [P] rows of the gallery
    distance: NDArray[np.float64]  # [P]
    weight: float  # 0..1: d' = (1 - weight) d + weight * given

    def both_ways(self, num_query: int) -> "ExtraDistances":
        """Return the same pairs, each in both orders, for queries and gallery as one set."""
        rows = np.concatenate([self.query, self.gallery + num_query])
        columns = np.concatenate([self.gallery + num_query, self.query])
        order = np.lexsort([columns, rows])
        return ExtraDistances(rows[order], columns[order], np.tile(self.distance, 2)[order], self.weight)

    def among(self, query: NDArray[np.intp], gallery: NDArray[np.intp]) -> "ExtraDistances":
        """Return the pairs of some query and gallery rows, ascending, numbered by their places among these."""
        kept = np.isin(self.query, query) & np.isin(self.gallery, gallery)
        rows, columns = np.searchsorted(query, self.query[kept]), np.searchsorted(gallery, self.gallery[kept])
        return ExtraDistances(rows, columns, self.distance[kept], self.weight)

    def of(self, query: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the gallery rows and given distances of one query."""
        place = slice(*np.searchsorted(self.query, [query, query + 1]))
        return self.gallery[place], self.distance[place]


def read_extra(path: Path, *, weight: float, num_query: int, num_gallery: int) -> ExtraDistances:
    """Read an .npz with `query` and `gallery` (rows, from 0, of a feature file's splits) and `distance`, one a pair.

    Raises:
        ValueError: a field is missing or of the wrong kind, a row is not there, a pair is given twice, a distance is not
            finite, or the weight is not within 0..1.
    """
    arrays = read_arrays(path, remedy="write query, gallery and distance with numpy.savez, without pickles")
    absent = [name for name in FIELDS if name not in arrays]
    if absent:
        raise ValueError(f"{path} lacks '{absent[0]}'; it holds {', '.join(FIELDS)}, one value a pair each")
    query, gallery, distance = (arrays[name] for name in FIELDS)
    if not 0 <= weight <= 1:
        raise ValueError(f"weight {weight} of {path} is not within 0..1; give the share of the given distances")
    if query.ndim != 1 or not query.shape == gallery.shape == distance.shape:
        raise ValueError(
            f"{path}: {', '.join(f'{name} {list(arrays[name].shape)}' for name in FIELDS)}; give one value a pair"
        )
    if query.dtype.kind not in "iu" or gallery.dtype.kind not in "iu" or distance.dtype.kind not in "fiu":
        kinds = ", ".join(f"{name} {arrays[name].dtype}" for name in FIELDS)
        raise ValueError(f"{path}: {kinds}; give integers for query and gallery, numbers for distance")
    for name, rows, size in (("query", query, num_query), ("gallery", gallery, num_gallery)):
        outside = np.flatnonzero((rows < 0) | (rows >= size))
        if outside.size:
            raise ValueError(
                f"{path}: {name} row {rows[outside[0]]} is not within 0..{size - 1}; number rows as the feature file"
            )
    odd = np.flatnonzero(~(np.isfinite(distance) & (distance >= 0)))
    if odd.size:
        raise ValueError(
            f"{path}: distance {distance[odd[0]]} of pair {odd[0]} is no number of at least 0; leave the pair out"
        )
    pair = query.astype(np.int64) * num_gallery + gallery.astype(np.int64)
    order = np.argsort(pair, kind="stable")
    repeated = np.flatnonzero(np.diff(pair[order]) == 0)
    if repeated.size:
        first = order[repeated[0]]
        raise ValueError(
            f"{path}: the pair of query {query[first]} and gallery {gallery[first]} is given twice; give it once"
        )
    return ExtraDistances(
        query.astype(np.int64)[order],
        gallery.astype(np.int64)[order],
        distance.astype(np.float64)[order],
        float(weight),
    )


@dataclass(frozen=True)
class MixedGeometry(Geometry):
    """Distances of features, mixed with given ones for some pairs of rows."""

    extra: ExtraDistances

    @classmethod
    def of(cls, geometry: Geometry, extra: ExtraDistances) -> "MixedGeometry":
        """Mix given distances into a geometry whose rows they number."""
        return cls(**vars(geometry), extra=extra)

    def exact(self, query_row: int, columns: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the float64 distances of one query to some gallery rows."""
        own = super().exact(query_row, columns)
        rows, given = self.extra.of(query_row)
        place = np.searchsorted(rows, columns)
        hit = np.flatnonzero(place < len(rows))
        hit = hit[rows[place[hit]] == columns[hit]]
        own[hit] = (1 - self.extra.weight) * own[hit] + self.extra.weight * given[place[hit]]
        return own

    def given(self, query_row: int) -> NDArray[np.intp]:
        """Return the gallery rows whose distance to one query is mixed."""
        return self.extra.of(query_row)[0]

    def values(self, rows: slice) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return stand-ins [B, G] of the mixed distances and each row's largest error [B]."""
        values, errors = super().values(rows)
        shifted = self.shifted(self.query, rows)
        halves = (shifted * shifted).sum(axis=1) / 2
        unit = self.scale**2 / (2 if self.metric == "euclidean" else 1)
        for place, row in enumerate(range(*rows.indices(len(self.query)))):
            columns = self.given(row)
            if columns.size:
                mixed = self.exact(row, columns) * unit - halves[place]
                values[place, columns] = mixed
                reach = float(np.abs(mixed).max()) + halves[place]
                errors[place] += reach * (1.01 * FLOAT32_ROUNDING + 4 * (self.centre.size + 8) * FLOAT64_ROUNDING)
        return values, errors


def score_mixed(
    query_features: ArrayLike,
    query_pids: Column,
    query_camids: Column,
    gallery_features: ArrayLike,
    gallery_pids: Column,
    gallery_camids: Column,
    *,
    extra: ExtraDistances,
    metric: Metric,
    max_rank: int,
    progress: Progress | None = None,
) -> RankingScore:
    """Score the ranking by mixed distances, exact to the last tie like the plain one.

    Args:
        query_features: [Q, D].
        query_pids: [Q].
        query_camids: [Q].
        gallery_features: [G, D].
        gallery_pids: [G].
        gallery_camids: [G].
        extra: distances given for some pairs, in the unit of the metric: 1 - cos, or the squared Euclidean distance.
        metric: of the features' own distances.
        max_rank: length of the CMC curve.
        progress: told after every block.
    """
    identities = checked_identities(
        query_pids, query_camids, gallery_pids, gallery_camids, num_query=len(query_pids), num_gallery=len(gallery_pids)
    )
    geometry = MixedGeometry.of(measure(query_features, gallery_features, metric=metric), extra)
    return score_rows(_rows(geometry, progress), identities, max_rank=max_rank)


def _rows(geometry: MixedGeometry, progress: Progress | None) -> Iterator[RankedRow]:
    step = max(1, BLOCK_VALUES // len(geometry.gallery))
    for block in slices(len(geometry.query), step, progress):
        values, errors = geometry.values(block)
        for row, (own, error) in enumerate(zip(values, errors, strict=True), block.start):
            yield RankedRow(own, float(error), partial(geometry.exact, row))
