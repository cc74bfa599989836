"""Reciprocal neighbourhoods, worked by hand on a line."""

import numpy as np
import pytest

from dcac.evaluation.ranking.distances import measure
from dcac.evaluation.ranking.neighbours import find_neighbours
from dcac.evaluation.reranking.reciprocal import (
    encode,
    exp_of_minus,
    expand_queries,
    join_half_neighbours,
    reciprocal_rows,
)

LINE = np.array([[0.0], [1.0], [3.0], [7.0]])  # each row's nearest lies to its left, but for the first


def neighbours(count):
    geometry = measure(LINE, LINE, metric="euclidean")
    return geometry, find_neighbours(geometry, count)


def test_reciprocal_needs_both_directions():
    _, found = neighbours(2)
    assert found.nearest.tolist() == [[0, 1], [1, 0], [2, 1], [3, 2]]
    assert reciprocal_rows(found.nearest, 1).tolist() == [[0, 1], [1, 0], [2, 4], [3, 4]]


def test_weights_fall_with_the_distance_and_sum_to_one():
    geometry, found = neighbours(2)
    columns, weights = encode(geometry, found, k1=1).row(0)
    assert columns.tolist() == [0, 1]
    assert weights == pytest.approx(np.exp([0, -1 / 49]) / np.exp([0, -1 / 49]).sum())
    columns, weights = encode(geometry, found, k1=1).row(3)
    assert (columns.tolist(), weights.tolist()) == ([3], [1.0])


def test_expansion_averages_the_nearest_rows():
    geometry, found = neighbours(2)
    plain = encode(geometry, found, k1=1)
    columns, weights = expand_queries(plain, found, k2=2).row(3)
    assert (columns.tolist(), weights.tolist()) == ([2, 3], [0.5, 0.5])
    assert expand_queries(plain, found, k2=1) is plain


@pytest.mark.parametrize(
    ("half", "joined"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3]),  # 3 of 4 within {0, 1, 2}: joins
        ([0, 1, 5, 6], [0, 1, 2]),  # 2 of 4: stays out
        ([0, 1, 5, 9], [0, 1, 2]),  # 2 of 3, padded: exactly two thirds are not enough
    ],
)
def test_half_neighbourhood_joins_above_two_thirds(half, joined):
    table = np.full((9, 4), 9, dtype=np.int32)
    table[1] = half
    inside = np.zeros(10, dtype=bool)
    assert join_half_neighbours(np.array([0, 1, 2], dtype=np.int32), table, inside).tolist() == joined
    assert not inside.any()


def test_exponential_is_right_to_the_last_digits():
    values = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(exp_of_minus(values), np.exp(-values), rtol=6e-16)
