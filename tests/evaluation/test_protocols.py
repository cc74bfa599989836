"""A protocol that averages over draws."""

import numpy as np
import pytest

from dcac.evaluation.metrics import score_ranking
from dcac.evaluation.protocols import score_single_shot


def pairs(identities=12, seed=0):
    """VIPeR in small: two images an identity, one a camera."""
    generator = np.random.default_rng(seed)
    pids = np.tile(np.arange(identities), 2)
    features = generator.standard_normal((identities, 6))[pids] + generator.standard_normal((len(pids), 6))
    return features, pids, np.repeat([0, 1], identities)


def test_single_shot_equals_the_ranking_where_there_is_nothing_to_draw():
    features, pids, camids = pairs()
    sides = (features[:12], pids[:12], camids[:12], features[12:], pids[12:], camids[12:])
    drawn, ranked = score_single_shot(*sides, repetitions=3, seed=0, max_rank=5), score_ranking(*sides, max_rank=5)
    assert (drawn.ranks == ranked.first_rank).all()
    assert drawn.mAP == pytest.approx(ranked.mAP)
    assert drawn.cmc == pytest.approx(ranked.cmc)


def test_single_shot_draws_one_image_an_identity_uniformly():
    # the query's identity is at distance 1, 3 or 5; another at 2 and one at 4: rank 1, 2 or 3, each a third
    gallery, pids = np.array([[1.0], [2], [3], [4], [5]]), [7, 1, 7, 2, 7]
    score = score_single_shot(
        [[0.0]], [7], [0], gallery, pids, [1] * 5, repetitions=3000, seed=0, metric="euclidean", max_rank=5
    )
    assert np.bincount(score.ranks.ravel(), minlength=4)[1:] / 3000 == pytest.approx([1 / 3] * 3, abs=0.03)
    assert score.cmc == pytest.approx([1 / 3, 2 / 3, 1, 1, 1], abs=0.03)


def test_single_shot_never_draws_the_own_camera():
    score = score_single_shot(
        [[0.0]], [7], [0], [[1.0], [2], [3]], [7, 1, 7], [0, 0, 1], repetitions=20, seed=0, metric="euclidean"
    )
    assert (score.ranks == 2).all()


def test_single_shot_is_seeded_and_a_query_draws_for_itself(make_target):
    target = make_target(0)

    def ranks(seed, *sides):
        return score_single_shot(*sides, repetitions=10, seed=seed).ranks

    assert np.array_equal(ranks(1, *target.arguments), ranks(1, *target.arguments))
    assert not np.array_equal(ranks(1, *target.arguments), ranks(2, *target.arguments))
    first = [side[:8] for side in target.arguments[:3]]
    shorter = ranks(1, *first, *target.arguments[3:])
    assert np.array_equal(shorter, ranks(1, *target.arguments)[:, : shorter.shape[1]])


def test_single_shot_breaks_ties_by_gallery_order():
    options = {"repetitions": 2, "seed": 0, "metric": "euclidean"}
    for pids, rank in (([1, 7], 2), ([7, 1], 1)):
        score = score_single_shot([[0.0]], [7], [0], [[1.0], [-1.0]], pids, [1, 1], **options)
        assert (score.ranks == rank).all()


@pytest.mark.parametrize(
    ("pid", "repetitions", "message"), [(8, 1, "no query has a valid"), (7, 0, "repetitions is 0")]
)
def test_unusable_single_shot_is_refused(pid, repetitions, message):
    with pytest.raises(ValueError, match=message):
        score_single_shot([[1.0]], [pid], [0], [[1.0]], [7], [1], repetitions=repetitions, seed=0)
