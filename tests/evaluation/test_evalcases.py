"""Every case of `cases/` with a float64 oracle, scored to its last digit."""

import json
from pathlib import Path

import numpy as np
import pytest

from dcac.evaluation.metrics import score_ranking

CASES = Path(__file__).parent / "cases"
ORACLES = [
    (path.stem, name)
    for path in sorted(CASES.glob("[0-9]*.json"))
    for name, oracle in json.loads(path.read_text())["oracle"].items()
    if "stable" in oracle
]


def read_case(name):
    return json.loads((CASES / f"{name}.json").read_text()), dict(np.load(CASES / f"{name}.npz"))


def score_case(case, metric, max_rank, **options):
    sides = [case[side + field] for side in ("q_", "g_") for field in ("pids", "camids")]
    return score_ranking(case["qf"], *sides[:2], case["gf"], *sides[2:], metric=metric, max_rank=max_rank, **options)


def without_junk(case):
    keep = case["g_pids"] >= 0
    return case | {key: case[key][keep] for key in ("gf", "g_pids", "g_camids")}


@pytest.mark.parametrize("device", [None, "cpu"])
@pytest.mark.parametrize(("name", "kind"), ORACLES)
def test_case_equals_its_oracle(name, kind, device):
    record, case = read_case(name)
    if (case["g_pids"] < 0).any():
        if "drop" not in kind:
            with pytest.raises(ValueError, match=r"gallery_pids row \d+ is -1"):
                score_case(case, kind, record["max_rank"])
            return
        case = without_junk(case)
    oracle = record["oracle"][kind]
    score = score_case(case, kind.split("_")[0], record["max_rank"], device=device)
    assert score.num_valid_queries == oracle["n_valid"]
    valid = oracle["valid_queries"]
    assert np.array_equal(np.flatnonzero(~np.isnan(score.ap)), valid)
    np.testing.assert_allclose(score.ap[valid], oracle["stable"]["ap"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(score.inp[valid], oracle["stable"]["inp"], rtol=0, atol=1e-9)
    assert np.array_equal(score.first_rank[valid], oracle["stable"]["first"])
    for ours, theirs in [
        (score, oracle["stable"]),
        (score.optimistic, oracle["optimistic"]),
        (score.pessimistic, oracle["pessimistic"]),
    ]:
        assert ours.mAP == pytest.approx(theirs["mAP"], abs=1e-9)
        assert ours.mINP == pytest.approx(theirs["mINP"], abs=1e-9)
        np.testing.assert_allclose(ours.cmc, theirs["cmc"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_case_without_any_match_is_refused(metric):
    record, case = read_case("08_no_valid_query")
    with pytest.raises(ValueError, match="no query has a valid match"):
        score_case(case, metric, record["max_rank"])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_case_with_nan_names_the_row(metric):
    record, case = read_case("22_nan_feature")
    row = np.flatnonzero(np.isnan(case["gf"]).any(axis=1))[0]
    with pytest.raises(ValueError, match=f"gallery_features row {row} holds NaN"):
        score_case(case, metric, record["max_rank"])
