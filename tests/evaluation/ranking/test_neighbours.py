"""Nearest neighbours are exact whatever float32 says."""

import numpy as np
import pytest

from dcac.evaluation.ranking.distances import measure
from dcac.evaluation.ranking.neighbours import certain_candidates, find_neighbours


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("levels", [None, 2])
def test_neighbours_equal_a_full_sort(make_target, slow_distance, monkeypatch, metric, levels):
    monkeypatch.setattr("dcac.evaluation.ranking.neighbours.BLOCK_VALUES", 7 * 60)
    target = make_target(0, levels=levels)
    sides = target.query_features, target.gallery_features
    heard = []
    found = find_neighbours(measure(*sides, metric=metric), 9, progress=lambda *done: heard.append(done))
    distances = slow_distance(*sides, metric)
    assert np.array_equal(found.nearest, np.argsort(distances, axis=1, kind="stable")[:, :9])
    assert np.array_equal(found.farthest, distances.max(axis=1))
    assert heard == [(7, 20), (14, 20), (20, 20)]


def test_neighbours_differ_below_float32():
    features = np.array([[0.0, 0], [1, 1.1e-5], [1, 1e-5], [-5, 3]])
    found = find_neighbours(measure(features[:1], features, metric="euclidean"), 3)
    assert found.nearest.tolist() == [[0, 2, 1]]


def test_candidates_reach_as_far_as_the_error():
    ordered = np.array([0.0, 1.0, 1.1, 1.3, 2.0], dtype=np.float32)
    assert certain_candidates(ordered, count=2, error=0.0) == 2
    assert certain_candidates(ordered, count=2, error=0.1) == 3
    assert certain_candidates(ordered, count=2, error=1.0) == 5


def test_farthest_of_a_sphere_is_found_below_float32(slow_distance):
    directions = np.random.default_rng(0).standard_normal((200, 64))
    sphere = directions / np.sqrt((directions**2).sum(axis=1, keepdims=True))
    sphere *= 1 + 1e-10 * np.arange(200)[:, None]
    found = find_neighbours(measure(np.zeros((1, 64)), sphere, metric="euclidean"), 1)
    assert found.farthest.tolist() == [slow_distance(np.zeros((1, 64)), sphere, "euclidean").max()]
