"""How sure a score is: bootstrap over query identities, paired differences over identities and seeds, mean and sample sd."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcac.seeding import numpy_generator

BETTER, UNCLEAR, WORSE = "better", "no clear difference", "worse"  # of two methods
HIGHER, LOWER = "higher", "lower"  # of two runs, which say little of their methods
ENOUGH_SEEDS = 3  # with fewer pairs of runs nothing is said of methods; source: ours
DRAWS_AT_A_TIME = 2**20  # drawn identities held at once (8 MB)


@dataclass(frozen=True)
class Difference:
    """A paired difference of two means, with its percentile interval and what it says."""

    mean: float
    low: float
    high: float
    verdict: str
    p: float = math.nan  # two-sided, of no difference, by the draws that the interval is made of


@dataclass(frozen=True)
class CellDifferences:
    """Paired differences on one target by seed and identity, of two methods trained on the same sources."""

    target: str  # its identities are drawn together in all cells that share it
    queries: NDArray[np.int64]  # [I], queries of each identity
    sums: NDArray[np.float64]  # [S, I], our score minus theirs, summed over the queries of an identity


def bootstrap_means(values: ArrayLike, identities: ArrayLike, *, resamples: int, seed: int) -> NDArray[np.float64]:
    """Resample identities with replacement and average over all their queries.

    Queries of one identity are alike, so whole identities are drawn: single queries would make intervals too narrow.

    Args:
        values: [Q, K] K scores of each query, none NaN.
        identities: [Q] identity of each query.
        resamples: how often to draw as many identities as there are.
        seed: of the draws.

    Returns:
        [resamples, K] mean over the drawn queries.
    Source: percentile bootstrap of clusters (Davison and Hinkley 1997, section 3.8).
    """
    values = np.asarray(values, dtype=np.float64)
    count = len(np.asarray(identities))
    if values.ndim != 2 or len(values) != count or not count:
        raise ValueError(f"values are {values.shape} for {count} identities: give one row a query, at least one")
    if np.isnan(values).any():
        raise ValueError("values hold NaN: leave out queries without a valid match")
    _, sizes, sums = identity_sums(values, identities)
    return _resampled(sums, sizes, resamples, numpy_generator(seed, "bootstrap"))


def identity_sums(values: ArrayLike, identities: ArrayLike) -> tuple[NDArray, NDArray[np.int64], NDArray[np.float64]]:
    """Add up scores by identity: the identities in order, queries of each [I], and sums [K, I] of values [Q, K]."""
    names, member = np.unique(np.asarray(identities), return_inverse=True)
    sums = np.stack([np.bincount(member, weights=column) for column in np.asarray(values, dtype=np.float64).T])
    return names, np.bincount(member), sums  # type: ignore[return-value]  # to NumPy's stubs, weights add up to integers


def _resampled(
    sums: NDArray[np.float64], sizes: NDArray[np.int64], resamples: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Average sums [K, I] over drawn identities of given sizes [I]: [resamples, K]."""
    means = np.empty((resamples, len(sums)))
    step = max(1, DRAWS_AT_A_TIME // len(sizes))
    for start in range(0, resamples, step):
        drawn = generator.integers(len(sizes), size=(min(step, resamples - start), len(sizes)))
        queries = sizes[drawn].sum(axis=1)
        for score, sum_of_identity in enumerate(sums):
            means[start : start + len(drawn), score] = sum_of_identity[drawn].sum(axis=1) / queries
    return means


def percentile_interval(resampled: NDArray[np.float64], *, level: float) -> tuple[float, float]:
    """Return the central interval that holds `level` (0..1) of the resampled means."""
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_differences(
    ours: ArrayLike, theirs: ArrayLike, identities: ArrayLike, *, resamples: int, level: float, seed: int
) -> list[Difference]:
    """Compare two runs on the same queries.

    Args:
        ours: [Q, K] K scores of each query.
        theirs: [Q, K] the other run's, in the same order of queries.
        identities: [Q] identity of each query.
        resamples: of the bootstrap.
        level: of the interval, 0..1.
        seed: of the draws.

    Returns:
        One difference a score; `higher` is said of ours.
    """
    differences = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    resampled = bootstrap_means(differences, identities, resamples=resamples, seed=seed)
    intervals = [percentile_interval(column, level=level) for column in resampled.T]
    means = differences.mean(axis=0)
    return [
        Difference(float(mean), low, high, verdict(low, high, pairs=1))
        for mean, (low, high) in zip(means, intervals, strict=True)
    ]


def difference_over_seeds(cells: Sequence[CellDifferences], *, resamples: int, level: float, seed: int) -> Difference:
    """Compare two methods over seeds and identities together, on the mean over cells.

    Two levels: whole identities are drawn with replacement, the same in all cells and runs of a target; to each draw an
    error of the mean over seeds is added, from Student's t with S - 1 degrees of freedom times its standard error. (To
    draw the seeds with replacement too makes intervals of three seeds far too narrow.) What identities differ by from
    seed to seed is part of that standard error already, so it is taken out of the spread of the identities' draws.

    Args:
        cells: of one table, with the same S seeds; with one seed the interval is over identities alone.
        resamples: of the bootstrap.
        level: of the interval, 0..1.
        seed: of the draws.

    Returns:
        The mean difference with its percentile interval; of fewer than three seeds only what these runs show.

    Source:
        Ours; the two-way variance is that of Cameron, Gelbach and Miller (2011), equation 2.3.
    """
    runs = {len(cell.sums) for cell in cells}
    if len(runs) != 1 or not min(runs, default=0):
        raise ValueError(f"cells hold {sorted(runs)} seeds; give one or more cells with the same seeds")
    pairs = runs.pop()
    by_seed = np.mean([cell.sums.sum(axis=1) / cell.queries.sum() for cell in cells], axis=0)
    mean, generator = float(by_seed.mean()), numpy_generator(seed, "two levels")
    drawn = np.zeros(resamples)
    for group in _by_target(cells):
        sums = np.stack([cell.sums.mean(axis=0) for cell in group])
        drawn += _resampled(sums, group[0].queries, resamples, generator).sum(axis=1) / len(cells)
    if pairs > 1:
        share = _share_of_identities(cells)
        error = float(by_seed.std(ddof=1)) / pairs**0.5
        drawn = mean + share**0.5 * (drawn - drawn.mean()) + error * generator.standard_t(pairs - 1, size=resamples)
    low, high = percentile_interval(drawn, level=level)
    return Difference(mean, low, high, verdict(low, high, pairs=pairs), two_sided_p(drawn))


def two_sided_p(resampled: NDArray[np.float64]) -> float:
    """Return twice the share of resampled differences [R] on the rarer side of zero, at most 1; never 0.

    Source: percentile bootstrap test, with one added to counts (Davison and Hinkley 1997, section 4.4).
    """
    rarer = min((resampled <= 0).sum(), (resampled >= 0).sum())
    return min(1.0, 2 * (1 + int(rarer)) / (1 + len(resampled)))


def holm(ps: Sequence[float]) -> list[float]:
    """Correct p-values of several tests for their number, in the order given.

    Source: Holm (1979): the k-th smallest of m times m - k + 1, never below a smaller one's, at most 1.
    """
    corrected, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(np.argsort(ps, kind="stable")):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = highest
    return corrected


def _by_target(cells: Sequence[CellDifferences]) -> Iterator[list[CellDifferences]]:
    for target in dict.fromkeys(cell.target for cell in cells):
        group = [cell for cell in cells if cell.target == target]
        if any(not np.array_equal(cell.queries, group[0].queries) for cell in group):
            raise ValueError(
                f"cells of target {target} hold different queries; score the same version of it everywhere"
            )
        yield group


def _share_of_identities(cells: Sequence[CellDifferences]) -> float:
    """Return the share, 0..1, of the identities' variance that is the same for every seed."""
    common = varying = 0.0
    for group in _by_target(cells):
        queries = group[0].queries
        per_seed = sum(cell.sums - cell.sums.sum(axis=1, keepdims=True) / queries.sum() * queries for cell in group)
        mean, pairs = per_seed.mean(axis=0), len(per_seed)
        common += (mean**2).sum() / queries.sum() ** 2
        varying += ((per_seed - mean) ** 2).sum() / (pairs * (pairs - 1)) / queries.sum() ** 2
    return max(0.0, 1 - varying / common) if common else 0.0


def verdict(low: float, high: float, *, pairs: int) -> str:
    """Say what the interval of a difference shows: clear only if it leaves out zero.

    Args:
        pairs: runs of either method that were compared; few of them say something of runs, not of methods.
    """
    if not low <= high:
        raise ValueError(f"interval [{low}, {high}] is upside down or NaN: give the lower end first")
    above, below = (BETTER, WORSE) if pairs >= ENOUGH_SEEDS else (HIGHER, LOWER)
    if low > 0:
        return above
    return below if high < 0 else UNCLEAR


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None, int]:
    """Return the mean, the sample standard deviation (n - 1; None for a single value) and n."""
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"values are {list(values)}: give at least one finite value")
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return float(np.mean(values)), sd, len(values)
