"""Records flatten score files without losing or rounding a number."""

import json
import math

import pytest

from dcac.reporting import metrics, records
from dcac.reporting.tables.recorded import SPLITS, read_records

SCORE = {
    "meta": {
        "suite": "smoke",
        "variant": "dcac",
        "sources": "none",
        "target": "b",
        "seed": 1,
        "diagnostics": {"p_max": 0.125, "loss_id": 3.0},
        "data": {"version": "v1", "variant": "detected", "standard": False},
        "code": {"train": "abc"},
    },
    "mAP": 0.123456789012345,
    "mINP": 0.1,
    "rank1": 0.2,
    "rank5": 0.3,
    "rank10": 0.4,
    "num_query": 4,
    "num_gallery": 5,
    "num_valid_queries": 3,
    "num_ids": 2,
    "interval": {"mAP": [0.1, 0.2], "rank1": [0.15, 0.25]},
    "against": {"difference": {"mAP": {"verdict": "lower"}, "rank1": {"verdict": "higher"}}},
    "identities": {"pid": [3, 5], "queries": [2, 1], "mAP": [0.25, 0.12], "rank1": [1, 0]},
    "cmc": [0.2, 0.4],
    "code": "def",
}


def test_a_record_keeps_every_digit_and_the_stamps(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps(SCORE))
    records.run(scores=[path], out=tmp_path / "r.csv")
    (row,) = read_records(tmp_path / "r.csv").to_dict("records")
    assert row["mAP"] == 0.123456789012345
    assert row["sources"] == "none"  # a word, not a missing value
    assert (row["mAP_low"], row["mAP_high"], row["mAP_verdict"]) == (0.1, 0.2, "lower")
    assert row["p_max"] == 0.125 and row["data_variant"] == "detected"
    assert json.loads(row["code"]) == {"score": "def", "train": "abc"}
    assert json.loads(row["cmc"]) == [0.2, 0.4]
    assert json.loads(row["identities"]) == SCORE["identities"]


def test_a_record_says_over_how_many_splits_it_is_a_mean(tmp_path):
    splits = {"count": 10, "mAP_sd": 0.0123456789012345, "rank1_sd": 0.03, "each": [], "seed": "s"}
    other = {**SCORE["meta"], "target": "ten"}
    for name, score in (("one", SCORE), ("ten", {**SCORE, "meta": other, "splits": splits})):
        (tmp_path / f"{name}.json").write_text(json.dumps(score))
    records.run(scores=[tmp_path / "one.json", tmp_path / "ten.json"], out=tmp_path / "r.csv")
    one, ten = read_records(tmp_path / "r.csv")[list(SPLITS)].to_numpy().tolist()
    assert one[0] == 1 and all(math.isnan(sd) for sd in one[1:])
    assert ten == [10, 0.0123456789012345, 0.03]


def test_records_are_sorted_by_name_whatever_the_order_given(tmp_path):
    paths = []
    for seed in (1, 0):
        path = tmp_path / f"{seed}.json"
        path.write_text(json.dumps({**SCORE, "meta": {**SCORE["meta"], "seed": seed}}))
        paths.append(path)
    records.run(scores=paths, out=tmp_path / "a.csv")
    records.run(scores=paths[::-1], out=tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_metrics_average_over_cells_and_seeds_in_percent(tmp_path):
    for seed in (1, 2):
        score = {**SCORE, "mAP": SCORE["mAP"] * seed, "meta": {**SCORE["meta"], "seed": seed}}
        (tmp_path / f"{seed}.json").write_text(json.dumps(score))
    records.run(scores=[tmp_path / "1.json", tmp_path / "2.json"], out=tmp_path / "single-source.csv")
    metrics.run(records=[tmp_path / "single-source.csv"], out=tmp_path / "metrics.json")
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "single-source": {"dcac": {"mAP": 18.52, "rank1": 20.0}}
    }


def test_a_score_given_twice_is_named_and_not_counted_twice(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(SCORE))
    with pytest.raises(ValueError, match=r"b.json scores suite smoke, variant dcac, .*seed 1, as another file does"):
        records.run(scores=[tmp_path / "a.json", tmp_path / "b.json"], out=tmp_path / "r.csv")
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(SCORE)[:100], "is damaged or was copied in part"),
        ("", "is damaged or was copied in part"),
        ("[]", "holds a JSON list, not an object"),
        ("{}", "lacks 'meta'"),
    ],
)
def test_a_damaged_score_file_is_named_with_the_remedy(tmp_path, content, message):
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(ValueError, match=rf"s.json {message}.*; delete it and score the features again"):
        records.run(scores=[tmp_path / "s.json"], out=tmp_path / "r.csv")


def test_a_score_of_foreign_features_is_told_what_a_table_needs(tmp_path):
    (tmp_path / "s.json").write_text(json.dumps({**SCORE, "meta": {"seed": 1, "sources": "none"}}))
    with pytest.raises(
        ValueError, match=r"s\.json does not say suite, variant, target, code of its features.*write these"
    ):
        records.run(scores=[tmp_path / "s.json"], out=tmp_path / "r.csv")


def test_a_record_that_stands_twice_is_not_counted_twice(tmp_path):
    (tmp_path / "s.json").write_text(json.dumps(SCORE))
    records.run(scores=[tmp_path / "s.json"], out=tmp_path / "r.csv")
    head, row = (tmp_path / "r.csv").read_text().splitlines()
    (tmp_path / "r.csv").write_text("\n".join([head, row, row]) + "\n")
    with pytest.raises(ValueError, match=r"r.csv is damaged .*a score stands in it twice"):
        read_records(tmp_path / "r.csv")


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", '"'])
def test_a_damaged_record_file_is_named_with_the_remedy(tmp_path, content):
    (tmp_path / "r.csv").write_text(content)
    with pytest.raises(ValueError, match=r"r.csv is damaged or was copied in part .*collect the score files again"):
        read_records(tmp_path / "r.csv")
