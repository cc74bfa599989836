"""From the standing of every match to CMC, AP and INP: integer ranks in, float64 shares out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Matches:
    """Every match of every query [M], in order of query and rank."""

    query: NDArray[np.int64]  # row of the query
    gallery: NDArray[np.int64]  # row of the matching gallery image
    rank: NDArray[np.int64]  # from 1, ties by gallery order
    optimistic: NDArray[np.int64]  # rank of the n-th match if every tie went the matches' way
    pessimistic: NDArray[np.int64]  # and if none did
    hits: NDArray[np.int64]  # n: matches up to and including this one


@dataclass(frozen=True)
class Averages:
    """Scores of one way of ranking: shares in 0..1, averaged over the queries with a match."""

    mAP: float
    mINP: float
    cmc: NDArray[np.float64]  # [max_rank], index 0 is rank-1
    ap: NDArray[np.float64]  # [Q], NaN where the query has no valid match
    inp: NDArray[np.float64]  # [Q]
    first_rank: NDArray[np.float64]  # [Q] rank of the nearest match, NaN likewise


def rank_matches(
    query: NDArray[np.int64],
    gallery: NDArray[np.int64],
    *,
    before: NDArray[np.int64],
    nearer: NDArray[np.int64],
    tied: NDArray[np.int64],
) -> Matches:
    """Sort the matches of each query by their standing and number them.

    Args:
        query: [M] query row of each match.
        gallery: [M] gallery row.
        before: [M] kept gallery images before it, ties by gallery order.
        nearer: [M] strictly nearer ones.
        tied: [M] equally near ones, itself included.
    """
    order = np.lexsort((before, query))
    query, gallery, before, nearer, tied = (values[order] for values in (query, gallery, before, nearer, tied))
    new_query = np.diff(query, prepend=-1) != 0
    new_tie = new_query | (np.diff(nearer, prepend=-1) != 0)
    place = np.arange(len(query))
    hits = place - _latest(place, new_query) + 1
    tie_sizes = np.diff(np.flatnonzero(np.append(new_tie, True)))
    tied_matches = np.repeat(tie_sizes, tie_sizes)
    nearer_matches = hits - 1 - (place - _latest(place, new_tie))
    optimistic = nearer - nearer_matches + hits
    return Matches(query, gallery, before + 1, optimistic, optimistic + tied - tied_matches, hits)


def average(matches: Matches, rank: NDArray[np.int64], *, num_query: int, max_rank: int) -> Averages:
    """Average precision, inverse negative penalty and CMC from the ranks of the matches.

    Args:
        matches: of all queries.
        rank: [M] one of the three ranks of `matches`.
        num_query: Q.
        max_rank: length of the CMC curve.
    Source: AP is the mean precision at the hits (Zheng et al. 2015); INP is Ye et al. 2021, equation 2.
    """
    starts = np.flatnonzero(matches.hits == 1)
    counts = np.diff(np.append(starts, len(rank)))
    rows = matches.query[starts]
    ap, inp, first_rank = (np.full(num_query, np.nan) for _ in range(3))
    ap[rows] = np.add.reduceat(matches.hits / rank, starts) / counts
    inp[rows] = counts / rank[starts + counts - 1]
    first_rank[rows] = rank[starts]
    within = rank[starts][rank[starts] <= max_rank]
    cmc = np.cumsum(np.bincount(within, minlength=max_rank + 1)[1:]) / len(starts)
    return Averages(float(ap[rows].mean()), float(inp[rows].mean()), cmc, ap, inp, first_rank)


def _latest(place: NDArray[np.intp], marked: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return for every place the latest marked place up to it."""
    return np.maximum.accumulate(np.where(marked, place, 0))
