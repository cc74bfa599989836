"""The score step: what it writes, and what it says of two runs."""

import json
import subprocess
import sys

import numpy as np
import pandas
import pytest

from dcac.evaluation import score as step
from dcac.evaluation.metrics import score_ranking
from dcac.evaluation.rerank import RELEASED, score_reranked
from dcac.evaluation.statistics import bootstrap_means, percentile_interval
from dcac.features.feature_file import read_features, write_features


def write_target(path, *, noise, seed=0, order=None, **changes):
    """Write a target of 30 identities seen by 4 cameras; one query has no match."""
    layout = np.random.default_rng(0)
    pids, camids = np.tile(np.arange(30), 8), np.repeat(np.arange(4), 60)
    generator = np.random.default_rng(seed)
    centres = layout.standard_normal((30, 16))
    fields = {
        "features": centres[pids] + noise * generator.standard_normal((240, 16)),
        "pids": np.where(np.arange(240) == 5, 99, pids),
        "camids": camids,
        "split": np.where(np.arange(240) % 8 < 3, "query", "gallery"),
        "paths": np.array([f"{row:03}.jpg" for row in range(240)]),
    } | changes
    if order is not None:
        fields = {name: values[order] for name, values in fields.items()}
    fields["split"] = np.where(fields["pids"] == 99, "query", fields["split"])
    write_features(path, **fields, meta={"dataset": "campus", "noise": noise})
    return path


@pytest.fixture
def target(tmp_path):
    return write_target(tmp_path / "f.npz", noise=2.0)


def test_record_holds_the_score_of_the_file(target, tmp_path):
    record = step.run(target, tmp_path / "out" / "s.json", max_rank=20)
    assert record == json.loads((tmp_path / "out" / "s.json").read_text())
    file = read_features(target)
    query, gallery = file.query, file.gallery
    score = score_ranking(
        query.features, query.pids, query.camids, gallery.features, gallery.pids, gallery.camids, max_rank=20
    )
    assert (record["mAP"], record["mINP"], record["cmc"]) == (score.mAP, score.mINP, score.cmc.tolist())
    assert [record[f"rank{k}"] for k in (1, 5, 10)] == score.cmc[[0, 4, 9]].tolist()
    assert (record["mAP_optimistic"], record["mAP_pessimistic"]) == (score.mAP_optimistic, score.mAP_pessimistic)
    assert record["schema"] == 1
    assert record["meta"] == {"dataset": "campus", "noise": 2.0}
    assert (record["metric"], record["max_rank"]) == ("cosine", 20)
    assert record["num_query"] + record["num_gallery"] == 240
    assert record["num_valid_queries"] == record["num_query"] - 1
    assert record["num_ids"] == 30
    assert record["environment"]["numpy"] == np.__version__


def test_ranks_beyond_a_short_curve_are_still_true(target, tmp_path):
    short, long = (step.run(target, tmp_path / "s.json", max_rank=k) for k in (1, 50))
    assert (short["rank5"], short["rank10"]) == (long["cmc"][4], long["cmc"][9])


def test_interval_is_the_bootstrap_of_identities(target, tmp_path):
    record = step.run(target, tmp_path / "s.json")
    queries = pandas.read_parquet(tmp_path / "s.queries.parquet").dropna()
    values = np.stack([queries["ap"], queries["first_rank"] == 1], axis=1)
    interval = record["interval"]
    means = bootstrap_means(values, queries["pid"], resamples=interval["resamples"], seed=interval["seed"])
    assert interval["mAP"] == list(percentile_interval(means[:, 0], level=interval["level"]))
    assert interval["rank1"] == list(percentile_interval(means[:, 1], level=interval["level"]))
    assert interval["mAP"][0] < record["mAP"] < interval["mAP"][1]
    assert (interval["resamples"], interval["level"]) == (10_000, 0.95)


def test_table_of_queries_averages_to_the_score(target, tmp_path):
    record = step.run(target, tmp_path / "s.json")
    queries = pandas.read_parquet(tmp_path / "s.queries.parquet")
    assert queries.columns.tolist() == ["path", "pid", "camid", "ap", "inp", "first_rank"]
    assert len(queries) == record["num_query"]
    assert queries["ap"].mean() == pytest.approx(record["mAP"], abs=1e-12)
    invalid = queries[queries["pid"] == 99]
    assert invalid[["ap", "inp", "first_rank"]].isna().all(axis=None)
    assert queries["ap"].notna().sum() == record["num_valid_queries"]


def test_same_file_gives_the_same_bytes(target, tmp_path):
    for name in ("a", "b"):
        step.run(target, tmp_path / f"{name}.json")
    for ending in (".json", ".queries.parquet"):
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


@pytest.mark.parametrize(("noise", "word"), [(4.0, "higher"), (0.5, "lower")])
def test_clear_difference_has_a_verdict(target, tmp_path, noise, word):
    other = write_target(tmp_path / "other.npz", noise=noise, seed=1)
    record = step.run(target, tmp_path / "s.json", against=other)
    alone = step.run(other, tmp_path / "o.json")
    against = record["against"]
    assert against["meta"] == {"dataset": "campus", "noise": noise}
    assert (against["mAP"], against["rank1"]) == (alone["mAP"], alone["rank1"])
    difference = against["difference"]["mAP"]
    assert difference["verdict"] == word
    assert difference["mean"] == pytest.approx(record["mAP"] - alone["mAP"], abs=1e-12)
    assert difference["interval"][0] <= difference["mean"] <= difference["interval"][1]
    assert f"this pair of runs: {word}" in step.table_line(record)


def test_sums_by_identity_add_up_to_the_scores(target, tmp_path):
    record = step.run(target, tmp_path / "s.json")
    queries = pandas.read_parquet(tmp_path / "s.queries.parquet").dropna()
    sums = record["identities"]
    assert sums["pid"] == sorted(set(queries["pid"]))
    for pid, count, ap, hits in zip(*(sums[name] for name in ("pid", "queries", "mAP", "rank1")), strict=True):
        own = queries[queries["pid"] == pid]
        assert (count, hits) == (len(own), (own["first_rank"] == 1).sum())
        assert ap == pytest.approx(own["ap"].sum(), abs=1e-7)
    assert sum(sums["rank1"]) / sum(sums["queries"]) == pytest.approx(record["rank1"])


def test_run_against_itself_in_another_order_shows_no_difference(target, tmp_path):
    order = np.random.default_rng(1).permutation(240)
    other = write_target(tmp_path / "other.npz", noise=2.0, order=order)
    record = step.run(target, tmp_path / "s.json", against=other)
    for difference in record["against"]["difference"].values():
        assert difference == {"mean": 0, "interval": [0, 0], "verdict": "no clear difference"}


@pytest.mark.parametrize(
    ("changes", "side"),
    [
        ({"paths": np.array([f"{row:03}.png" for row in range(240)])}, "query"),
        ({"camids": np.repeat([0, 1, 2, 3], 60) + 1}, "query"),
        ({"paths": np.array([f"{row:03}.jpg" for row in [*range(239), 999]])}, "gallery"),
    ],
)
def test_runs_on_other_images_are_not_compared(target, tmp_path, changes, side):
    other = write_target(tmp_path / "other.npz", noise=2.0, **changes)
    with pytest.raises(ValueError, match=f"the {side} images of the two feature files differ"):
        step.run(target, tmp_path / "s.json", against=other)
    assert not (tmp_path / "s.json").exists()


def test_reranked_score_stands_apart(target, tmp_path):
    plain = step.run(target, tmp_path / "s.json")
    record = step.run(target, tmp_path / "s.json", rerank="released")
    file = read_features(target)
    query, gallery = file.query, file.gallery
    score = score_reranked(
        query.features,
        query.pids,
        query.camids,
        gallery.features,
        gallery.pids,
        gallery.camids,
        settings=RELEASED,
        metric="cosine",
        max_rank=50,
    )
    assert record["mAP"] == plain["mAP"]
    assert record["rerank"]["mAP"] == score.mAP != plain["mAP"]
    assert {key: record["rerank"][key] for key in ("setting", "k1", "k2", "lambda_value")} == {
        "setting": "released",
        "k1": 50,
        "k2": 15,
        "lambda_value": 0.3,
    }
    assert "re-ranked mAP" in step.table_line(record)


def test_unknown_reranking_is_refused(target, tmp_path):
    with pytest.raises(ValueError, match="rerank is 'best'"):
        step.run(target, tmp_path / "s.json", rerank="best")


def test_line_says_when_cameras_are_not_known(target, tmp_path):
    record = step.run(target, tmp_path / "s.json")
    assert "without cameras" not in step.table_line(record)
    blind = {**record, "meta": {**record["meta"], "data": {"dataset": "LAB", "variant": "no-cameras"}}}
    assert "without cameras: only a query's own picture is left out" in step.table_line(blind)


def test_line_gives_percent_and_counts(target, tmp_path):
    record = step.run(target, tmp_path / "s.json") | {"mAP": 0.5, "rank1": 0.25}
    line = step.table_line(record)
    assert line.startswith("mAP 50.0 [")
    assert "rank-1 25.0" in line
    assert f"({record['num_valid_queries']} queries of 30 identities, {record['num_gallery']} gallery)" in line


def test_scoring_stays_light(target, tmp_path):
    """Scoring runs a hundred times in the demo: it must not load torch, scipy or faiss."""
    code = (
        "import sys; from pathlib import Path; from dcac.evaluation.score import run; "
        f"run(Path({str(target)!r}), Path({str(tmp_path / 's.json')!r})); "
        "print(*sorted({'torch', 'scipy', 'faiss', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == []
