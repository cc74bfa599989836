"""Comparisons over seeds and identities, from records."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dcac.evaluation.statistics import Difference
from dcac.reporting.tables import page
from dcac.reporting.tables.comparisons import compared, interval_text, level, verdict_text
from dcac.suites import Variant

PUBLISHED = Path(__file__).parents[3] / "config/published.csv"


def test_the_mean_difference_is_that_of_the_scores(records):
    found = compared(records, "dcac", "baseline")
    assert found.mean == pytest.approx(0.0225)  # of 0.03 and 0.02 on MS, 0.01 and 0.03 on C3
    assert found.low < found.mean < found.high


def test_only_seeds_that_every_cell_has_are_compared(records):
    fewer = records[~((records["target"] == "C3") & (records["variant"] == "dcac") & (records["seed"] == 2))]
    assert compared(fewer, "dcac", "baseline").mean == pytest.approx(0.02)  # seed 1: 0.03 and 0.01


def test_a_level_is_the_mean_over_cells_and_of_one_seed_its_interval_is_over_identities(records):
    assert level(records, "dcac").mean == pytest.approx(records.loc[records["variant"] == "dcac", "mAP"].mean())
    one = records[(records["variant"] == "dcac") & (records["seed"] == 1) & (records["target"] == "MS")]
    sums = json.loads(one["identities"].iloc[0])
    draws = np.random.default_rng(0).integers(len(sums["mAP"]), size=(4000, len(sums["mAP"])))
    means = [np.take(sums["mAP"], draw).sum() / np.take(sums["queries"], draw).sum() for draw in draws]
    found = level(one, "dcac")
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.02)
    assert level(one, "unknown") is None


def test_what_learnt_from_no_source_stands_in_every_cell_of_its_target(records):
    chance = records[records["variant"] == "chance"]
    protocol = {"MA": ("MS", "C3"), "D": ("MS",)}
    found = page.at_cells(chance, protocol)
    assert list(zip(found["sources"], found["target"], strict=True)) == [("MA", "MS"), ("MA", "C3"), ("D", "MS")]


def test_without_pairs_or_sums_there_is_nothing_to_compare(records):
    assert compared(records, "dcac", "unknown") is None
    assert compared(records.drop(columns="identities"), "dcac", "baseline") is None


def test_scores_of_other_queries_are_refused(records):
    changed = {**json.loads(records.loc[0, "identities"]), "queries": [1, 2, 4]}
    records.loc[0, "identities"] = json.dumps(changed)
    with pytest.raises(ValueError, match="two scores on MS with seed 1 are of different queries"):
        compared(records, "dcac", "baseline")


@pytest.mark.parametrize(
    ("pairs", "verdict", "text"),
    [
        (1, "higher", "higher in this pair of runs"),
        (2, "lower", "lower in these 2 pairs of runs"),
        (3, "better", "better"),
        (1, "no clear difference", "no clear difference in this pair of runs"),
    ],
)
def test_a_verdict_over_few_seeds_says_of_what_it_speaks(pairs, verdict, text):
    assert verdict_text(Difference(0.0, 0.0, 0.0, verdict), pairs) == text


def test_an_interval_is_written_in_percent_points():
    assert interval_text(Difference(0.01, -0.0012, 0.0234, "no clear difference")) == "[-0.12, +2.34]"


def test_a_table_prints_the_difference_to_baseline_and_control(suite, variants, records, remark):
    placebo = records[records["variant"] == "dcac"].assign(variant="dcac-placebo")
    placebo = placebo.assign(mAP=placebo["mAP"] - 0.01)
    placebo["identities"] = [
        json.dumps({**sums, "mAP": [total - 0.01 * n for total, n in zip(sums["mAP"], sums["queries"], strict=True)]})
        for sums in map(json.loads, placebo["identities"])
    ]
    known = variants | {
        "dcac": Variant("DCAC (ours)", {}, control="dcac-placebo"),
        "dcac-placebo": Variant("DCAC, placebo", {}),
    }
    changed = suite.model_copy(update={"variants": tuple(known), "remark": remark})
    shown = page.Page("dg_single", changed, pd.concat([records, placebo]), PUBLISHED, known)
    summary = shown.summary.set_index("method")
    ours, control = summary.loc["DCAC (ours)"], summary.loc["DCAC, placebo"]
    assert ours["mAP − baseline"] == "+2.25 ± 0.35" and control["mAP − baseline"] == "+1.25 ± 0.35"
    assert (ours["control"], ours["mAP − control"]) == ("DCAC, placebo", "+1.00 ± 0.00")
    assert ours["interval of mAP − control"] == "[+1.00, +1.00]"
    assert ours["verdict on mAP − control"] == "higher in these 2 pairs of runs"
    assert control["mAP − control"] == "–"
    assert "minus its control +1.00 ± 0.00" in shown.notes[-1]
