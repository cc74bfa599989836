"""Ranking scores: worked by hand, against a slow loop, and what must never change them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcac.evaluation.metrics import score_distances, score_ranking

METRICS = ["cosine", "euclidean"]
seeds = st.integers(0, 10_000)


def on_a_line(query, gallery):
    """Return one-dimensional features: the distance is the difference."""
    return np.array(query, dtype=np.float32)[:, None], np.array(gallery, dtype=np.float32)[:, None]


def score_line(gallery, pids, camids=None, *, pid=7, **options):
    query, features = on_a_line([0.0], gallery)
    camids = [1] * len(pids) if camids is None else camids
    return score_ranking(query, [pid], [0], features, pids, camids, metric="euclidean", **options)


def same_bits(one, other):
    assert one.mAP == other.mAP
    assert one.mINP == other.mINP
    for field in ("cmc", "ap", "inp", "first_rank"):
        assert np.array_equal(getattr(one, field), getattr(other, field), equal_nan=True)
    for bound in ("optimistic", "pessimistic"):
        assert getattr(one, bound).mAP == getattr(other, bound).mAP


def test_hits_at_one_three_and_five_by_hand():
    score = score_line([1, 2, 3, 4, 5], [7, 1, 7, 2, 7], max_rank=3)
    assert score.mAP == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert score.mINP == pytest.approx(3 / 5)
    assert score.cmc.tolist() == [1, 1, 1]


def test_second_place_scores_a_half():
    score = score_line([1, 2, 3], [1, 7, 2], max_rank=3)
    assert (score.mAP, score.mINP, score.cmc.tolist()) == (0.5, 0.5, [0, 1, 1])


def test_same_camera_match_is_ignored():
    score = score_line([1, 2, 3], [7, 1, 7], [0, 1, 1])
    assert score.mAP == 0.5


def test_same_camera_non_match_counts():
    assert score_line([1, 2], [1, 7], [0, 1]).mAP == 0.5


def test_pid_zero_is_an_ordinary_non_match():
    assert score_line([1, 2], [0, 7]).mAP == 0.5


def test_query_without_match_is_left_out_and_counted():
    query, gallery = on_a_line([0, 0, 0], [1, 2])
    score = score_ranking(query, [7, 8, 1], [0, 0, 1], gallery, [7, 1], [1, 1], metric="euclidean")
    assert score.num_valid_queries == 1
    assert np.isnan(score.ap).tolist() == [False, True, True]
    assert score.mAP == 1


def test_tie_is_broken_by_gallery_order_and_bounded():
    score = score_line([1, 1, 1], [1, 7, 2])
    assert (score.optimistic.mAP, score.mAP, score.pessimistic.mAP) == (1, 0.5, pytest.approx(1 / 3))
    assert (score.mAP_optimistic, score.mAP_pessimistic) == (1, pytest.approx(1 / 3))


def test_tie_among_matches_alone_has_no_bounds():
    score = score_line([1, 2, 2, 3], [1, 7, 7, 2])
    assert score.optimistic.mAP == score.mAP == score.pessimistic.mAP == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_cmc_has_max_rank_entries_beyond_a_small_gallery():
    assert score_line([1, 2], [1, 7], max_rank=10).cmc.tolist() == [0] + [1] * 9


def test_near_tie_below_float32_is_decided_in_float64():
    query = np.array([[1.0, 0.0]])
    near, far, other = [1.0, 1e-5], [1.0, 1.0000001e-5], [-5.0, 3.0]
    score = score_ranking(query, [7], [0], np.array([far, near, other]), [1, 7, 2], [1, 1, 1], metric="euclidean")
    assert score.mAP == score.pessimistic.mAP == 1


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("levels", [None, 2])
@given(seed=seeds)
@settings(deadline=None, max_examples=25)
def test_equals_a_slow_loop(make_target, slow, slow_distance, metric, levels, seed):
    target = make_target(seed, levels=levels)
    distances = slow_distance(target.query_features, target.gallery_features, metric)
    valid, ap, inp, cmc = slow(distances, target, 9)
    score = score_ranking(*target.arguments, metric=metric, max_rank=9)
    assert np.flatnonzero(~np.isnan(score.ap)).tolist() == valid
    np.testing.assert_allclose(score.ap[valid], ap, rtol=0, atol=1e-12)
    np.testing.assert_allclose(score.inp[valid], inp, rtol=0, atol=1e-12)
    np.testing.assert_allclose(score.cmc, cmc, rtol=0, atol=1e-12)


@pytest.mark.parametrize("offset", [0, 1e3, 1e6])
@pytest.mark.parametrize("scale", [1e-150, 1e-12, 1, 1e12, 1e140])
def test_equals_a_slow_loop_far_from_the_origin(make_target, slow, slow_distance, offset, scale):
    drawn = make_target(3)
    sides = [scale * (side.astype(np.float64) + offset) for side in (drawn.query_features, drawn.gallery_features)]
    target = type(drawn)(sides[0], *drawn.arguments[1:3], sides[1], *drawn.arguments[4:])
    for metric in METRICS:
        valid, ap, *_ = slow(slow_distance(*sides, metric), target, 5)
        np.testing.assert_allclose(score_ranking(*target.arguments, metric=metric).ap[valid], ap, rtol=0, atol=1e-12)


@given(seed=seeds)
@settings(deadline=None, max_examples=25)
def test_gallery_order_changes_nothing_without_ties(make_target, seed):
    target = make_target(seed)
    order = np.random.default_rng(seed).permutation(len(target.gallery_pids))
    for metric in METRICS:
        same_bits(
            score_ranking(*target.arguments, metric=metric),
            score_ranking(*target.with_gallery_order(order).arguments, metric=metric),
        )


@given(seed=seeds)
@settings(deadline=None, max_examples=25)
def test_gallery_order_stays_within_the_bounds_with_ties(make_target, seed):
    target = make_target(seed, levels=2)
    order = np.random.default_rng(seed).permutation(len(target.gallery_pids))
    score = score_ranking(*target.arguments, metric="euclidean")
    other = score_ranking(*target.with_gallery_order(order).arguments, metric="euclidean")
    assert (other.optimistic.mAP, other.pessimistic.mAP) == (score.optimistic.mAP, score.pessimistic.mAP)
    for one in (score, other):
        valid = ~np.isnan(one.ap)
        assert (one.pessimistic.ap[valid] <= one.ap[valid]).all()
        assert (one.ap[valid] <= one.optimistic.ap[valid]).all()
        assert (one.pessimistic.cmc <= one.cmc).all()
        assert (one.cmc <= one.optimistic.cmc).all()


def test_bounds_are_reached_by_some_gallery_order(make_target):
    target = make_target(5, queries=1, gallery=12, width=2, identities=3, levels=2)
    score = score_ranking(*target.arguments, metric="euclidean")
    matched = target.gallery_pids == target.query_pids[0]
    first = np.argsort(~matched, kind="stable")
    reached = [
        score_ranking(*target.with_gallery_order(order).arguments, metric="euclidean").mAP
        for order in (first, first[::-1])
    ]
    assert reached == [score.optimistic.mAP, score.pessimistic.mAP]
    assert reached[0] > reached[1]


@given(seed=seeds)
@settings(deadline=None, max_examples=20)
def test_duplicated_query_changes_no_other(make_target, seed):
    target = make_target(seed, levels=3)
    sides = [np.concatenate([values, values[:1]]) for values in target.arguments[:3]]
    one, other = score_ranking(*target.arguments), score_ranking(*sides, *target.arguments[3:])
    assert np.array_equal(other.ap[:-1], one.ap, equal_nan=True)
    assert np.array_equal(other.ap[-1:], one.ap[:1], equal_nan=True)


@given(seed=seeds, query_scale=st.sampled_from([1e-6, 0.37, 3e5]), gallery_scale=st.sampled_from([1e-6, 0.37, 3e5]))
@settings(deadline=None, max_examples=25)
def test_scaling_features_changes_no_cosine_result(make_target, seed, query_scale, gallery_scale):
    target = make_target(seed)
    scaled = type(target)(
        query_scale * target.query_features,
        *target.arguments[1:3],
        gallery_scale * target.gallery_features,
        *target.arguments[4:],
    )
    same_bits(score_ranking(*target.arguments), score_ranking(*scaled.arguments))


@given(seed=seeds, block_size=st.integers(1, 25), levels=st.sampled_from([None, 2]))
@settings(deadline=None, max_examples=25)
def test_block_size_changes_no_bit(make_target, seed, block_size, levels):
    target = make_target(seed, levels=levels)
    same_bits(score_ranking(*target.arguments), score_ranking(*target.arguments, block_size=block_size))


@given(seed=seeds, levels=st.sampled_from([None, 2]))
@settings(deadline=None, max_examples=15)
def test_torch_changes_no_bit(make_target, seed, levels):
    target = make_target(seed, levels=levels)
    for metric in METRICS:
        same_bits(
            score_ranking(*target.arguments, metric=metric),
            score_ranking(*target.arguments, metric=metric, device="cpu", block_size=7),
        )


@pytest.mark.gpu
def test_gpu_changes_no_bit(make_target):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    target = make_target(1, queries=300, gallery=2000, width=64)
    same_bits(score_ranking(*target.arguments), score_ranking(*target.arguments, device="cuda"))


THREADS = """
import hashlib, numpy as np
from dcac.evaluation.metrics import score_ranking
g = np.random.default_rng(0)
f = g.standard_normal((900, 96), dtype=np.float32).round(1)
p, c = g.integers(40, size=900), g.integers(4, size=900)
s = score_ranking(f[:300], p[:300], c[:300], f[300:], p[300:], c[300:])
print(hashlib.sha256(s.ap.tobytes() + s.cmc.tobytes() + repr(s.mAP).encode()).hexdigest())
"""


@pytest.mark.parametrize("kernels", ["Haswell", "Nehalem"])
def test_threads_and_blas_kernels_change_no_bit(kernels):
    def digest(**variables):
        done = subprocess.run([sys.executable, "-c", THREADS], env=os.environ | variables, stdout=-1, check=True)
        return done.stdout

    reference = digest(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    assert digest(OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2") == reference
    assert digest(OPENBLAS_CORETYPE=kernels, NPY_DISABLE_CPU_FEATURES="AVX512_SPR AVX512_ICL X86_V4") == reference


def test_tensors_and_half_precision_are_accepted(make_target):
    import torch

    target = make_target(2, levels=4)
    tensors = [torch.from_numpy(values) for values in target.arguments]
    halves = list(target.arguments)
    halves[0], halves[3] = halves[0].astype(np.float16), halves[3].astype(np.float16)
    bfloats = list(tensors)
    bfloats[0], bfloats[3] = bfloats[0].bfloat16().requires_grad_(), bfloats[3].bfloat16()
    for arguments in (tensors, halves, bfloats):
        same_bits(score_ranking(*target.arguments), score_ranking(*arguments))


def test_progress_hears_of_every_block(make_target):
    heard = []
    score_ranking(*make_target(1).arguments, block_size=8, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(8, 20), (16, 20), (20, 20)]


def test_distances_score_like_features(make_target, slow_distance):
    target = make_target(4, levels=2)
    distances = slow_distance(target.query_features, target.gallery_features, "euclidean")
    labels = (*target.arguments[1:3], *target.arguments[4:])
    blocks = (distances[start : start + 6] for start in range(0, 20, 6))
    same_bits(score_ranking(*target.arguments, metric="euclidean"), score_distances(blocks, *labels))


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([np.zeros((1, 2))], "for 1 of 2 queries"),
        ([np.zeros((3, 2))], "distances of query 2 have shape"),
        ([np.zeros((2, 3))], "distances of query 0 have shape"),
        ([np.array([[0, 1], [np.nan, 1]])], "distances of query 1 hold NaN"),
    ],
)
def test_bad_distances_are_named(blocks, message):
    with pytest.raises(ValueError, match=message):
        score_distances(blocks, [1, 1], [0, 0], [1, 2], [1, 1])


@pytest.mark.parametrize("max_rank", [0, -1, 2.5, True])
def test_max_rank_must_be_a_positive_whole_number(max_rank):
    with pytest.raises(ValueError, match="max_rank is"):
        score_line([1], [7], max_rank=max_rank)


def test_whole_number_distances_are_distances():
    score = score_distances([np.array([[2, 1, 3]])], [7], [0], [7, 1, 7], [1, 1, 0])
    assert score.mAP == 0.5


@pytest.mark.parametrize("block_size", [0, -3])
def test_block_must_hold_a_query(block_size):
    with pytest.raises(ValueError, match="block_size is"):
        score_line([1], [7], block_size=block_size)


def test_no_valid_query_is_refused():
    with pytest.raises(ValueError, match="no query has a valid match"):
        score_line([1], [1])
