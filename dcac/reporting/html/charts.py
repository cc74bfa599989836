"""Charts of a page, as Vega-Lite specifications that hold their numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

FONT = "system-ui, sans-serif"
HEIGHT = 190  # pixels of the plot
DASHES = ([1, 0], [4, 2], [2, 1], [1, 1], [8, 2], [6, 2, 1, 2], [1, 3], [8, 3, 2, 3])  # pixels: drawn, left out
SIGNIFICANT = 6  # digits of a number in a page


def lines(
    rows: Sequence[Mapping[str, Any]],
    *,
    x: str,
    y: str,
    colours: Mapping[str, str],
    detail: str | None = None,
    text: str,
    share: bool = False,
) -> dict[str, Any]:
    """Draw a line a method; colour and dashes both tell methods apart, the same in every chart of a page.

    Args:
        rows: values of `x`, `y`, `method` and, where a method has several lines, `detail`.
        x, y: keys of the values, which are the titles of the axes too; values of `x` are whole numbers.
        colours: of the methods, in their order.
        text: what the chart shows, for those who do not see it.
        share: y runs from 0 to 100.
    """
    methods = [name for name in colours if any(row["method"] == name for row in rows)]
    scale = {"domain": [0, 100]} if share else {"zero": False}
    legend = {"orient": "bottom", "title": None, "direction": "vertical", "labelLimit": 260, "symbolType": "stroke"}
    steps = [row[x] for row in rows]
    dashes = {name: DASHES[place % len(DASHES)] for place, name in enumerate(colours)}
    encoding: dict[str, Any] = {
        "x": {
            "field": _field(x),
            "type": "quantitative",
            "title": x,
            "axis": {"tickMinStep": 1, "grid": False, "format": "d"},
            "scale": {"domain": [min(steps), max(steps)], "nice": False, "zero": False},
        },
        "y": {"field": _field(y), "type": "quantitative", "title": y, "scale": scale},
        "color": {
            "field": "method",
            "type": "nominal",
            "scale": {"domain": methods, "range": [colours[name] for name in methods]},
            "legend": legend,
        },
        "strokeDash": {
            "field": "method",
            "type": "nominal",
            "scale": {"domain": methods, "range": [dashes[name] for name in methods]},
            "legend": legend,
        },
        "tooltip": [{"field": _field(key), "title": key} for key in ("method", *([detail] if detail else []), x, y)],
    }
    if detail:
        encoding["detail"] = {"field": _field(detail), "type": "nominal"}
    return {
        "description": text,
        "data": {"values": [_rounded(row) for row in rows]},
        "width": "container",
        "height": HEIGHT,
        "mark": {"type": "line", "point": {"size": 18}, "strokeWidth": 2},
        "encoding": encoding,
        "config": {"font": FONT, "axis": {"labelFontSize": 11, "titleFontSize": 12}, "view": {"stroke": None}},
    }


def _field(name: str) -> str:
    """Write the name of a field so that points and brackets do not lead into it."""
    return name.translate({ord(mark): f"\\{mark}" for mark in ".[]\\'"})


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: float(f"{v:.{SIGNIFICANT}g}") if isinstance(v, float) else v for key, v in row.items()}
