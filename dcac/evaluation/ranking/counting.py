"""Where the matches of one query stand in its ranking, by counting values: no row is argsorted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ExactDistances = Callable[[NDArray[np.intp]], NDArray[np.floating]]  # of some gallery rows to one query


@dataclass(frozen=True)
class Standing:
    """How many gallery images kept for a query stand where, for each of its matches [P]."""

    before: NDArray[np.int64]  # nearer, or equally near and earlier in the gallery
    nearer: NDArray[np.int64]  # strictly nearer
    tied: NDArray[np.int64]  # exactly as near, the match itself included


@dataclass(frozen=True)
class RoughCount:
    """What inexact values say: certain for most matches, a few candidates for the others."""

    first: NDArray[np.int64]  # [P] images certainly nearer than each match
    low: NDArray[np.floating]  # [P] bounds of the band in which the order against a match is uncertain
    high: NDArray[np.floating]  # [P]
    unsure: NDArray[np.intp]  # which matches share their band with other images
    candidates: NDArray[np.intp]  # [C] ascending gallery rows in any unsure match's band
    values: NDArray[np.floating]  # [C] their values


def count_roughly(values: NDArray[np.floating], matches: NDArray[np.intp], *, error: float) -> RoughCount:
    """Count what stands before each match of one query, as far as the values tell.

    Args:
        values: [G], smaller is nearer; infinite where an image is not in this query's ranking.
        matches: [P] gallery rows with the query's pid, all with finite values.
        error: largest difference of a value from what the ranking orders by; 0 if the values are exact.
    """
    low, high = uncertain_band(values[matches], error)
    reach = np.flatnonzero(values <= high.max())
    reached = values[reach]
    ordered = np.sort(reached)
    first = np.searchsorted(ordered, low, side="left")
    last = np.searchsorted(ordered, high, side="right")
    unsure = np.flatnonzero(last - first > 1)
    inside = np.zeros(len(reach), dtype=bool)
    for lower, upper in zip(low[unsure], high[unsure], strict=True):
        inside |= (reached >= lower) & (reached <= upper)
    return RoughCount(first, low, high, unsure, reach[inside], reached[inside])


def uncertain_band(values: NDArray[np.floating], error: float) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the bounds outside which another value's order against each given value is certain."""
    if error == 0:
        return values, values
    kind = values.dtype.type
    wide = values.astype(np.float64)
    low = np.nextafter((wide - 2 * error).astype(kind), kind(-np.inf))
    high = np.nextafter((wide + 2 * error).astype(kind), kind(np.inf))
    return low, high


def settle(rough: RoughCount, matches: NDArray[np.intp], exact: ExactDistances) -> Standing:
    """Decide every uncertain order by exact distances, and exact ties by gallery order.

    Args:
        rough: the count so far.
        matches: [P] gallery rows of the matches.
        exact: gives the deciding distances of gallery rows to this query.
    """
    nearer = rough.first.astype(np.int64)
    before, tied = nearer.copy(), np.ones_like(nearer)
    if not rough.unsure.size:
        return Standing(before, nearer, tied)
    distances = exact(rough.candidates)
    places = np.searchsorted(rough.candidates, matches[rough.unsure])
    for match, place in zip(rough.unsure, places, strict=True):
        company = (rough.values >= rough.low[match]) & (rough.values <= rough.high[match])
        equal = company & (distances == distances[place])
        nearer[match] += np.count_nonzero(company & (distances < distances[place]))
        before[match] = nearer[match] + np.count_nonzero(equal[:place])
        tied[match] = np.count_nonzero(equal)
    return Standing(before, nearer, tied)
