"""A table as HTML: what its template is filled with, and the table as a page of its own."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

import pandas as pd

from dcac.reporting.html.template import fill, read
from dcac.reporting.tables.cells import METRIC_NAMES, METRICS, Cell, Row
from dcac.reporting.tables.comparisons import INTERVAL_NOTE
from dcac.reporting.tables.markdown import DIAGNOSTICS_NOTE, diagnostic_blocks, side_by_side
from dcac.reporting.tables.page import Page
from dcac.reporting.tables.ranking import places, shown

Link = Callable[[str, Cell], str]  # from a variant and a cell to the place that a number leads to; empty: nowhere


class Number(NamedTuple):
    """One number of a table."""

    text: str
    place: str | None  # best, second
    sort: str  # by what its column is sorted
    link: str
    beside: tuple[str, ...]  # difference and verdict, the paper's own number


def nowhere(_variant: str, _cell: Cell) -> str:
    """Lead to nothing: a table by itself."""
    return ""


def html_page(page: Page) -> str:
    """Write a table as a page of its own."""
    return fill("table_page.html", style=read("style.css"), title=page.title, table=content(page))


def plain_page(title: str, notes: Sequence[str], rows: pd.DataFrame) -> str:
    """Write finished texts as a page of their own: notes, then a row each."""
    return fill("plain_page.html", style=read("style.css"), title=title, notes=notes, grid=grid(rows))


def content(page: Page, link: Link = nowhere) -> dict:
    """Collect what the template of a table shows."""
    return {
        "name": page.name,
        "title": page.title,
        "caption": page.notes[0],
        "notes": page.notes[1:],
        "blocks": [block(page, cells, rows, link) for cells, rows in page.blocks],
        "levels": grid(page.levels),
        "levels_note": INTERVAL_NOTE if "interval of mAP" in page.levels else "",
        "differences": grid(side_by_side(page.differences)),
        "diagnostics": [(sources, grid(few)) for sources, few in diagnostic_blocks(page.diagnostics)],
        "diagnostics_note": DIAGNOSTICS_NOTE,
        "marked": any(mark in row.name for _, rows in page.blocks for row in rows for mark in "†‡"),
    }


def block(page: Page, cells: Sequence[Cell], rows: Sequence[Row], link: Link) -> dict:
    """Collect a block: a head row of source sets, one of targets and metrics, and a row a method.

    The differences to the paper stand beside our numbers, not in rows of their own.
    """
    columns = [(cell, metric) for cell in cells for metric in METRICS]
    ranked = {column: places(rows, *column) for column in columns}
    paper = {row.variant: row for row in rows if row.kind == "difference"}
    body = []
    for row in (row for row in rows if row.kind != "difference"):
        numbers = []
        for cell, metric in columns:
            value = row.values.get((cell, metric))
            beside = list(page.verdicts.get((row.variant, cell), ())) if metric == "mAP" else []
            difference = paper[row.variant].values.get((cell, metric)) if row.variant in paper else None
            if value is not None and difference is not None:
                beside.append(f"paper {value.mean - difference.mean:.1f} ({difference.mean:+.1f})")
            numbers.append(
                Number(
                    shown(value),
                    ranked[cell, metric].get(row.name),
                    "" if value is None else f"{value.mean:.4f}",
                    link(row.variant, cell) if row.variant and value is not None else "",
                    tuple(beside),
                )
            )
        body.append({"name": row.name, "kind": row.kind, "numbers": numbers})
    groups = [(sources, len(list(group))) for sources, group in groupby(cell.sources for cell, _ in columns)]
    return {
        "groups": groups,
        "columns": [f"{cell.target} {METRIC_NAMES[metric]}" for cell, metric in columns],
        "rows": body,
        "about": "; ".join(f"trained on {sources}" for sources, _ in groups),
    }


def grid(table: pd.DataFrame | None) -> dict | None:
    """Collect a data frame of finished texts; None where there is nothing."""
    if table is None or table.empty:
        return None
    return {"columns": list(table.columns), "rows": table.astype(str).values.tolist()}
