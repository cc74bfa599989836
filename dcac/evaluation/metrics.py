"""Camera-aware CMC, mAP and mINP, exact to the last tie, in blocks of queries."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcac.evaluation.ranking.blocks import Progress, count_with_numpy, count_with_torch
from dcac.evaluation.ranking.checks import checked_max_rank
from dcac.evaluation.ranking.counting import ExactDistances, Standing, count_roughly, settle
from dcac.evaluation.ranking.distances import Geometry, Metric, measure
from dcac.evaluation.ranking.identities import Column, Identities, MatchIndex, checked_identities
from dcac.evaluation.ranking.ranks import Averages, Matches, average, rank_matches

BLOCK_VALUES = 2**24  # query x gallery values held at once (64 MB of float32)
Found = tuple[int, NDArray[np.intp], Standing]  # query row, gallery rows of its matches, where these stand


@dataclass(frozen=True)
class RankingScore(Averages):
    """Scores of one ranking with ties broken by gallery order, their bounds, and the ranks behind them."""

    num_valid_queries: int
    optimistic: Averages  # every exact tie decided for the matches
    pessimistic: Averages  # and against them
    matches: Matches

    @property
    def mAP_optimistic(self) -> float:
        return self.optimistic.mAP

    @property
    def mAP_pessimistic(self) -> float:
        return self.pessimistic.mAP


@dataclass(frozen=True)
class RankedRow:
    """One query's distances to the gallery, not yet settled."""

    values: NDArray[np.floating]  # [G], smaller is nearer
    error: float  # largest difference from what `exact` returns, 0 if they are the same
    exact: ExactDistances


def score_ranking(
    query_features: ArrayLike,
    query_pids: Column,
    query_camids: Column,
    gallery_features: ArrayLike,
    gallery_pids: Column,
    gallery_camids: Column,
    *,
    metric: Metric = "cosine",
    max_rank: int = 50,
    block_size: int | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> RankingScore:
    """Rank the gallery for every query and score the ranking.

    Gallery images of the query's own identity and camera are removed; exact ties keep the gallery's order. The order is
    that of the distances in float64, whatever block size, thread count, BLAS or device computes the blocks.

    Args:
        query_features: [Q, D].
        query_pids: [Q] identities, at least 0.
        query_camids: [Q].
        gallery_features: [G, D].
        gallery_pids: [G] identities, at least 0; those that no query has are distractors.
        gallery_camids: [G].
        metric: "cosine" or "euclidean".
        max_rank: length of the CMC curve, whatever the gallery's size.
        block_size: queries at once; by default about 64 MB of values.
        device: None computes with NumPy, "cpu" or "cuda" with torch.
        progress: told after every block.
    Raises:
        ValueError: a row or field is unusable, or no query has a valid match.
    """
    max_rank = checked_max_rank(max_rank)
    geometry = measure(query_features, gallery_features, metric=metric)
    sizes = {"num_query": len(geometry.query), "num_gallery": len(geometry.gallery)}
    identities = checked_identities(query_pids, query_camids, gallery_pids, gallery_camids, **sizes)
    index = MatchIndex(identities)
    rows = max(1, BLOCK_VALUES // len(geometry.gallery)) if block_size is None else block_size
    if rows < 1:
        raise ValueError(f"block_size is {block_size}: give at least one query")
    return _score(_settled(geometry, index, rows, device, progress), len(geometry.query), max_rank)


def score_distances(
    blocks: Iterable[NDArray[np.floating]],
    query_pids: Column,
    query_camids: Column,
    gallery_pids: Column,
    gallery_camids: Column,
    *,
    max_rank: int = 50,
) -> RankingScore:
    """Score a ranking given as distances, for instance re-ranked ones.

    Args:
        blocks: [B, G] distances of consecutive queries, together [Q, G]; a whole matrix is `[matrix]`.
        query_pids: [Q].
        query_camids: [Q].
        gallery_pids: [G].
        gallery_camids: [G].
        max_rank: length of the CMC curve.
    Raises:
        ValueError: a field is unusable, a distance is NaN, or no query has a valid match.
    """
    identities = checked_identities(
        query_pids, query_camids, gallery_pids, gallery_camids, num_query=len(query_pids), num_gallery=len(gallery_pids)
    )
    rows = (RankedRow(values, 0.0, values.__getitem__) for block in blocks for values in np.asarray(block))
    return score_rows(rows, identities, max_rank=max_rank)


def score_rows(rows: Iterable[RankedRow], identities: Identities, *, max_rank: int) -> RankingScore:
    """Score a ranking given query by query.

    Args:
        rows: one for every query, in order.
        identities: of queries and gallery.
        max_rank: length of the CMC curve.
    """
    return _score(_settle_rows(rows, MatchIndex(identities)), len(identities.query_pids), checked_max_rank(max_rank))


def _settled(
    geometry: Geometry, index: MatchIndex, rows: int, device: str | None, progress: Progress | None
) -> Iterator[Found]:
    if device is None:
        counts = count_with_numpy(geometry, index, rows=rows, progress=progress)
    else:
        counts = count_with_torch(geometry, index, rows=rows, device=device, progress=progress)
    for query, matches, rough in counts:
        yield query, matches, settle(rough, matches, partial(geometry.exact, query))


def _settle_rows(rows: Iterable[RankedRow], index: MatchIndex) -> Iterator[Found]:
    size = len(index.identities.query_pids), len(index.identities.gallery_pids)
    query = -1
    for query, row in enumerate(rows):
        if query >= size[0] or row.values.shape != (size[1],):
            raise ValueError(f"distances of query {query} have shape {row.values.shape}: all together are {size}")
        if np.isnan(row.values).any():
            raise ValueError(f"distances of query {query} hold NaN: compute them again")
        matches, removed = index.split(query)
        if matches.size:
            values = np.array(row.values, dtype=np.result_type(row.values, np.float32))
            values[removed] = np.inf
            rough = count_roughly(values, matches, error=row.error)
            yield query, matches, settle(rough, matches, row.exact)
    if query + 1 != size[0]:
        raise ValueError(f"distances are given for {query + 1} of {size[0]} queries: give a row for each")


def _score(standings: Iterable[Found], num_query: int, max_rank: int) -> RankingScore:
    found = list(standings)
    if not found:
        raise ValueError("no query has a valid match: each needs a gallery image of its pid by another camera")
    counts = [len(matches) for _, matches, _ in found]
    matches = rank_matches(
        np.repeat([query for query, _, _ in found], counts),
        np.concatenate([gallery for _, gallery, _ in found]),
        before=np.concatenate([standing.before for _, _, standing in found]),
        nearer=np.concatenate([standing.nearer for _, _, standing in found]),
        tied=np.concatenate([standing.tied for _, _, standing in found]),
    )
    ranks = matches.rank, matches.optimistic, matches.pessimistic
    stable, optimistic, pessimistic = (average(matches, r, num_query=num_query, max_rank=max_rank) for r in ranks)
    return RankingScore(
        **vars(stable),
        num_valid_queries=len(found),
        optimistic=optimistic,
        pessimistic=pessimistic,
        matches=matches,
    )
