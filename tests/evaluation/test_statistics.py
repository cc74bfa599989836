"""Intervals and verdicts: against formulas, a slow loop, and data whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcac.evaluation.statistics import (
    bootstrap_means,
    mean_and_sd,
    paired_differences,
    percentile_interval,
    verdict,
)
from dcac.seeding import numpy_generator


def test_resampling_equals_a_slow_loop():
    values = np.array([[1.0, 0], [2, 1], [4, 1], [8, 0], [16, 1]])
    identities = ["b", "a", "b", "c", "a"]
    fast = bootstrap_means(values, identities, resamples=50, seed=3)
    generator = numpy_generator(3, "bootstrap")
    members = {"a": [1, 4], "b": [0, 2], "c": [3]}
    for row in fast:
        queries = [query for draw in generator.integers(3, size=3) for query in members["abc"[draw]]]
        np.testing.assert_allclose(row, values[queries].mean(axis=0), rtol=1e-14)


def test_batches_draw_the_same_numbers(monkeypatch):
    values, identities = np.random.default_rng(0).random((60, 2)), np.arange(60) % 20
    whole = bootstrap_means(values, identities, resamples=101, seed=0)
    monkeypatch.setattr("dcac.evaluation.statistics.DRAWS_AT_A_TIME", 64)
    assert np.array_equal(bootstrap_means(values, identities, resamples=101, seed=0), whole)


def test_seed_fixes_the_draws():
    values, identities = np.random.default_rng(0).random((60, 1)), np.arange(60) % 20
    one, same, other = (bootstrap_means(values, identities, resamples=20, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_spread_is_that_of_identities_not_of_queries():
    generator = np.random.default_rng(0)
    levels = generator.standard_normal(200)
    values = np.repeat(levels, 5)[:, None]  # five alike queries an identity
    means = bootstrap_means(values, np.repeat(np.arange(200), 5), resamples=4000, seed=0)
    assert means.std() == pytest.approx(levels.std() / np.sqrt(200), rel=0.05)


def test_interval_is_central():
    assert percentile_interval(np.arange(101.0), level=0.9) == pytest.approx((5, 95))


def test_interval_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = 0
    for trial in range(300):
        values = generator.standard_normal((150, 1))
        means = bootstrap_means(values, np.arange(150), resamples=1000, seed=trial)[:, 0]
        low, high = percentile_interval(means, level=0.95)
        covered += low <= 0 <= high
    assert 0.91 <= covered / 300 <= 0.98


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.1, 0.2, "better"),
        (-0.2, -0.1, "worse"),
        (-0.1, 0.1, "no clear difference"),
        (0.0, 0.1, "no clear difference"),
        (-0.1, 0.0, "no clear difference"),
    ],
)
def test_verdict_is_clear_only_without_zero(low, high, word):
    assert verdict(low, high) == word


@pytest.mark.parametrize("ends", [(1, 0), (np.nan, 1)])
def test_verdict_refuses_what_is_no_interval(ends):
    with pytest.raises(ValueError, match="upside down or NaN"):
        verdict(*ends)


@given(shift=st.sampled_from([-0.2, 0.0, 0.2]))
def test_pairing_sees_a_small_shift_under_large_spread(shift):
    generator = np.random.default_rng(1)
    theirs = generator.random((400, 1)) * 10
    ours = theirs + shift + 0.1 * generator.standard_normal((400, 1))
    (found,) = paired_differences(ours, theirs, np.arange(400) % 100, resamples=500, level=0.95, seed=0)
    assert found.mean == pytest.approx(shift, abs=0.02)
    assert found.low <= found.mean <= found.high
    expected = {-0.2: "worse", 0.2: "better"}
    if shift:
        assert found.verdict == expected[shift]


def test_swapped_runs_have_the_opposite_verdict():
    generator = np.random.default_rng(1)
    one, other = generator.random((90, 2)), 0.3 + generator.random((90, 2))
    identities = np.arange(90) % 30
    options = {"resamples": 300, "level": 0.95, "seed": 5}
    for ours, theirs in zip(
        paired_differences(one, other, identities, **options),
        paired_differences(other, one, identities, **options),
        strict=True,
    ):
        assert (ours.verdict, theirs.verdict) == ("worse", "better")
        assert (ours.mean, ours.low, ours.high) == pytest.approx((-theirs.mean, -theirs.high, -theirs.low))


def test_run_against_itself_shows_no_difference():
    values = np.random.default_rng(0).random((30, 1))
    (found,) = paired_differences(values, values, np.arange(30), resamples=100, level=0.95, seed=0)
    assert (found.mean, found.low, found.high, found.verdict) == (0, 0, 0, "no clear difference")


@pytest.mark.parametrize(
    ("values", "identities", "message"),
    [
        ([[1.0], [np.nan]], [1, 2], "hold NaN"),
        ([[1.0]], [1, 2], "for 2 identities"),
        (np.zeros((0, 1)), [], "at least one"),
        ([1.0, 2.0], [1, 2], "one row a query"),
    ],
)
def test_unusable_values_are_refused(values, identities, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_means(values, identities, resamples=3, seed=0)


def test_mean_and_sample_sd():
    assert mean_and_sd([1.0, 2.0, 4.0]) == pytest.approx((7 / 3, np.sqrt(7 / 3), 3))
    assert mean_and_sd([5.0]) == (5.0, None, 1)
    for nothing in ([], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="at least one finite value"):
            mean_and_sd(nothing)
