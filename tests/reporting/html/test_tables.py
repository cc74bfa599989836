"""Tables as HTML: heads of two rows, the paper's numbers beside ours, nothing but text from the configuration."""

import re
from pathlib import Path

import pytest

from dcac.reporting.html.tables import content, html_page
from dcac.reporting.html.template import LIBRARIES, libraries, look
from dcac.reporting.tables.page import Page

PUBLISHED = Path(__file__).parents[3] / "config/published.csv"


@pytest.fixture
def page(suite, variants, records):
    """The table of the small records."""
    return Page("dg_single", suite, records, PUBLISHED, variants)


def test_the_head_names_sources_above_targets(page):
    (block,) = content(page)["blocks"]
    assert block["groups"] == [("MA", 4)] and block["columns"] == ["MS mAP", "MS R1", "C3 mAP", "C3 R1"]
    text = html_page(page)
    assert '<th scope="colgroup" colspan="4">MA</th>' in text and "co_50%" in text and "Single &amp; co" in text


def test_the_papers_number_and_the_difference_stand_beside_ours(page):
    (block,) = content(page)["blocks"]
    rows = {row["name"]: row["numbers"] for row in block["rows"]}
    assert not any("−" in name for name in rows), "differences have no rows of their own"
    mAP, rank1, *_ = rows["DCAC (ours)"]
    assert mAP.text == "23.5 ± 0.7" and mAP.place == "best" and float(mAP.sort) == 23.5
    assert mAP.beside[-1] == "paper 23.4 (+0.1)" and rank1.beside == ("paper 52.1 (-0.1)",)
    difference, verdict, _ = mAP.beside
    assert re.fullmatch(r"\+2\.50 \[[+-]\d\.\d\d, [+-]\d\.\d\d\]", difference) and verdict.endswith(
        "these 2 pairs of runs"
    )
    assert rows["CBN"][2].text == "–" and rows["CBN"][2].sort == ""


def test_a_table_by_itself_leads_nowhere(page):
    assert "href" not in html_page(page)
    (block,) = content(page, lambda variant, cell: f"{variant}-{cell.target}")["blocks"]
    links = {number.link for row in block["rows"] for number in row["numbers"]}
    assert {"dcac-MS", "baseline-C3"} <= links and "" in links, "published numbers have nothing behind them here"


def test_the_libraries_end_no_script_and_name_no_other_file():
    text = libraries()
    assert "</script" not in text and "sourceMappingURL" not in text and len(LIBRARIES) == 5
    assert re.fullmatch("[0-9a-f]{12}", look())
