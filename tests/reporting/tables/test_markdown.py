"""Texts within a pipe table stay within their cells."""

import re

import pandas as pd

from dcac.reporting.tables.cells import Cell, Row, Value
from dcac.reporting.tables.markdown import block, grid, trained_on, turned


def cells(line):
    """Split a row at the pipes that Markdown counts."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_a_pipe_or_line_break_in_a_label_does_not_end_its_cell():
    cell = Cell("MA", "C3")
    values = {(cell, metric): Value(50.0, None, 1) for metric in ("mAP", "rank1")}
    lines = block([cell], [Row("p(y|x)\nof ours", "run", values)]).splitlines()
    assert len(lines) == 3 and {len(cells(line)) for line in lines} == {3}
    assert cells(lines[2])[0] == r"p(y\|x) of ours"


def test_a_pipe_in_a_head_or_a_grid_does_not_end_its_cell():
    lines = grid(pd.DataFrame({"a|b": ["c|d", "–"], "e": ["f", "g"]})).splitlines()
    assert {len(cells(line)) for line in lines} == {2}
    assert cells(lines[0])[0] == r"a\|b" and cells(lines[2])[0] == r"c\|d"


def test_a_common_source_is_said_once_above_its_targets():
    shared, apart = [Cell("MA", "D"), Cell("MA", "C3")], [Cell("MA", "D"), Cell("D", "MA")]
    assert trained_on(shared) == ["**Trained on MA**"] and trained_on(apart) == trained_on(shared[:1]) == []
    assert cells(block(shared, []).splitlines()[0])[1:] == ["D mAP", "D R1", "C3 mAP", "C3 R1"]
    assert cells(block(apart, []).splitlines()[0])[1::2] == ["MA → D mAP", "D → MA mAP"]


def test_few_methods_stand_side_by_side_and_many_below_each_other():
    few = pd.DataFrame({"method": ["a", "b"], "mAP": ["1.0", "2.0"]})
    assert [cells(line) for line in turned(few).splitlines()][::2] == [["method", "a", "b"], ["mAP", "1.0", "2.0"]]
    many = pd.DataFrame({"method": list("abcde"), "mAP": ["1.0"] * 5})
    assert turned(many) == grid(many)
