"""Sparse re-ranking against the dense formulas of the paper, written out."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcac.evaluation.metrics import score_distances
from dcac.evaluation.rerank import PUBLISHED, RELEASED, KReciprocal, k_reciprocal, score_reranked

CASES = Path(__file__).parent / "cases"


def dense(query, gallery, k1, k2, share):
    """Re-rank with N x N matrices and Python sets, as the paper's equations 1 to 12 read."""
    features = np.concatenate([query, gallery]).astype(np.float64)
    squares = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    distance = squares / squares.max(axis=1, keepdims=True)
    order = np.argsort(distance, axis=1, kind="stable")

    def reciprocal(row, k):
        return {j for j in order[row, : k + 1] if row in order[j, : k + 1]}

    weights = np.zeros_like(distance)
    for row in range(len(features)):
        near = reciprocal(row, k1)
        grown = set(near)
        for j in near:
            half = reciprocal(j, round(k1 / 2))
            if len(half & near) > 2 / 3 * len(half):
                grown |= half
        members = sorted(grown)
        weights[row, members] = np.exp(-distance[row, members])
        weights[row] /= weights[row].sum()
    weights = np.stack([weights[near].mean(axis=0) for near in order[:, :k2]])
    smaller = np.minimum(weights[: len(query), None], weights[None]).sum(axis=2)
    larger = np.maximum(weights[: len(query), None], weights[None]).sum(axis=2)
    return ((1 - share) * (1 - smaller / larger) + share * distance[: len(query)])[:, len(query) :]


def draw(seed, queries=12, gallery=40, width=5):
    generator = np.random.default_rng(seed)
    return (generator.standard_normal((rows, width)).astype(np.float32) for rows in (queries, gallery))


@pytest.mark.parametrize("name", ["rr_a", "rr_c_k50", "rr_e_dup"])
def test_case_equals_its_oracle(name):
    record, case = json.loads((CASES / f"{name}.json").read_text()), np.load(CASES / f"{name}.npz")
    wanted = KReciprocal(record["k1"], record["k2"], record["lam"])
    distances = k_reciprocal(case["qf"], case["gf"], k1=wanted.k1, k2=wanted.k2, lambda_value=wanted.lambda_value)
    np.testing.assert_allclose(distances, case["oracle"], rtol=0, atol=1e-7)
    query, gallery = ((case[f"{side}_pids"], case[f"{side}_camids"]) for side in "qg")
    score = score_reranked(case["qf"], *query, case["gf"], *gallery, settings=wanted, metric="euclidean", max_rank=5)
    assert score.mAP == pytest.approx(record["oracle_mAP"], abs=1e-12)
    assert score.cmc[0] == pytest.approx(record["oracle_r1"], abs=1e-12)


@given(
    seed=st.integers(0, 10_000),
    k1=st.sampled_from([1, 3, 5, 7, 20, 60]),
    k2=st.sampled_from([1, 2, 6, 9]),
    share=st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(deadline=None, max_examples=40)
def test_equals_the_dense_formulas(seed, k1, k2, share):
    query, gallery = draw(seed)
    sparse = k_reciprocal(query, gallery, k1=k1, k2=k2, lambda_value=share)
    np.testing.assert_allclose(sparse, dense(query, gallery, k1, k2, share), rtol=0, atol=1e-6)


def test_copies_in_the_gallery_keep_the_dense_order():
    query, gallery = draw(0)
    gallery[20:30] = gallery[:10]
    np.testing.assert_allclose(k_reciprocal(query, gallery), dense(query, gallery, 20, 6, 0.3), rtol=0, atol=1e-6)


def test_share_of_one_is_the_plain_order():
    query, gallery = draw(1)
    plain = ((query[:, None] - gallery[None]) ** 2).sum(axis=2)
    assert np.array_equal(np.argsort(k_reciprocal(query, gallery, lambda_value=1.0)), np.argsort(plain))


def test_cosine_is_the_distance_of_unit_features():
    query, gallery = draw(2)
    unit = [side / np.linalg.norm(side.astype(np.float64), axis=1, keepdims=True) for side in (query, gallery)]
    np.testing.assert_allclose(k_reciprocal(query, gallery, metric="cosine"), k_reciprocal(*unit), rtol=0, atol=1e-6)


def test_blocks_are_the_whole_in_pieces(monkeypatch):
    query, gallery = draw(3)
    whole = k_reciprocal(query, gallery)
    monkeypatch.setattr("dcac.evaluation.rerank.BLOCK_VALUES", 5 * 40)
    monkeypatch.setattr("dcac.evaluation.ranking.neighbours.BLOCK_VALUES", 7 * 52)
    blocks = list(k_reciprocal(query, gallery, blocks=True))
    assert [len(block) for block in blocks] == [5, 5, 2]
    np.testing.assert_allclose(np.concatenate(blocks), whole, rtol=0, atol=1e-7)
    assert whole.dtype == blocks[0].dtype == np.float32


def test_released_setting_is_fifty_and_fifteen():
    query, gallery = draw(4, gallery=90)
    explicit = k_reciprocal(query, gallery, k1=50, k2=15, lambda_value=0.3)
    assert np.array_equal(k_reciprocal(query, gallery, released=True), explicit)
    assert (RELEASED.k1, RELEASED.k2, PUBLISHED.k1, PUBLISHED.k2) == (50, 15, 20, 6)


def test_score_is_that_of_the_distances(make_target):
    target = make_target(0)
    labels = (*target.arguments[1:3], *target.arguments[4:])
    score = score_reranked(*target.arguments, settings=PUBLISHED, metric="euclidean", max_rank=10)
    sides = target.query_features, target.gallery_features
    assert np.array_equal(score.ap, score_distances([dense(*sides, 20, 6, 0.3)], *labels).ap, equal_nan=True)


def test_features_without_any_difference_are_refused():
    with pytest.raises(ValueError, match="all features are identical"):
        k_reciprocal(np.ones((2, 3)), np.ones((4, 3)))


@pytest.mark.parametrize("changes", [{"k1": 0}, {"k2": 0}, {"lambda_value": 1.1}, {"lambda_value": -0.1}])
def test_impossible_settings_are_refused(changes):
    with pytest.raises(ValueError, match="at least 1 and lambda_value in"):
        k_reciprocal(*draw(0), **changes)


def test_encoders_of_two_widths_are_refused():
    with pytest.raises(ValueError, match="query features have 3 values, gallery features 2"):
        k_reciprocal(np.ones((2, 3)), np.ones((4, 2)))
