"""Intervals and verdicts: against formulas, a slow loop, and data whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcac.evaluation.statistics import (
    CellDifferences,
    bootstrap_means,
    difference_over_seeds,
    holm,
    identity_sums,
    mean_and_sd,
    paired_differences,
    percentile_interval,
    two_sided_p,
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


@pytest.mark.parametrize("pairs", [1, 2, 3, 10])
@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.1, 0.2, ("higher", "better")),
        (-0.2, -0.1, ("lower", "worse")),
        (-0.1, 0.1, ("no clear difference",) * 2),
        (0.0, 0.1, ("no clear difference",) * 2),
        (-0.1, 0.0, ("no clear difference",) * 2),
    ],
)
def test_verdict_is_clear_only_without_zero_and_speaks_of_methods_from_three_seeds_on(low, high, words, pairs):
    assert verdict(low, high, pairs=pairs) == words[pairs >= 3]


@pytest.mark.parametrize("ends", [(1, 0), (np.nan, 1)])
def test_verdict_refuses_what_is_no_interval(ends):
    with pytest.raises(ValueError, match="upside down or NaN"):
        verdict(*ends, pairs=1)


@given(shift=st.sampled_from([-0.2, 0.0, 0.2]))
def test_pairing_sees_a_small_shift_under_large_spread(shift):
    generator = np.random.default_rng(1)
    theirs = generator.random((400, 1)) * 10
    ours = theirs + shift + 0.1 * generator.standard_normal((400, 1))
    (found,) = paired_differences(ours, theirs, np.arange(400) % 100, resamples=500, level=0.95, seed=0)
    assert found.mean == pytest.approx(shift, abs=0.02)
    assert found.low <= found.mean <= found.high
    expected = {-0.2: "lower", 0.2: "higher"}
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
        assert (ours.verdict, theirs.verdict) == ("lower", "higher")
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


def simulated(*, seeds, people, of_seeds, of_people, of_both, generator, targets=1, shift=0.0):
    """Draw cells whose true mean difference is `shift`: an error a seed, one a person, and one a person and seed."""
    error = generator.normal(0, of_seeds, size=(seeds, 1))
    cells = []
    for target in range(targets):
        queries = generator.integers(1, 7, size=people)
        persons = generator.normal(0, of_people, size=people)
        both = generator.normal(0, of_both, size=(seeds, people))
        cells.append(CellDifferences(f"T{target}", queries, (shift + error + persons + both) * queries))
    return cells


REGIMES = [  # (seeds, people, sd between seeds, between people, between people and seeds), in percent points
    (3, 100, 1.0, 6.0, 8.0),
    (3, 300, 2.0, 8.0, 4.0),
    (5, 60, 0.5, 4.0, 8.0),
    (10, 60, 0.0, 8.0, 8.0),
]


def test_an_interval_over_seeds_and_identities_covers_as_often_as_it_says():
    """95 % stated; the four regimes together, 2,400 simulated comparisons, of which 93 to 97 % must cover."""
    generator, covered, count = np.random.default_rng(5), 0, 600
    for seeds, people, of_seeds, of_people, of_both in REGIMES:
        sds = {"of_seeds": of_seeds, "of_people": of_people, "of_both": of_both}
        for trial in range(count):
            cells = simulated(seeds=seeds, people=people, generator=generator, **sds)
            found = difference_over_seeds(cells, resamples=600, level=0.95, seed=trial)
            covered += found.low <= 0 <= found.high
    assert 0.93 <= covered / (count * len(REGIMES)) <= 0.97


def test_the_interval_of_identities_alone_is_too_narrow_for_methods():
    """Why one pair of runs says nothing of methods: the same simulation, seen with one seed."""
    generator, covered = np.random.default_rng(5), 0
    for trial in range(300):
        cells = simulated(seeds=1, people=200, of_seeds=2.0, of_people=4.0, of_both=4.0, generator=generator)
        found = difference_over_seeds(cells, resamples=300, level=0.95, seed=trial)
        covered += found.low <= 0 <= found.high
    assert covered / 300 < 0.5


def test_with_one_seed_the_interval_is_that_over_identities():
    generator = np.random.default_rng(0)
    differences, identities = generator.normal(0.1, 1, size=(200, 1)), np.arange(200) % 40
    _, queries, sums = identity_sums(differences, identities)
    found = difference_over_seeds([CellDifferences("T", queries, sums)], resamples=20_000, level=0.95, seed=0)
    means = bootstrap_means(differences, identities, resamples=20_000, seed=1)[:, 0]
    low, high = percentile_interval(means, level=0.95)
    assert found.mean == pytest.approx(differences.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


def test_without_spread_between_people_the_interval_is_students():
    """All people alike: the seeds' means alone say how sure the difference is."""
    by_seed = np.array([0.01, 0.02, 0.04])
    queries = np.array([1, 2, 3, 4])
    cell = CellDifferences("T", queries, by_seed[:, None] * queries)
    found = difference_over_seeds([cell], resamples=200_000, level=0.95, seed=0)
    half = 4.302653 * by_seed.std(ddof=1) / 3**0.5  # t of 2 degrees of freedom
    assert (found.mean, found.low, found.high) == pytest.approx(
        (by_seed.mean(), by_seed.mean() - half, by_seed.mean() + half), abs=half / 20
    )
    assert found.verdict == "no clear difference"


def test_cells_of_one_target_share_its_identities():
    """Two equal cells on one target tell nothing more than one; on two targets they do."""
    generator = np.random.default_rng(0)
    sds = {"of_seeds": 0.0, "of_people": 8.0, "of_both": 0.0}
    (cell,) = simulated(seeds=3, people=80, generator=generator, shift=1.0, **sds)
    options = {"resamples": 20_000, "level": 0.95, "seed": 0}
    one, twice, apart = (
        difference_over_seeds(cells, **options)
        for cells in ([cell], [cell, cell], [cell, replace(cell, target="other")])
    )
    width = one.high - one.low
    assert twice.high - twice.low == pytest.approx(width, rel=0.03)
    assert apart.high - apart.low == pytest.approx(width / 2**0.5, rel=0.03)
    assert one.mean == pytest.approx(twice.mean) == pytest.approx(apart.mean)


def test_holm_worked_by_hand():
    """Of four: 4 x 0.01, 3 x 0.02, 2 x 0.02 raised to the one before, 0.9."""
    assert holm([0.02, 0.9, 0.01, 0.02]) == pytest.approx([0.06, 0.9, 0.04, 0.06])
    assert holm([0.7, 0.6]) == [1.0, 1.0] and holm([]) == []


def test_p_counts_the_draws_beyond_zero_on_the_rarer_side():
    assert two_sided_p(np.array([1.0] * 97 + [-1.0] * 2)) == pytest.approx(2 * 3 / 100)
    assert two_sided_p(np.array([-1.0] * 99)) == pytest.approx(2 / 100), "no number of draws shows a p of 0"
    assert two_sided_p(np.zeros(99)) == 1.0


def test_p_of_a_difference_agrees_with_its_interval():
    queries, by_seed = np.array([1, 2, 3, 4]), np.array([0.01, 0.02, 0.04])
    cell = CellDifferences("T", queries, by_seed[:, None] * queries)
    found = difference_over_seeds([cell], resamples=200_000, level=0.95, seed=0)
    t = by_seed.mean() / (by_seed.std(ddof=1) / 3**0.5)
    assert found.p == pytest.approx(
        1 - t / (2 + t**2) ** 0.5, abs=0.005
    )  # Student's t of 2 degrees of freedom, both tails


def test_cells_with_other_seeds_or_queries_are_refused():
    cell = CellDifferences("T", np.array([1, 2]), np.zeros((3, 2)))
    options = {"resamples": 10, "level": 0.95, "seed": 0}
    with pytest.raises(ValueError, match=r"cells hold \[2, 3\] seeds"):
        difference_over_seeds([cell, CellDifferences("U", np.array([1]), np.zeros((2, 1)))], **options)
    with pytest.raises(ValueError, match=r"cells hold \[\] seeds"):
        difference_over_seeds([], **options)
    with pytest.raises(ValueError, match="cells of target T hold different queries"):
        difference_over_seeds([cell, CellDifferences("T", np.array([2, 2]), np.zeros((3, 2)))], **options)
