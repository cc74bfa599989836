"""How sure a score is: bootstrap over query identities, paired differences, mean and sample sd over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcac.seeding import numpy_generator

BETTER, UNCLEAR, WORSE = "better", "no clear difference", "worse"
DRAWS_AT_A_TIME = 2**20  # drawn identities held at once (8 MB)


@dataclass(frozen=True)
class Difference:
    """A paired difference of two means, with its percentile interval and what it says."""

    mean: float
    low: float
    high: float
    verdict: str


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
    names, member = np.unique(np.asarray(identities), return_inverse=True)
    if values.ndim != 2 or len(values) != len(member) or not len(values):
        raise ValueError(f"values are {values.shape} for {len(member)} identities: give one row a query, at least one")
    if np.isnan(values).any():
        raise ValueError("values hold NaN: leave out queries without a valid match")
    sums = np.stack([np.bincount(member, weights=column) for column in values.T])
    sizes = np.bincount(member)
    generator = numpy_generator(seed, "bootstrap")
    means = np.empty((resamples, len(sums)))
    step = max(1, DRAWS_AT_A_TIME // len(names))
    for start in range(0, resamples, step):
        drawn = generator.integers(len(names), size=(min(step, resamples - start), len(names)))
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
        One difference a score; `better` is said of ours.
    """
    differences = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    resampled = bootstrap_means(differences, identities, resamples=resamples, seed=seed)
    intervals = [percentile_interval(column, level=level) for column in resampled.T]
    means = differences.mean(axis=0)
    return [
        Difference(float(mean), low, high, verdict(low, high))
        for mean, (low, high) in zip(means, intervals, strict=True)
    ]


def verdict(low: float, high: float) -> str:
    """Say what the interval of a difference shows: clear only if it leaves out zero."""
    if not low <= high:
        raise ValueError(f"interval [{low}, {high}] is upside down or NaN: give the lower end first")
    if low > 0:
        return BETTER
    return WORSE if high < 0 else UNCLEAR


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None, int]:
    """Return the mean, the sample standard deviation (n - 1; None for a single value) and n."""
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"values are {list(values)}: give at least one finite value")
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return float(np.mean(values)), sd, len(values)
