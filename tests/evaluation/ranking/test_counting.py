"""Counting by values: certain where it can be, settled by exact distances where it cannot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcac.evaluation.ranking.counting import count_roughly, settle, uncertain_band


@given(seed=st.integers(0, 10_000), error=st.sampled_from([0.0, 0.01, 0.3, 100.0]))
@settings(deadline=None, max_examples=60)
def test_rough_values_within_the_error_give_the_exact_standing(seed, error):
    generator = np.random.default_rng(seed)
    exact = generator.integers(12, size=40) / 10
    rough = (exact + generator.uniform(-error, error, size=40)).astype(np.float64)
    matches = np.sort(generator.choice(40, 5, replace=False))
    standing = settle(count_roughly(rough, matches, error=error), matches, exact.__getitem__)
    for place, match in enumerate(matches):
        assert standing.nearer[place] == np.count_nonzero(exact < exact[match])
        assert standing.tied[place] == np.count_nonzero(exact == exact[match])
        assert standing.before[place] == standing.nearer[place] + np.count_nonzero(exact[:match] == exact[match])


def test_certain_order_needs_no_exact_distance():
    def never(rows):
        raise AssertionError(f"asked for {rows}")

    standing = settle(count_roughly(np.array([3.0, 1.0, 2.0]), np.array([2]), error=0.2), np.array([2]), never)
    assert (standing.before[0], standing.nearer[0], standing.tied[0]) == (1, 1, 1)


def test_removed_images_stand_nowhere():
    values = np.array([np.inf, 1.0, np.inf, 0.5])
    standing = settle(count_roughly(values, np.array([1]), error=0.0), np.array([1]), values.__getitem__)
    assert standing.before.tolist() == [1]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_band_is_wider_than_twice_the_error(kind):
    values = np.array([-1.0, 0.0, 1e-30, 1.0], dtype=kind)
    low, high = uncertain_band(values, 1e-9)
    assert (values.astype(np.float64) - low >= 2e-9).all()
    assert (high - values.astype(np.float64) >= 2e-9).all()
    assert low.dtype == high.dtype == kind
