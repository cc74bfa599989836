"""The figure of denoised training images: does the prior bring an image back better under its own condition?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dcac import declared
from dcac.reading import read_arrays
from dcac.reporting.figures.kind import Behind, Drawing, FigureKind
from dcac.settings import Settings

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

NAMES = {"own": "own\ncondition", "null": "no\ncondition", "other": "another's\ncondition"}
EXPLANATION = "error: mean square against the image's own latent, over the images shown; a row shares one draw of noise"
TILE = 1.0  # inches, width and height of a picture
MARGINS = (1.3, 1.7)  # inches beside and above the pictures
GAP = 0.15  # of a picture, before the columns of each start


def draw_samples(path: Path, *, title: str) -> "Figure":
    """Show, a row an image: the picture, what the autoencoder keeps of it, and what comes back under each condition.

    Args:
        path: .npz of the samples step.
    """
    from matplotlib.figure import Figure

    content = read_arrays(path, remedy="delete it and run `dcac samples` again")
    given = {"picture\n\n": content["pictures"], "through the\nautoencoder\n": content["decoded"]}
    blocks = [given, *(denoised_columns(content, start) for start in range(len(content["starts"])))]
    rows, columns = len(content["pictures"]), sum(map(len, blocks))
    figure = Figure(figsize=(TILE * columns + MARGINS[0], TILE * rows + MARGINS[1]), layout="constrained")
    figure.suptitle("\n".join([title, message(content), EXPLANATION]), fontsize="medium", x=0.01, ha="left")
    widths = [width for block in blocks for width in (GAP, *[1] * len(block))][1:]
    grid, place = figure.add_gridspec(rows, len(widths), width_ratios=widths), 0
    for block in blocks:
        for head, pictures in block.items():
            show(figure, grid, place, pictures, head=head)
            place += 1
        place += 1  # the gap
    for axes, name in zip(figure.axes[:rows], row_names(content), strict=True):  # the first column
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize="small")
    return figure


def denoised_columns(content: Mapping[str, np.ndarray], start: int) -> dict[str, np.ndarray]:
    """Return what came back from one start, a column a condition, under its head; the middle one names the start too."""
    errors = content["error"][start].mean(axis=1)
    heads = [f"{NAMES[name]}\nerror {error:.4g}" for name, error in zip(content["conditions"], errors, strict=True)]
    share = 100 * content["signal"][start]
    heads[1] = f"from t = {content['starts'][start]}, {share:.0f} % of the image left\n\n{heads[1]}"
    return dict(zip(heads, content["samples"][start], strict=True))


def message(content: Mapping[str, np.ndarray]) -> str:
    """Say in how many images the own condition brings back the nearest latent, which chance does in one of three."""
    errors, names = content["error"], list(content["conditions"])
    own = names.index("own")
    others = np.delete(errors, own, axis=1).min(axis=1)
    wins = (errors[:, own] < others).sum(axis=1)
    counts = ", ".join(f"in {won} from t = {start}" for won, start in zip(wins, content["starts"], strict=True))
    return f"of {errors.shape[2]} images, the own condition comes nearest {counts}; by chance in one of {len(names)}"


def row_names(content: Mapping[str, np.ndarray]) -> list[str]:
    """Name each image by its identity and, where the scheme has one, its largest p."""
    shares = ["" if np.isnan(p) else f"\nlargest p {100 * p:.1f} %" for p in content["p_max"]]
    return [f"{key}{share}" for key, share in zip(content["keys"], shares, strict=True)]


def show(
    figure: "Figure", grid: "GridSpec", column: int, pictures: Sequence[np.ndarray] | np.ndarray, *, head: str
) -> None:
    """Draw a column of pictures uint8 [3, S, S] under its head."""
    for row, picture in enumerate(pictures):
        axes = figure.add_subplot(grid[row, column])
        axes.imshow(picture.transpose(1, 2, 0), interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        if row == 0:
            axes.set_title(head, fontsize="small")


def samples(behind: Behind) -> list[str]:
    """Return what `dcac samples` makes of the run."""
    return behind.of_named("samples")


def fault(settings: Settings) -> str:
    """Say that a run without a prior, or with one that no condition steers, has nothing to sample from."""
    if declared.needed(settings, "prior") is None:
        return "which has no prior; name a variant that has one"
    return "" if declared.can_sample(settings) else "whose prior has no condition; name a variant that has one"


def draw(drawing: Drawing) -> "Figure":
    """Draw the samples of the run."""
    return draw_samples(drawing.inputs[0], title=drawing.title_with_method)


SAMPLES = FigureKind(
    "samples",
    runs="one",
    inputs=samples,
    draw=draw,
    fault=fault,
    seen="Training images and what the prior makes of them from noise under each condition, a row an image.",
    shows_sources=True,
)
