"""A protocol that averages over draws: CUHK03's single gallery shot."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcac.evaluation.ranking.checks import checked_max_rank
from dcac.evaluation.ranking.distances import Metric, measure
from dcac.evaluation.ranking.labels import Labels, checked_labels
from dcac.seeding import numpy_generator


@dataclass(frozen=True)
class SingleShotScore:
    """Mean over repetitions and valid queries; with one match left, AP and INP are both 1 / rank."""

    mAP: float
    cmc: NDArray[np.float64]  # [max_rank]
    ranks: NDArray[np.int64]  # [repetitions, valid queries] rank of the match
    num_valid_queries: int


def score_single_shot(
    query_features: ArrayLike,
    query_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_features: ArrayLike,
    gallery_pids: ArrayLike,
    gallery_camids: ArrayLike,
    *,
    repetitions: int,
    seed: int,
    metric: Metric = "cosine",
    max_rank: int = 50,
) -> SingleShotScore:
    """Score with one random gallery image an identity, drawn anew for every query and repetition.

    Args:
        query_features: [Q, D].
        query_pids: [Q].
        query_camids: [Q].
        gallery_features: [G, D].
        gallery_pids: [G].
        gallery_camids: [G].
        repetitions: draws a query; 10 in the CUHK03 protocol.
        seed: of the draws; a query's draws depend on it and on the query's row alone.
        metric: "cosine" or "euclidean".
        max_rank: length of the CMC curve.
    Source: Li et al. 2014 (CUHK03), section 5.
    """
    max_rank = checked_max_rank(max_rank)
    if repetitions < 1:
        raise ValueError(f"repetitions is {repetitions}: give at least 1")
    geometry = measure(query_features, gallery_features, metric=metric)
    sizes = {"num_query": len(geometry.query), "num_gallery": len(geometry.gallery)}
    labels = checked_labels(query_pids, query_camids, gallery_pids, gallery_camids, **sizes)
    ranks = []
    for query in range(len(geometry.query)):
        kept = _kept(labels, query)
        if (labels.gallery_pids[kept] == labels.query_pids[query]).any():
            generator = numpy_generator(seed, "single shot", query)
            distances = geometry.exact(query, kept)
            pids = labels.gallery_pids[kept]
            draws = [_draw_one_each(pids, generator) for _ in range(repetitions)]
            ranks.append([_rank(distances[drawn], pids[drawn] == labels.query_pids[query]) for drawn in draws])
    if not ranks:
        raise ValueError("no query has a valid match: each needs a gallery image of its pid by another camera")
    table = np.array(ranks, dtype=np.int64).T
    within = np.bincount(table[table <= max_rank], minlength=max_rank + 1)[1:]
    return SingleShotScore(float((1 / table).mean()), np.cumsum(within) / table.size, table, table.shape[1])


def _kept(labels: Labels, query: int) -> NDArray[np.intp]:
    own = labels.gallery_pids == labels.query_pids[query]
    return np.flatnonzero(~(own & (labels.gallery_camids == labels.query_camids[query])))


def _draw_one_each(pids: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.intp]:
    """Return one random place of every identity, in gallery order."""
    shuffled = generator.permutation(len(pids))
    return np.sort(shuffled[np.unique(pids[shuffled], return_index=True)[1]])


def _rank(distances: NDArray[np.float64], match: NDArray[np.bool_]) -> int:
    place = int(np.flatnonzero(match)[0])
    nearer = np.count_nonzero(distances < distances[place])
    return 1 + nearer + np.count_nonzero(distances[:place] == distances[place])
