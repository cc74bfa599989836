"""Re-ranking by k-reciprocal neighbours, sparse and exact: no matrix of all distances is ever held.

Source: Zhong, Zheng, Cao and Li, Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcac.evaluation.extra_distances import ExtraDistances, MixedGeometry
from dcac.evaluation.metrics import RankedRow, RankingScore, score_rows
from dcac.evaluation.ranking.blocks import Progress, slices
from dcac.evaluation.ranking.checks import checked_features
from dcac.evaluation.ranking.distances import FLOAT64_ROUNDING, Geometry, Metric, measure
from dcac.evaluation.ranking.identities import Column, checked_identities
from dcac.evaluation.ranking.neighbours import Neighbours, find_neighbours
from dcac.evaluation.reranking.reciprocal import encode, expand_queries
from dcac.evaluation.reranking.sparse import SparseRows, overlap

BLOCK_VALUES = 2**22  # re-ranked distances held at once (32 MB of float64)


@dataclass(frozen=True)
class KReciprocal:
    """What the re-ranking depends on."""

    k1: int  # neighbours that may be reciprocal
    k2: int  # neighbours averaged in query expansion, 1 for none
    lambda_value: float  # share of the original distance, 0..1

    def __post_init__(self) -> None:
        if self.k1 < 1 or self.k2 < 1 or not 0 <= self.lambda_value <= 1:
            raise ValueError(f"{self}: give k1 and k2 of at least 1 and lambda_value in 0..1")


PUBLISHED = KReciprocal(k1=20, k2=6, lambda_value=0.3)  # section 4.2
RELEASED = KReciprocal(k1=50, k2=15, lambda_value=0.3)  # as DCAC's released code sets them


@dataclass(frozen=True)
class Reranking:
    """Re-ranked distances of queries to a gallery, a block of queries at a time."""

    geometry: Geometry  # queries and gallery, one set against itself
    num_query: int
    neighbours: Neighbours
    weights: SparseRows  # [N, N] the paper's V after query expansion
    share: float  # lambda

    @property
    def num_gallery(self) -> int:
        return len(self.geometry.gallery) - self.num_query

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Yield the distances [B, G] of consecutive queries."""
        for rows, original, jaccard in self._parts():
            farthest = self.neighbours.farthest[rows][:, None]
            yield (1 - self.share) * jaccard + self.share * original / farthest

    def ranked_rows(self) -> Iterator[RankedRow]:
        """Yield each query's distances, how far rounding may carry them, and a way to settle near-ties."""
        for rows, original, jaccard in self._parts():
            for row, (plain, overlapped) in enumerate(zip(original, jaccard, strict=True), rows.start):
                values = (1 - self.share) * overlapped + self.share * plain / self.neighbours.farthest[row]
                yield RankedRow(values, self._error(row), self._exact(row, overlapped))

    def _parts(self) -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.float64]]]:
        gallery = self.geometry.shifted(self.geometry.gallery, slice(self.num_query, None))
        half_squares = (gallery * gallery).sum(axis=1) / 2
        columns = self.weights.transposed(slice(self.num_query, None))
        step = max(1, BLOCK_VALUES // self.num_gallery)
        unit = 2.0 if self.geometry.metric == "euclidean" else 1.0
        for rows in slices(self.num_query, step, None):
            query = self.geometry.shifted(self.geometry.query, rows)
            original = half_squares - query @ gallery.T + (query * query).sum(axis=1)[:, None] / 2
            original *= unit / self.geometry.scale**2
            for place, row in enumerate(range(rows.start, rows.stop)):
                given = self.geometry.given(row)
                if given.size:
                    original[place, given - self.num_query] = self.geometry.exact(row, given)
            shared = np.stack(
                [
                    overlap(self.weights.row(row), columns, length=self.num_gallery)
                    for row in range(rows.start, rows.stop)
                ]
            )
            yield rows, original, 1 - shared / (2 - shared)

    def _error(self, row: int) -> float:
        """Bound the float64 rounding of a query's distances, both here and in their definition."""
        terms = self.geometry.centre.size + 16
        reach = self.geometry.scale**-2 + (self.geometry.metric == "cosine")
        return 16 * terms * FLOAT64_ROUNDING * (1 + reach / self.neighbours.farthest[row])

    def _exact(self, row: int, jaccard: NDArray[np.float64]) -> Callable[[NDArray[np.intp]], NDArray[np.float64]]:
        def exact(columns: NDArray[np.intp]) -> NDArray[np.float64]:
            original = self.geometry.exact(row, columns + self.num_query) / self.neighbours.farthest[row]
            return (1 - self.share) * jaccard[columns] + self.share * original

        return exact


def k_reciprocal(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    *,
    k1: int = PUBLISHED.k1,
    k2: int = PUBLISHED.k2,
    lambda_value: float = PUBLISHED.lambda_value,
    released: bool = False,
    metric: Metric = "euclidean",
    blocks: bool = False,
    progress: Progress | None = None,
) -> NDArray[np.float32] | Iterator[NDArray[np.float32]]:
    """Mix the distance with the Jaccard distance of k-reciprocal neighbourhoods.

    Args:
        query_features: [Q, D].
        gallery_features: [G, D], junk removed.
        k1: neighbours that may be reciprocal.
        k2: neighbours averaged in query expansion.
        lambda_value: share of the original distance, 0..1.
        released: take k1 = 50 and k2 = 15 as DCAC's released code does, instead of the three values given.
        metric: of the original distance; "euclidean" is squared.
        blocks: yield [B, G] of consecutive queries instead of returning all.
        progress: told how many rows have their neighbours.

    Returns:
        [Q, G] distances in 0..1.
    """
    settings = RELEASED if released else KReciprocal(k1, k2, lambda_value)
    reranking = rerank(query_features, gallery_features, settings=settings, metric=metric, progress=progress)
    parts = (block.astype(np.float32) for block in reranking.blocks())
    return parts if blocks else np.concatenate(list(parts))


def score_reranked(
    query_features: ArrayLike,
    query_pids: Column,
    query_camids: Column,
    gallery_features: ArrayLike,
    gallery_pids: Column,
    gallery_camids: Column,
    *,
    settings: KReciprocal,
    metric: Metric,
    max_rank: int,
    extra: ExtraDistances | None = None,
    progress: Progress | None = None,
) -> RankingScore:
    """Score the re-ranked gallery; near-ties are settled like those of the plain ranking.

    Args:
        query_features: [Q, D].
        query_pids: [Q].
        query_camids: [Q].
        gallery_features: [G, D].
        gallery_pids: [G].
        gallery_camids: [G].
        settings: PUBLISHED, RELEASED or your own.
        metric: of the original distance.
        max_rank: length of the CMC curve.
        extra: distances of others for some pairs, mixed in before neighbours are sought.
        progress: told how many rows have their neighbours.
    """
    identities = checked_identities(
        query_pids, query_camids, gallery_pids, gallery_camids, num_query=len(query_pids), num_gallery=len(gallery_pids)
    )
    reranking = rerank(
        query_features, gallery_features, settings=settings, metric=metric, extra=extra, progress=progress
    )
    return score_rows(reranking.ranked_rows(), identities, max_rank=max_rank)


def rerank(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    *,
    settings: KReciprocal,
    metric: Metric,
    extra: ExtraDistances | None = None,
    progress: Progress | None = None,
) -> Reranking:
    """Find the neighbourhoods that re-ranked distances are computed from.

    Args:
        query_features: [Q, D].
        gallery_features: [G, D].
        settings: k1, k2 and lambda.
        metric: of the original distance.
        extra: distances of others for some pairs.
        progress: told how many rows have their neighbours.
    """
    query, gallery = (
        checked_features(features, name)[0]
        for features, name in ((query_features, "query_features"), (gallery_features, "gallery_features"))
    )
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"query features have {query.shape[1]} values, gallery features {gallery.shape[1]}: use one encoder"
        )
    everything = np.concatenate([query, gallery])
    geometry = measure(everything, everything, metric=metric)
    if extra is not None:
        geometry = MixedGeometry.of(geometry, extra.both_ways(len(query)))
    count = min(max(settings.k1 + 1, settings.k2), len(everything))
    neighbours = find_neighbours(geometry, count, progress=progress)
    if not (neighbours.farthest > 0).all():
        raise ValueError("all features are identical: there is nothing to re-rank, look at the encoder")
    weights = expand_queries(encode(geometry, neighbours, k1=settings.k1), neighbours, k2=settings.k2)
    return Reranking(geometry, len(query), neighbours, weights, settings.lambda_value)
