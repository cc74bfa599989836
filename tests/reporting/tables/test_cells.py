"""Means, published rows and paired differences, against numbers worked by hand."""

from pathlib import Path

import pandas as pd
import pytest

from dcac.reporting.tables.cells import (
    Cell,
    blocks,
    differences_to_paper,
    narrow_blocks,
    own_rows,
    paired_differences,
    published_rows,
)
from dcac.suites import load_suite

PUBLISHED = Path(__file__).parents[3] / "config/published.csv"
CELLS = [Cell("MA", "MS"), Cell("MA", "C3")]
LABELS = {"baseline": "Baseline (ours)", "dcac": "DCAC (ours)"}


def test_mean_and_sample_sd_over_seeds_are_in_percent(records):
    (baseline,) = own_rows(records, CELLS, ["baseline"], LABELS)
    value = baseline.values[CELLS[0], "mAP"]
    assert value.mean == pytest.approx(21.0)
    assert value.sd == pytest.approx(2**0.5)  # 20 and 22: squared deviations 1 + 1, over n - 1
    assert value.n == 2


def test_references_have_one_number_and_no_sd(records):
    (chance,) = own_rows(records, CELLS, ["chance"], {})
    assert chance.kind == "reference"
    assert chance.values[CELLS[1], "rank1"] == (pytest.approx(2.0), None, 1)


def test_published_rows_keep_the_papers_order_and_marks():
    cells = [Cell("MA", "D"), Cell("MA", "MS"), Cell("MA", "C3"), Cell("D", "MA"), Cell("D", "MS"), Cell("D", "C3")]
    rows = published_rows(PUBLISHED, "single-source", ["DCAC Table 2"], cells)
    names = [row.name for row in rows]
    assert names[0] == "SNR" and names[-2:] == ["DCAC baseline", "DCAC"]
    assert "MDA †" in names and "TransMatcher ‡" in names
    assert rows[-2].values[Cell("MA", "D"), "mAP"].mean == 47.8
    assert (Cell("MA", "D"), "mAP") not in rows[names.index("TransMatcher ‡")].values


def test_rows_of_equal_cells_stay_with_their_protocol():
    """CLIP-FGDI Table II prints Protocol-2 and Protocol-3 side by side, on the same sources and targets."""
    cell = Cell("MA+MS+CS", "C3")
    found = {
        protocol: {row.name: row.values[cell, "mAP"].mean for row in rows}
        for protocol in ("Protocol-2", "Protocol-3")
        if (rows := published_rows(PUBLISHED, protocol, ["CLIP-FGDI Table II"], [cell]))
    }
    assert (found["Protocol-2"]["CLIP-FGDI"], found["Protocol-3"]["CLIP-FGDI"]) == (44.4, 50.1)
    assert set(found["Protocol-3"]) - set(found["Protocol-2"]) == {"META+IL"}


def test_origins_follow_each_other_as_named():
    cells = [Cell("MA+C3+C2+CS", target) for target in ("PRID", "GRID", "VIPeR", "iLIDS")]
    rows = published_rows(PUBLISHED, "Protocol-1", ["CLIP-FGDI Table I", "CLIP-DFGS Table 1"], cells)
    assert [row.name for row in rows][-3:] == ["CLIP-FGDI", "DFF", "CLIP-DFGS"]
    assert [row.name for row in rows][:2] == ["QAConv50", "M3L"]


@pytest.mark.parametrize("name", ["protocol-1", "protocol-1-duke", "protocol-2", "protocol-3"])
def test_notes_name_what_is_special_about_published_rows(name):
    suite = load_suite(name, PUBLISHED.parent)
    for table in suite.tables.values():
        cells = [Cell(sources, t) for sources, targets in suite.protocols[table.protocol].items() for t in targets]
        rows = pd.read_csv(PUBLISHED, keep_default_na=False)
        rows = rows[(rows["protocol"] == table.protocol) & rows["origin"].isin(table.published)]
        rows = rows[
            [(sources, target) in cells for sources, target in zip(rows["sources"], rows["target"], strict=True)]
        ]
        assert set(rows["origin"]) == set(table.published)
        assert not rows.duplicated(["method", "sources", "target"]).any()  # no origin overwrites another
        assert not rows["flags"].str.contains("secondary|quoted").any()
        for method in rows.loc[rows["flags"] != "", "method"]:
            assert method in table.note


def test_the_paper_suites_blocks_are_the_papers_tables():
    groups = blocks(load_suite("paper", PUBLISHED.parent).protocols["single-source"])
    assert [sorted({cell.sources for cell in group}) for group in groups] == [["D", "MA"], ["C3", "MS"]]
    assert [len(group) for group in groups] == [6, 6]


def test_paired_difference_is_seed_by_seed(records):
    pairs = paired_differences(records, "dcac", "baseline").set_index(["target", "seed"])
    assert pairs.loc[("MS", 1), "mAP_difference"] == pytest.approx(3.0)
    assert pairs.loc[("MS", 2), "mAP_difference"] == pytest.approx(2.0)
    assert pairs.loc[("C3", 2), "rank1_difference"] == pytest.approx(0.0)


def test_difference_to_the_paper_needs_both_numbers(records, variants):
    rows = published_rows(PUBLISHED, "single-source", ["DCAC Table 2"], CELLS) + own_rows(
        records, CELLS, ["baseline"], LABELS
    )
    (difference,) = differences_to_paper(rows, variants)
    assert difference.name == "Baseline (ours) − paper"
    assert difference.values[CELLS[0], "mAP"].mean == pytest.approx(21.0 - 22.0)


def test_a_narrow_block_is_of_one_source_set_or_of_single_targets():
    def shown(protocol):
        return [[str(cell) for cell in group] for group in narrow_blocks(protocol)]

    assert shown({"a": ["b", "c", "d"], "b": ["a"], "c": ["a"]}) == [["a → b", "a → c", "a → d"], ["b → a", "c → a"]]
    assert shown({"a": ["b", "c", "d", "e"]}) == [["a → b", "a → c"], ["a → d", "a → e"]]
    assert shown({code: [code] for code in "abcd"}) == [["a → a", "b → b"], ["c → c", "d → d"]]
