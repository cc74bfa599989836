"""Which numbers of a column are best and second, at the printed precision."""

from collections.abc import Sequence

from dcac.reporting.tables.cells import Cell, Row, Value

BEST, SECOND = "best", "second"


def places(rows: Sequence[Row], cell: Cell, metric: str) -> dict[str, str]:
    """Name the best and second-best rows of one column; equal printed numbers share a place."""
    competing = {
        r.name: round(r.values[cell, metric].mean, 1)
        for r in rows
        if r.kind != "difference" and (cell, metric) in r.values
    }
    ordered = sorted(set(competing.values()), reverse=True)
    places = dict(zip(ordered, (BEST, SECOND), strict=False))
    return {name: places[value] for name, value in competing.items() if value in places}


def shown(value: Value | None, *, sign: bool = False) -> str:
    """Write a value in percent with one decimal, its sd over seeds if there is one, and – where it is missing."""
    if value is None:
        return "–"
    text = f"{value.mean:+.1f}" if sign else f"{value.mean:.1f}"
    return text if value.sd is None else f"{text} ± {value.sd:.1f}"
