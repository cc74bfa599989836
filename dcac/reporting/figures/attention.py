"""The figure of attention: where the encoders of several runs look in the same pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcac.reading import read_arrays
from dcac.reporting.figures.faces import read_pictures
from dcac.reporting.figures.kind import Behind, Drawing, FigureKind

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TILE = (0.95, 1.9)  # inches, width and height of a picture
HEAD = 1.25  # inches for the title
LEFT = 1.35  # inches for the names of the rows
OPACITY = 0.55  # of a map over its picture
SCALE = "each map from its own smallest value, dark, to its largest, light"
KINDS = {
    "rollout": "attention rollout: what reaches the feature from each place, through all layers",
    "activation": "activation maps: the length of the encoder's last features at each place",
}


def draw_attention(
    maps: Mapping[str, Path], store: Path, labels: Mapping[str, str], *, faces: str, title: str
) -> "Figure":
    """Draw a column a picture: the picture, and its map under each run.

    Args:
        maps: a file of `dcac attention` for each run, of one target.
        store: normalised file of the target.
        faces: `blurred` or `shown`, of real people.

    Raises:
        ValueError: the files show different pictures.
    """
    from matplotlib.figure import Figure

    contents = {
        name: read_arrays(path, remedy="delete it and run `dcac attention` again") for name, path in maps.items()
    }
    first = next(iter(contents.values()))
    for name, content in contents.items():
        if not np.array_equal(content["paths"], first["paths"]):
            raise ValueError(
                f"{maps[name]} maps other pictures than {next(iter(maps.values()))}; map one target for all"
            )
    paths = first["paths"].tolist()
    pictures = read_pictures(store, paths, faces=faces)
    rows = len(contents) + 1
    figure = Figure(figsize=(LEFT + TILE[0] * len(paths), HEAD + TILE[1] * rows), layout="constrained")
    grid = figure.subplots(rows, len(paths), squeeze=False)
    for column, path in enumerate(paths):
        for line in grid[:, column]:
            line.imshow(pictures[path], interpolation="nearest", aspect="auto")
            line.set(xticks=[], yticks=[])
            line.spines[:].set_visible(False)
        for line, content in zip(grid[1:, column], contents.values(), strict=True):
            lay_over(line, content["maps"][column], pictures[path].shape)
    for line, name in zip(grid[:, 0], ["picture", *(labels.get(name, name) for name in contents)], strict=True):
        line.set_ylabel(name, rotation=0, ha="right", va="center", fontsize="small")
    lines = [
        title,
        KINDS[str(first["kind"])],
        SCALE,
        *message(list(contents.values()), [labels.get(n, n) for n in contents]),
    ]
    figure.suptitle("\n".join(lines), fontsize="medium", x=0.01, ha="left")
    return figure


def lay_over(axes: "Axes", seen: NDArray[np.float32], shape: Sequence[int]) -> None:
    """Lay a map [h, w] over its picture, from its smallest value (dark) to its largest (light)."""
    extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
    axes.imshow(seen, cmap="inferno", alpha=OPACITY, extent=extent, interpolation="bilinear", aspect="auto")


def message(contents: Sequence[Mapping[str, NDArray]], names: Sequence[str]) -> list[str]:
    """Say how alike the maps of each run and of the first are, place by place."""
    first = contents[0]["maps"]
    lines = []
    for content, name in zip(contents[1:], names[1:], strict=True):
        if content["maps"].shape == first.shape:
            lines.append(
                f"{names[0]} and {name}: correlation of their maps {correlation(first, content['maps']):.3f}, mean over pictures"
            )
    return lines


def correlation(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Average Pearson's correlation of two maps [K, h, w] over the pictures."""
    pairs = zip(ours.reshape(len(ours), -1), theirs.reshape(len(theirs), -1), strict=True)
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))


def maps(behind: Behind) -> list[str]:
    """Return a file of the attention step for each named run, and the target's normalised file."""
    return [*behind.of_named("attention", f"seed{{seed}}/{behind.target}.npz"), f"results/data/{behind.target}.parquet"]


def draw(drawing: Drawing) -> "Figure":
    """Draw the maps of the named runs."""
    *files, store = drawing.inputs
    own = dict(zip(drawing.named, files, strict=True))
    return draw_attention(own, store, drawing.labels, faces=drawing.faces, title=drawing.title)


ATTENTION = FigureKind(
    "attention",
    runs="some",
    inputs=maps,
    draw=draw,
    shows_people=True,
    seen="Pictures of people with what each encoder looks at laid over them, a row a method.",
)
