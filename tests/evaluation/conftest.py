"""A small random target, a slow, obvious evaluator that shares nothing with the code under test."""

from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Target:
    """Arguments of score_ranking."""

    query_features: np.ndarray
    query_pids: np.ndarray
    query_camids: np.ndarray
    gallery_features: np.ndarray
    gallery_pids: np.ndarray
    gallery_camids: np.ndarray

    @property
    def arguments(self):
        return tuple(vars(self).values())

    def with_gallery_order(self, order):
        gallery = (self.gallery_features[order], self.gallery_pids[order], self.gallery_camids[order])
        return Target(self.query_features, self.query_pids, self.query_camids, *gallery)


def draw_target(seed, *, queries=20, gallery=60, width=8, identities=6, cameras=3, levels=None):
    """Draw a target; with `levels`, features are small whole numbers and full of exact ties."""
    generator = np.random.default_rng(seed)

    def side(rows):
        pids = generator.integers(identities, size=rows)
        if levels is None:
            features = generator.standard_normal((rows, width)) + 0.5 * pids[:, None]
        else:
            features = 1 + generator.integers(levels, size=(rows, width))
        return features.astype(np.float32), pids, generator.integers(cameras, size=rows)

    return Target(*side(queries), *side(gallery))


def slow_distances(query, gallery, metric):
    query, gallery = query.astype(np.float64), gallery.astype(np.float64)
    if metric == "euclidean":
        return ((query[:, None] - gallery[None]) ** 2).sum(axis=2)
    query = query / np.sqrt((query * query).sum(axis=1, keepdims=True))
    gallery = gallery / np.sqrt((gallery * gallery).sum(axis=1, keepdims=True))
    return 1 - (query[:, None] * gallery[None]).sum(axis=2)


def slow_ranks(distances, target, row):
    """Return the ranks of a query's matches, by sorting a list of its kept gallery images."""
    kept = [
        (distances[row, g], g, target.gallery_pids[g] == target.query_pids[row])
        for g in range(len(target.gallery_pids))
        if target.gallery_pids[g] != target.query_pids[row] or target.gallery_camids[g] != target.query_camids[row]
    ]
    return [rank for rank, (_, _, matched) in enumerate(sorted(kept), 1) if matched]


def slow_score(distances, target, max_rank):
    """Return AP, INP and CMC of valid queries, and which these are."""
    ranks = {row: slow_ranks(distances, target, row) for row in range(len(target.query_pids))}
    ranks = {row: found for row, found in ranks.items() if found}
    ap = [np.mean([hit / rank for hit, rank in enumerate(found, 1)]) for found in ranks.values()]
    inp = [len(found) / found[-1] for found in ranks.values()]
    cmc = [np.mean([found[0] <= k for found in ranks.values()]) for k in range(1, max_rank + 1)]
    return list(ranks), np.array(ap), np.array(inp), np.array(cmc)


@pytest.fixture(scope="session")  # they hold nothing, and hypothesis asks for it
def make_target():
    return draw_target


@pytest.fixture(scope="session")  # they hold nothing, and hypothesis asks for it
def slow():
    return slow_score


@pytest.fixture(scope="session")  # they hold nothing, and hypothesis asks for it
def slow_distance():
    return slow_distances
