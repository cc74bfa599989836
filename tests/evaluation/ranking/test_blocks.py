"""Blocks of queries, counted alike by NumPy and torch."""

import numpy as np
import pytest

from dcac.evaluation.ranking.blocks import count_with_numpy, count_with_torch, slices
from dcac.evaluation.ranking.distances import measure
from dcac.evaluation.ranking.identities import MatchIndex, checked_identities


def test_slices_cover_everything_once():
    told = []
    cut = list(slices(10, 4, lambda *done: told.append(done)))
    assert cut == [slice(0, 4), slice(4, 8), slice(8, 10)]
    assert told == [(4, 10), (8, 10), (10, 10)]


@pytest.mark.parametrize("levels", [None, 2])
def test_candidates_of_torch_and_numpy_are_the_same(make_target, levels):
    target = make_target(0, levels=levels)
    geometry = measure(target.query_features, target.gallery_features, metric="euclidean")
    fields = (target.query_pids, target.query_camids, target.gallery_pids, target.gallery_camids)
    index = MatchIndex(checked_identities(*fields, num_query=20, num_gallery=60))
    ours = list(count_with_numpy(geometry, index, rows=6, progress=None))
    theirs = list(count_with_torch(geometry, index, rows=6, device="cpu", progress=None))
    assert [query for query, _, _ in ours] == [query for query, _, _ in theirs]
    for (_, matches, one), (_, same_matches, other) in zip(ours, theirs, strict=True):
        assert np.array_equal(matches, same_matches)
        assert np.array_equal(one.first, other.first)
        assert np.array_equal(one.unsure, other.unsure)
        assert np.array_equal(one.candidates, other.candidates)
