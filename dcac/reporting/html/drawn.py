"""Figures of the suite within its page: vector where they are small, else as a picture."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from dcac.declared import figure_kind
from dcac.reporting.figures.style import DPI
from dcac.suites import Suite

VECTOR_LIMIT = 300_000  # bytes of an SVG file; one with pictures in it is larger, and a page holds many
INCH = 96  # pixels of a page; source: CSS
PIXELS = 1800  # width of a picture at most: a page is 1200 wide, and is printed
QUALITY = 80  # of WebP, 0 to 100


def drawn(suite: Suite, figures: Mapping[str, Path]) -> list[dict[str, Any]]:
    """Return the figures that the page may show, in the order of the suite, each with its address within the page.

    Args:
        figures: SVG files by the names of the figures, each with its PNG file beside it.
    """
    return [
        {
            "name": name,
            "title": entry.title,
            "seen": figure_kind(entry.kind).seen,
            "table": entry.table,
            "heading": suite.tables[entry.table].title,
            "shown": suite.tables[entry.table].kind == "scores" and not suite.tables[entry.table].on_demand,
            **embedded(figures[name]),
        }
        for name, entry in suite.figures.items()
        if name in figures and not hidden(suite, name)
    ]


def left_out(suite: Suite, figures: Mapping[str, Path]) -> list[str]:
    """Say of each figure that is made but not shown why."""
    return [
        f"{entry.title}: it shows real people otherwise than `report_faces: {suite.report_faces}` allows; see "
        f"results/figures/{name}.png."
        for name, entry in suite.figures.items()
        if name in figures and hidden(suite, name)
    ]


def hidden(suite: Suite, name: str) -> bool:
    """Whether a figure shows real people in a way that the page must not: pictures of sources are never blurred."""
    entry = suite.figure(name)
    kind = figure_kind(entry.kind)
    if suite.demo or suite.report_faces == "shown" or not (kind.shows_people or kind.shows_sources):
        return False
    return suite.report_faces == "none" or kind.shows_sources or entry.faces == "shown"


def embedded(path: Path) -> dict[str, Any]:
    """Return a figure as a data address, with the width and height that it is drawn in, in pixels of the page.

    Args:
        path: SVG file; the PNG file beside it gives the size, and the picture where the vectors are many.
    """
    with Image.open(path.with_suffix(".png")) as opened:
        scale = INCH / DPI
        size = {"width": round(scale * opened.width), "height": round(scale * opened.height)}
        if path.stat().st_size <= VECTOR_LIMIT:
            return {"address": address("image/svg+xml", path.read_bytes()), **size}
        shape = (PIXELS, round(PIXELS * opened.height / opened.width))
        picture = opened.convert("RGB").resize(shape) if opened.width > PIXELS else opened.convert("RGB")
    stream = io.BytesIO()
    picture.save(stream, format="WEBP", quality=QUALITY, method=6)
    return {"address": address("image/webp", stream.getvalue()), **size}


def address(kind: str, content: bytes) -> str:
    """Return a content of some media type as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
