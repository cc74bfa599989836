"""The figure of CMC curves: how often a match stands within the first k ranks."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dcac.reporting.figures.kind import Behind, Drawing, FigureKind
from dcac.reporting.figures.style import legible, method_colour, spread_labels

if TYPE_CHECKING:  # planning reads the declarations and does without pandas
    import pandas as pd
    from matplotlib.figure import Figure

RANKS = 20
LABEL_GAP = 5.0  # percent
TOP = 100.0  # percent, where the axis ends and the title begins


def draw_cmc(
    records: "pd.DataFrame",
    methods: Sequence[str],
    labels: Mapping[str, str],
    *,
    colours: Mapping[str, str | None],
    partners: Mapping[str, str],
    title: str,
) -> "Figure":
    """Plot the CMC curve of each method that has records, averaged over cells and seeds, with its name at the curve's end."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    ends = []
    for variant in methods:
        curves = [json.loads(text) for text in records.loc[records["variant"] == variant, "cmc"]]
        if not curves:
            continue
        curve = 100 * np.mean([c[:RANKS] for c in curves], axis=0)
        over = partners.get(variant, variant)
        style = "--" if over != variant and over in methods else "-"  # both curves are seen where they coincide
        axes.plot(np.arange(1, len(curve) + 1), curve, style, color=method_colour(variant, colours), linewidth=2)
        ends.append((curve[-1], variant))
    ends.sort()
    heights = spread_labels([end for end, _ in ends], gap=LABEL_GAP, top=TOP - LABEL_GAP / 2)
    for height, (value, variant) in zip(heights, ends, strict=True):
        axes.annotate(
            labels.get(variant, variant),
            xy=(RANKS, value),
            xytext=(RANKS + 0.5, height),
            va="center",
            color=legible(method_colour(variant, colours)),
        )
    axes.set(
        xlabel="rank k",
        ylabel="queries with a match within rank k (%)",
        xlim=(1, RANKS * 1.55),
        ylim=(0, TOP),
    )
    axes.set_title(title, pad=12)
    axes.set_xticks([1, 5, 10, 15, 20])
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def records(behind: Behind) -> list[str]:
    """Return the records of the table."""
    return [f"results/{behind.suite}/records/{behind.table}.csv"]


def draw(drawing: Drawing) -> "Figure":
    """Draw the curves of all methods of the table."""
    from dcac.reporting.tables.recorded import read_records

    return draw_cmc(
        read_records(drawing.inputs[0]),
        drawing.methods,
        drawing.labels,
        colours=drawing.colours,
        partners=drawing.partners,
        title=drawing.title,
    )


CMC = FigureKind(
    "cmc",
    runs="all",
    inputs=records,
    draw=draw,
    seen="The share of queries with a match among the first k, a curve a method, mean over the cells of the table.",
)
