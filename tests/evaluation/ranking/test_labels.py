"""Which gallery images match a query, and which leave its ranking."""

import numpy as np

from dcac.evaluation.ranking.identities import MatchIndex, checked_identities


def test_own_identity_splits_by_camera():
    labels = checked_identities([7, 8], [0, 0], [7, 1, 7, 7], [1, 0, 0, 2], num_query=2, num_gallery=4)
    matches, removed = MatchIndex(labels).split(0)
    assert (matches.tolist(), removed.tolist()) == ([0, 3], [2])
    matches, removed = MatchIndex(labels).split(1)
    assert (matches.tolist(), removed.tolist()) == ([], [])


def test_index_equals_a_comparison_of_all(make_target):
    target = make_target(0)
    fields = (target.query_pids, target.query_camids, target.gallery_pids, target.gallery_camids)
    index = MatchIndex(checked_identities(*fields, num_query=20, num_gallery=60))
    for query in range(20):
        own = target.gallery_pids == target.query_pids[query]
        same_camera = target.gallery_camids == target.query_camids[query]
        matches, removed = index.split(query)
        assert matches.tolist() == np.flatnonzero(own & ~same_camera).tolist()
        assert removed.tolist() == np.flatnonzero(own & same_camera).tolist()
