"""The figure of conditioning diagnostics over the epochs: does the prior speak, and does the encoder hear it?"""

import json
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dcac import declared
from dcac.declared import term_labels
from dcac.reading import naming_damage
from dcac.reporting.figures.kind import Behind, Drawing, FigureKind
from dcac.reporting.figures.style import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, legible, spread_labels

if TYPE_CHECKING:  # planning reads the declarations and does without pandas
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

TERM_COLOURS = (ORANGE, BLUE, VERMILION, GREEN, SKY)  # of the loss terms, in the order of their declaration
CONDITIONS = {"own": BLUE, "null": GREY, "other": VERMILION}
BELOW = {"null": "own", "other": "null"}  # the condition that another's loss is compared with, image by image
CONDITION_NAMES = {"own": "own", "null": "none", "other": "another's"}
HEADINGS = (
    "left: norm of each loss's gradient at the encoder's features",
    "right: noise loss of unseen people by condition, in percent above that under their own; bands hold 95 % of the paired",
    "difference between no condition (none) and own, and between another image's and none, over the images of a run",
)
LABEL_ROOM = 1.55  # of the last epoch: where the axis ends, so that labels stand beside the curves
LABEL_GAP = 0.17  # of the axis


def read_logs(paths: Sequence[Path]) -> "pd.DataFrame":
    """Read the epochs of training logs, a row each, with the variant that the folder of the run is named after.

    Args:
        paths: `.../runs/{variant}/{sources}/seed{seed}/log.jsonl`.
    """
    import pandas as pd

    frames = []
    for path in paths:
        with naming_damage(path, "delete the run's folder and train it again"):
            lines = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
            epochs = pd.DataFrame([line for line in lines if line["event"] == "epoch"])
        frames.append(epochs.assign(variant=path.parents[2].name))
    return pd.concat(frames, ignore_index=True)


def curves(logs: "pd.DataFrame") -> "pd.DataFrame":
    """Average over the runs of a variant, a row an epoch; `excess_*` is the noise loss above its own condition's, in percent.

    `excess_*_low` and `excess_*_high` bound it by the mean of the runs' paired intervals.
    """
    bounds = [f"noise_{name}_{end}" for name in BELOW for end in ("low", "high")]
    logs = logs.reindex(columns=logs.columns.union([*(f"noise_{name}" for name in CONDITIONS), *bounds]))
    for name in CONDITIONS:
        logs[f"excess_{name}"] = 100 * (logs[f"noise_{name}"] / logs["noise_own"] - 1)
    for name, below in BELOW.items():
        for end in ("low", "high"):
            reached = logs[f"noise_{below}"] + logs[f"noise_{name}_{end}"]
            logs[f"excess_{name}_{end}"] = 100 * (reached / logs["noise_own"] - 1)
    return logs.groupby(["variant", "epoch"]).mean(numeric_only=True)


def draw_diagnostics(
    logs: "pd.DataFrame", variants: Sequence[str], labels: Mapping[str, str], *, title: str
) -> "Figure":
    """Plot, a row a variant: the gradient each loss sends to the features, and what a wrong condition costs the prior."""
    from matplotlib.figure import Figure

    means = curves(logs)
    shown = [variant for variant in variants if variant in means.index]
    names = term_labels()
    colours = dict(zip(names, cycle(TERM_COLOURS), strict=False))
    figure = Figure(figsize=(7.6, 1.1 + 1.45 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), 2, sharex=True, sharey="col", squeeze=False)
    for axes, variant in zip(grid, shown, strict=True):
        epochs = means.loc[variant]
        gradients = {
            name: epochs[f"gradient_{name}"].where(lambda norm: norm > 0)
            for name in names
            if f"gradient_{name}" in epochs
        }
        plot(axes[0], gradients, colours)
        plot(axes[1], {name: epochs[f"excess_{name}"] for name in CONDITIONS}, CONDITIONS)
        for name in BELOW:
            ends = epochs[f"excess_{name}_low"], epochs[f"excess_{name}_high"]
            axes[1].fill_between(epochs.index, *ends, color=CONDITIONS[name], alpha=0.2, linewidth=0)
            axes[1].vlines(epochs.index, *ends, color=CONDITIONS[name], alpha=0.4, linewidth=3)  # of a single epoch too
        axes[0].set_title(labels.get(variant, variant), loc="left", fontsize="medium")
    for gradient, excess in grid:  # once all limits are known
        gradient.set_yscale("log")
        name_curves(gradient, colours, names, absent=without(gradient, names))
        name_curves(excess, CONDITIONS, CONDITION_NAMES, absent="no held-out noise loss")
    figure.suptitle("\n".join([title, *HEADINGS]), fontsize="medium", x=0.02, ha="left")
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def plot(axes: "Axes", series: "Mapping[str, pd.Series]", colours: Mapping[str, str]) -> None:
    """Draw curves over epochs; one without values is left out."""
    for name, values in series.items():
        if values.notna().any():
            axes.plot(values.index, values, "o-", color=colours[name], markersize=2.5, linewidth=1.6, label=name)
    axes.spines[["top", "right"]].set_visible(False)


def without(axes: "Axes", names: Mapping[str, str]) -> str:
    """Name the loss terms whose gradients are not drawn."""
    drawn = {line.get_label() for line in axes.lines}
    return f"no gradient from the {' and '.join(label for name, label in names.items() if name not in drawn)} loss"


def last_point(line: "Line2D") -> tuple[float, float]:
    """Return where a curve ends."""
    x, y = (np.asarray(values, dtype=float)[-1] for values in line.get_data())
    return float(x), float(y)


def name_curves(axes: "Axes", colours: Mapping[str, str], names: Mapping[str, str], *, absent: str) -> None:
    """Write each curve's name at its end, spread so that names do not overlap; `absent` where a curve is missing."""
    drawn = [(last_point(line), line) for line in axes.lines if line.get_label() in colours]
    drawn.sort(key=lambda curve: curve[0][1])
    last = max((x for (x, _), _ in drawn), default=1.0)
    axes.set_xlim(right=max(LABEL_ROOM * last, axes.get_xlim()[1]))
    axes.get_ylim()  # matplotlib settles the limits when asked for them
    share = axes.transLimits.transform
    ends = [share(axes.transScale.transform((last, y)))[1] for (_, y), _ in drawn]
    heights = spread_labels(ends, gap=LABEL_GAP)
    overflow = max(0.0, max(heights, default=0.0) - 1)
    for y, (_, line) in zip(heights, drawn, strict=True):
        axes.text(
            last,
            y - overflow,
            f"  {names[str(line.get_label())]}",
            transform=axes.get_xaxis_transform(),
            color=legible(colours[str(line.get_label())]),
            fontsize="small",
            va="center",
        )
    if len(drawn) < len(colours):
        axes.text(0.02, 0.06, absent, transform=axes.transAxes, fontsize="small", color=legible(GREY))


def logs(behind: Behind) -> list[str]:
    """Return the logs of the table's runs whose method reports more than gradients."""
    told = [run for run in behind.runs if declared.method(behind.settings(*run[:2])).reports]
    return [f"results/{behind.suite}/runs/{variant}/{sources}/seed{seed}/log.jsonl" for variant, sources, seed in told]


def draw(drawing: Drawing) -> "Figure":
    """Draw the diagnostics of all runs that have some."""
    return draw_diagnostics(read_logs(drawing.inputs), drawing.methods, drawing.labels, title=drawing.title)


DIAGNOSTICS = FigureKind(
    "diagnostics",
    runs="all",
    inputs=logs,
    draw=draw,
    seen="Over the epochs: how hard each loss pulls at the features, and what another condition costs the prior in noise loss.",
)
