"""Ranks and their averages, worked by hand."""

import numpy as np
import pytest

from dcac.evaluation.ranking.ranks import average, rank_matches


def matches():
    """Query 0: n m(1) n=m(tied) ...; query 2: one match at rank 4."""
    return rank_matches(
        np.array([2, 0, 0]),
        np.array([9, 5, 3]),
        before=np.array([3, 4, 1]),
        nearer=np.array([3, 3, 1]),
        tied=np.array([1, 3, 1]),
    )


def test_matches_are_ordered_by_query_and_rank():
    found = matches()
    assert found.query.tolist() == [0, 0, 2]
    assert found.gallery.tolist() == [3, 5, 9]
    assert found.rank.tolist() == [2, 5, 4]
    assert found.hits.tolist() == [1, 2, 1]


def test_ties_move_ranks_both_ways():
    found = matches()  # the second match of query 0 is tied with two non-matches: rank 4, 5 or 6
    assert found.optimistic.tolist() == [2, 4, 4]
    assert found.pessimistic.tolist() == [2, 6, 4]


def test_matches_tied_with_each_other_share_their_non_matches():
    # order: m m n at one distance; whichever way, the matches take places 1, 2 or 2, 3
    found = rank_matches(
        np.array([0, 0]), np.array([0, 2]), before=np.array([0, 2]), nearer=np.array([0, 0]), tied=np.array([3, 3])
    )
    assert found.rank.tolist() == [1, 3]
    assert found.optimistic.tolist() == [1, 2]
    assert found.pessimistic.tolist() == [2, 3]


def test_averages_leave_out_queries_without_matches():
    found = matches()
    scores = average(found, found.rank, num_query=4, max_rank=5)
    assert scores.ap[[0, 2]] == pytest.approx([(1 / 2 + 2 / 5) / 2, 1 / 4])
    assert scores.inp[[0, 2]] == pytest.approx([2 / 5, 1 / 4])
    assert np.isnan(scores.ap[[1, 3]]).all()
    assert scores.mAP == pytest.approx((0.45 + 0.25) / 2)
    assert scores.mINP == pytest.approx((0.4 + 0.25) / 2)
    assert scores.cmc.tolist() == [0, 0.5, 0.5, 1, 1]
    assert scores.first_rank[[0, 2]].tolist() == [2, 4]
