"""Precision by pairs of cameras."""

import numpy as np
import pytest

from dcac.evaluation.camera_pairs import camera_pairs
from dcac.evaluation.metrics import score_ranking


def test_pairs_by_hand():
    features = np.array([[1.0], [2.0], [3.0]])
    score = score_ranking([[0.0], [0.0]], [7, 7], [0, 0], features, [7, 1, 7], [1, 1, 2], metric="euclidean")
    assert camera_pairs(score.matches, np.array([0, 0]), np.array([1, 1, 2])) == [
        {"query_camera": 0, "gallery_camera": 1, "num_queries": 2, "num_matches": 2, "mean_precision": 1.0},
        {
            "query_camera": 0,
            "gallery_camera": 2,
            "num_queries": 2,
            "num_matches": 2,
            "mean_precision": pytest.approx(2 / 3),
        },
    ]


def test_pairs_hold_every_match_once(make_target):
    target = make_target(0)
    score = score_ranking(*target.arguments)
    pairs = camera_pairs(score.matches, target.query_camids, target.gallery_camids)
    assert sum(pair["num_matches"] for pair in pairs) == len(score.matches.rank)
    assert all(pair["query_camera"] != pair["gallery_camera"] for pair in pairs)
    total = sum(pair["num_matches"] * pair["mean_precision"] for pair in pairs)
    assert total == pytest.approx((score.matches.hits / score.matches.rank).sum())
    cameras = [(pair["query_camera"], pair["gallery_camera"]) for pair in pairs]
    assert cameras == sorted(cameras)
