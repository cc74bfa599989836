"""Given distances of some pairs are mixed in exactly; what a slow loop over all pairs says is said here too."""

import json

import numpy as np
import pytest

from dcac.evaluation import score
from dcac.evaluation.extra_distances import ExtraDistances, read_extra, score_mixed
from dcac.evaluation.metrics import score_distances
from dcac.evaluation.rerank import PUBLISHED, KReciprocal, score_reranked
from dcac.features.feature_file import write_features

SMALL = KReciprocal(k1=4, k2=2, lambda_value=0.3)


def draw(seed, *, queries=12, gallery=40, people=6, digits=None):
    """Return features and labels of queries and gallery."""
    generator = np.random.default_rng(seed)
    query, others = generator.normal(size=(queries, 5)), generator.normal(size=(gallery, 5))
    if digits is not None:  # many ties
        query, others = query.round(digits), others.round(digits)
    labels = generator.integers(0, people, queries), generator.integers(0, 3, queries)
    theirs = generator.integers(0, people, gallery), generator.integers(0, 3, gallery)
    return query.astype(np.float32), *labels, others.astype(np.float32), *theirs


def some_pairs(seed, *, queries=12, gallery=40, weight=0.4, reach=2.0):
    """Draw distances for a third of all pairs; some queries have none."""
    generator = np.random.default_rng(seed)
    chosen = np.argwhere((generator.random((queries, gallery)) < 0.5) & (np.arange(queries) % 3 > 0)[:, None])
    return ExtraDistances(chosen[:, 0], chosen[:, 1], generator.random(len(chosen)) * reach, weight)


def slow_matrix(query, gallery, extra, metric):
    """Distances of all pairs by the definition, in float64."""
    q, g = query.astype(np.float64), gallery.astype(np.float64)
    if metric == "cosine":
        q, g = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (q, g))
        matrix = 1 - (q[:, None] * g[None]).sum(axis=2)
    else:
        matrix = ((q[:, None] - g[None]) ** 2).sum(axis=2)
    for row, column, given in zip(extra.query, extra.gallery, extra.distance, strict=True):
        matrix[row, column] = (1 - extra.weight) * matrix[row, column] + extra.weight * given
    return matrix


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("reach", [2.0, 500.0])
@pytest.mark.parametrize("seed", range(4))
def test_mixed_scores_are_those_of_the_mixed_matrix(metric, reach, seed):
    target, extra = draw(seed), some_pairs(seed + 10, reach=reach)
    query, qp, qc, gallery, gp, gc = target
    got = score_mixed(*target, extra=extra, metric=metric, max_rank=10)
    wanted = score_distances([slow_matrix(query, gallery, extra, metric)], qp, qc, gp, gc, max_rank=10)
    assert np.array_equal(got.ap, wanted.ap, equal_nan=True) and np.array_equal(got.cmc, wanted.cmc)


def test_near_ties_between_mixed_and_own_distances_are_settled_exactly():
    """Given distances that repeat another pair's own distance, with weight 1, tie with it: gallery order decides."""
    query = np.array([[1.0, 0.0]], np.float32)
    gallery = np.array([[0.6, 0.8], [0.0, 1.0], [0.6, 0.8]], np.float32)
    own = float(1 - np.float64(np.float32(0.6)) / np.linalg.norm(gallery[0].astype(np.float64)))
    labels = np.array([1]), np.array([0])
    for given, ranks in ((own, [2]), (np.nextafter(own, 0), [1]), (np.nextafter(own, 1), [3])):
        extra = ExtraDistances(np.array([0]), np.array([1]), np.array([given]), 1.0)
        got = score_mixed(
            query, *labels, gallery, np.array([2, 1, 3]), np.array([1, 1, 1]), extra=extra, metric="cosine", max_rank=3
        )
        assert got.matches.rank.tolist() == ranks


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_weight_zero_and_no_pairs_change_nothing(metric):
    from dcac.evaluation.metrics import score_ranking

    target = draw(3, digits=1)
    plain = score_ranking(*target, metric=metric, max_rank=10)
    none = ExtraDistances(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), 0.7)
    for extra in (some_pairs(5, weight=0.0), none):
        got = score_mixed(*target, extra=extra, metric=metric, max_rank=10)
        assert np.array_equal(got.ap, plain.ap, equal_nan=True)


def slow_rerank(matrix, num_query, settings):
    """Re-rank by the paper's recipe on a whole matrix of original distances [N, N]."""
    size = len(matrix)
    scaled = matrix / matrix.max(axis=1, keepdims=True)
    near = np.argsort(matrix, axis=1, kind="stable")
    weights = np.zeros((size, size))
    for row in range(size):

        def reciprocal(i, k):
            return [j for j in near[i, : k + 1] if i in near[j, : k + 1]]

        own = reciprocal(row, settings.k1)
        members = set(own)
        for j in own:
            half = reciprocal(j, round(settings.k1 / 2))
            if len(set(half) & set(own)) > 2 / 3 * len(half):
                members |= set(half)
        members = sorted(members)
        weights[row, members] = np.exp(-scaled[row, members])
        weights[row] /= weights[row].sum()
    if settings.k2 > 1:
        weights = np.stack([weights[near[row, : settings.k2]].mean(axis=0) for row in range(size)])
    shared = np.minimum(weights[:num_query, None], weights[None, num_query:]).sum(axis=2)
    jaccard = 1 - shared / (2 - shared)
    return (1 - settings.lambda_value) * jaccard + settings.lambda_value * scaled[:num_query, num_query:]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_mixed_distances_go_into_the_re_ranking(metric):
    target, extra = draw(7), some_pairs(8, weight=0.5)
    query, qp, qc, gallery, gp, gc = target
    everything = np.concatenate([query, gallery])
    matrix = slow_matrix(everything, everything, extra.both_ways(len(query)), metric)
    wanted = score_distances([slow_rerank(matrix, len(query), SMALL)], qp, qc, gp, gc, max_rank=10)
    got = score_reranked(*target, settings=SMALL, metric=metric, max_rank=10, extra=extra)
    np.testing.assert_allclose(got.ap, wanted.ap, atol=1e-12)
    plain = score_reranked(*target, settings=SMALL, metric=metric, max_rank=10)
    assert not np.allclose(got.ap, plain.ap, equal_nan=True)


@pytest.fixture
def features(tmp_path):
    """A feature file."""
    query, qp, qc, gallery, gp, gc = draw(1, queries=60, gallery=80)
    path = tmp_path / "f.npz"
    meta = {"suite": "s", "code": {}}
    split = ["query"] * 60 + ["gallery"] * 80
    labels = {"pids": np.concatenate([qp, gp]), "camids": np.concatenate([qc, gc]), "split": split}
    write_features(
        path, features=np.concatenate([query, gallery]), **labels, paths=[str(i) for i in range(140)], meta=meta
    )
    return path


def write_pairs(path, **arrays):
    np.savez(path, **({"query": [0, 0, 1], "gallery": [0, 1, 5], "distance": [0.1, 0.2, 0.3]} | arrays))
    return path


def test_the_record_says_what_was_mixed_in(features, tmp_path):
    pairs = write_pairs(tmp_path / "pairs.npz")
    plain = score.run(features, tmp_path / "plain.json")
    record = score.run(features, tmp_path / "s.json", extra_distances=pairs, extra_weight=0.25, rerank="published")
    told = json.loads((tmp_path / "s.json").read_text())["extra_distances"]
    assert told == {**record["extra_distances"], "weight": 0.25, "pairs": 3, "others": "unchanged", "file": "pairs.npz"}
    assert record["made"]["settings"] == {"rerank": "published", "extra_weight": 0.25}
    assert "extra distances" in record["made"]["inputs"] and "extra_distances" not in plain
    assert "3 pairs mixed with given distances, weight 0.25" in score.table_line(record)
    assert PUBLISHED.k1 == record["rerank"]["k1"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"query": [0, 0, 60]}, r"query row 60 is not within 0..59"),
        ({"gallery": [0, -1, 2]}, r"gallery row -1 is not within 0..79"),
        ({"gallery": [1, 1, 5]}, r"pair of query 0 and gallery 1 is given twice"),
        ({"distance": [0.1, np.nan, 0.3]}, r"distance nan of pair 1 is no number of at least 0"),
        ({"distance": [0.1, 0.2, -0.3]}, r"distance -0.3 of pair 2"),
        ({"distance": [0.1, 0.2]}, r"distance \[2\]; give one value a pair"),
        ({"query": [0.0, 0.0, 1.0]}, r"query float64.*give integers"),
    ],
)
def test_a_faulty_file_is_refused_with_the_pair(tmp_path, arrays, message):
    with pytest.raises(ValueError, match=message):
        read_extra(write_pairs(tmp_path / "p.npz", **arrays), weight=0.5, num_query=60, num_gallery=80)


def test_options_that_do_not_go_together_are_refused(features, tmp_path):
    pairs = write_pairs(tmp_path / "pairs.npz")
    with pytest.raises(ValueError, match="go together; give --extra-distances FILE and --extra-weight W"):
        score.run(features, tmp_path / "s.json", extra_distances=pairs)
    with pytest.raises(ValueError, match="leave --device and --metric both out"):
        score.run(features, tmp_path / "s.json", extra_distances=pairs, extra_weight=0.5, metric="both")
    np.savez(tmp_path / "q.npz", query=[0])
    with pytest.raises(ValueError, match="lacks 'gallery'"):
        score.run(features, tmp_path / "s.json", extra_distances=tmp_path / "q.npz", extra_weight=0.5)
    with pytest.raises(ValueError, match=r"weight 1.5 .* is not within 0..1"):
        score.run(features, tmp_path / "s.json", extra_distances=pairs, extra_weight=1.5)


def test_both_metrics_are_given_apart(features, tmp_path):
    both = score.run(features, tmp_path / "b.json", metric="both")
    cosine, euclidean = (score.run(features, tmp_path / "o.json", metric=name) for name in ("cosine", "euclidean"))
    assert both["mAP"] == cosine["mAP"] and both["other_metric"]["mAP"] == euclidean["mAP"]
    assert both["other_metric"]["interval"]["rank1"] == euclidean["interval"]["rank1"]
    assert both["mAP"] != both["other_metric"]["mAP"]


def test_distractors_are_counted(features, tmp_path):
    record = score.run(features, tmp_path / "s.json")
    assert record["num_distractors"] == 0
    write_features(
        tmp_path / "d.npz", features=np.eye(4), pids=[1, 1, 7, 7], camids=[0, 1, 0, 1],
        split=["query", "gallery", "gallery", "gallery"], paths=list("abcd"), meta={"code": {}},
    )  # fmt: skip
    assert score.run(tmp_path / "d.npz", tmp_path / "d.json")["num_distractors"] == 2
