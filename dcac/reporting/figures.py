"""Draw one figure from records. In: the records of a protocol. Out: {figure}.pdf and {figure}.png."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dcac.config import Suite
from dcac.provenance import atomic
from dcac.reporting.records import read_records
from dcac.reporting.tables import LABELS

COLOURS = {  # Okabe and Ito's colour-blind-safe palette, one fixed colour a method
    "chance": "#999999",
    "histogram": "#E69F00",
    "pretrained": "#56B4E9",
    "baseline": "#0072B2",
    "dcac": "#D55E00",
}
RANKS = 20


def run(*, name: str, suite: Suite, records: Path, out: Sequence[Path]) -> None:
    """Draw the figure in the format that each output's suffix names."""
    import matplotlib

    matplotlib.use("Agg")
    figure = draw_cmc(read_records(records), suite, title=f"{suite.title}: {suite.figure(name).title}")
    for path in out:
        with atomic(path) as temporary:
            metadata = {"CreationDate": None} if path.suffix == ".pdf" else {}
            figure.savefig(temporary, format=path.suffix[1:], dpi=150, metadata=metadata)


def draw_cmc(records: pd.DataFrame, suite: Suite, *, title: str):
    """Plot each method's CMC curve, averaged over cells and seeds, with its name at the curve's end."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    ends = []
    for variant in (*suite.references, *suite.variants):
        curves = [json.loads(text) for text in records.loc[records["variant"] == variant, "cmc"]]
        if not curves:
            continue
        curve = 100 * np.mean([c[:RANKS] for c in curves], axis=0)
        style = "--" if variant == "dcac" else "-"
        axes.plot(np.arange(1, len(curve) + 1), curve, style, color=COLOURS.get(variant, "#009E73"), linewidth=2)
        ends.append((curve[-1], variant))
    for height, (value, variant) in zip(spread_labels([value for value, _ in sorted(ends)]), sorted(ends), strict=True):
        axes.annotate(
            LABELS.get(variant, variant),
            (RANKS, value),
            xytext=(RANKS + 0.5, height),
            color=COLOURS.get(variant, "#009E73"),
            va="center",
        )
    axes.set(
        xlabel="rank k",
        ylabel="queries with a match within rank k (%)",
        xlim=(1, RANKS * 1.55),
        ylim=(0, 100),
        title=title,
    )
    axes.set_xticks([1, 5, 10, 15, 20])
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def spread_labels(heights: Sequence[float], *, gap: float = 5.0) -> list[float]:
    """Move labels up until neighbours are `gap` percent apart; heights are sorted."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    return placed
