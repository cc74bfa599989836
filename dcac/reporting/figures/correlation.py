"""The figure of look-alikes: how much of the class correlation p goes to people who resemble the one in the image."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dcac import declared
from dcac.reading import read_arrays
from dcac.reporting.figures.kind import Behind, Drawing, FigureKind
from dcac.settings import Settings

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 0.62  # inches, width and height of a cell
MARGINS = (2.6, 2.1)  # inches around the cells, for heads, thumbnails and the colour bar
THUMBNAIL = 0.92  # of a cell, height
GAP = 0.1  # of a cell, between thumbnails and matrix
DARK = 0.6  # share of the colour scale from which on numbers are white


def draw_correlation(path: Path, *, title: str) -> "Figure":
    """Show p among a group of look-alikes, averaged over the images of each: rows are seen, columns are told.

    Args:
        path: .npz of the correlation step.
    """
    from matplotlib.figure import Figure

    content = read_arrays(path, remedy="delete it and run `dcac correlation` again")
    size, percent = len(content["keys"]), 100 * content["matrix"]
    figure = Figure(figsize=(CELL * (size + 1) + MARGINS[0], CELL * (size + 1) + MARGINS[1]), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(percent, cmap="Blues", vmin=0)
    write_cells(axes, percent)
    for i, picture in enumerate(content["pictures"]):
        draw_thumbnails(axes, picture, i)
    axes.set(xlim=(-1.5 - GAP, size - 0.5), ylim=(size - 0.5, -1.5 - GAP))
    axes.set_xticks(range(size), content["keys"], rotation=45, ha="right", fontsize="small")
    axes.set_yticks(range(size), content["keys"], fontsize="small")
    axes.set(xlabel="p of this identity", ylabel="mean over the images of this identity")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(image, label="mean p (%)", shrink=0.8)
    figure.suptitle("\n".join([title, *message(content)]), fontsize="medium", x=0.01, ha="left")
    return figure


def message(content: Mapping[str, np.ndarray]) -> list[str]:
    """Say how sharp p is over all identities, and how much of it the group keeps, against chance."""
    own, largest, chance, share = (
        100 * float(content[name]) for name in ("mean_own", "mean_p_max", "chance", "share_in_group")
    )
    others = len(content["keys"]) - 1
    return [
        f"all identities: own p {own:.2f} %, largest p {largest:.2f} %, chance (1/N) {chance:.2f} %",
        f"this group: the {others} others take {share:.1f} % of p, by chance {others * chance:.1f} %",
    ]


def write_cells(axes: "Axes", percent: np.ndarray) -> None:
    """Write each value into its cell, white on dark."""
    for (row, column), value in np.ndenumerate(percent):
        colour = "white" if value > DARK * percent.max() else "black"
        axes.text(column, row, f"{value:.1f}", color=colour, ha="center", va="center", fontsize="small")


def draw_thumbnails(axes: "Axes", picture: np.ndarray, index: int) -> None:
    """Draw an identity's picture uint8 [3, H, W] left of its row and above its column."""
    _, height, width = picture.shape
    across, down = THUMBNAIL * width / height / 2, THUMBNAIL / 2
    for x, y in ((-1 - GAP, index), (index, -1 - GAP)):
        axes.imshow(picture.transpose(1, 2, 0), extent=(x - across, x + across, y + down, y - down))


def correlation(behind: Behind) -> list[str]:
    """Return what `dcac correlation` makes of the run."""
    return behind.of_named("correlation")


def fault(settings: Settings) -> str:
    """Say that a run learnt under no class correlation."""
    if not declared.method(settings).conditioned:
        return "which has no condition; name a variant that has one"
    if not declared.is_correlation(settings.condition):
        return f"whose condition is '{settings.condition}'; name a variant of {declared.correlations()}"
    return ""


def draw(drawing: Drawing) -> "Figure":
    """Draw the look-alikes of the run."""
    return draw_correlation(drawing.inputs[0], title=drawing.title_with_method)


CORRELATION = FigureKind(
    "correlation",
    runs="one",
    inputs=correlation,
    draw=draw,
    fault=fault,
    seen="A matrix of look-alikes: how much of the class correlation p of each person goes to each other one.",
    shows_sources=True,
)
