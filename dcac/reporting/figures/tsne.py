"""The figure of features by camera: t-SNE of people whom a run never saw, and shares that t-SNE cannot bend."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dcac.features.feature_file import FeatureFile, read_features
from dcac.reporting.figures.kind import Behind, Drawing, FigureKind
from dcac.reporting.figures.style import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAMERA_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, SKY, "#CC79A7", "#000000")  # Okabe, Ito
CAMERA_MARKERS = "os^D"  # the next one with each round of the colours
PEOPLE = 30  # in a panel; ours
IMAGES = 12  # of a person, at most; ours
NEIGHBOURS = 10  # of a point; ours
PERPLEXITY = 30  # at most; scikit-learn's default
STATE = 0  # of t-SNE's draws, so that a figure can be drawn again
COLUMNS = 3  # panels in a row
PANEL = (3.4, 3.9)  # inches
HEADS = 1.1  # inches above the panels, and for the legend


class Points(NamedTuple):
    """The chosen images of one target, under one variant."""

    features: np.ndarray  # [M, D]
    pids: np.ndarray  # [M]
    camids: np.ndarray  # [M]


class Shares(NamedTuple):
    """Whom a point's nearest neighbours share something with, mean over points, 0..1."""

    camera: float
    camera_by_chance: float  # had each point drawn its neighbours from all others
    person: float
    person_at_most: float  # a person may have fewer images than a point has neighbours


def draw_tsne(paths: Mapping[str, Path], labels: Mapping[str, str], *, title: str) -> "Figure":
    """Draw a panel a variant: the same people of one target in two dimensions, coloured by camera.

    Args:
        paths: a feature file of the target for each variant.
        labels: printed names of the variants.

    Raises:
        ValueError: the files hold different images, or nobody is seen by two cameras.
    """
    from matplotlib.figure import Figure

    points = same_points(paths)
    columns = min(COLUMNS, len(points))
    rows = -(-len(points) // columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows + HEADS), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(points) :]:
        axes.remove()
    for axes, (variant, chosen) in zip(grid, points.items(), strict=False):
        axes.set_title(labels.get(variant, variant), fontsize="medium")
        scatter(axes, embed(chosen.features), chosen)
        axes.set_xlabel(describe(neighbour_shares(chosen)), fontsize="small")
    people, images = len(np.unique(chosen.pids)), len(chosen.pids)
    meta = read_features(next(iter(paths.values()))).meta
    headings = (
        f"{people} people of {meta['target']} in {images} images; trained on {meta['sources']}, seed {meta['seed']}",
        "t-SNE; grey lines join a person's images to their centre",
        f"below: shares of the {NEIGHBOURS} nearest by cosine, which t-SNE cannot bend",
    )
    figure.suptitle("\n".join([title, *headings]), fontsize="medium", x=0.01, ha="left")
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=8, frameon=False, fontsize="small")
    return figure


def same_points(paths: Mapping[str, Path]) -> dict[str, Points]:
    """Take the same images from the feature file of each variant.

    Raises:
        ValueError: the files hold different images.
    """
    first, points = None, {}
    for variant, path in paths.items():
        file = read_features(path)
        names = np.concatenate([file.query.paths, file.gallery.paths])
        if first is None:
            first, chosen = names, choose(file)
        elif not np.array_equal(first, names):
            raise ValueError(
                f"{path} holds other images than {next(iter(paths.values()))}; extract one target for both"
            )
        both = (np.concatenate([getattr(file.query, f), getattr(file.gallery, f)])[chosen] for f in Points._fields)
        points[variant] = Points(*both)
    return points


def choose(file: FeatureFile) -> np.ndarray:
    """Choose evenly spaced people seen by two cameras or more, and evenly spaced images of each: rows int64 [M].

    Only people with a query count: distractors, who are nobody in particular, have none.

    Raises:
        ValueError: there is no such person.
    """
    pids = np.concatenate([file.query.pids, file.gallery.pids])
    camids = np.concatenate([file.query.camids, file.gallery.camids])
    people = [pid for pid in np.unique(file.query.pids) if len(np.unique(camids[pids == pid])) > 1]
    if not people:
        raise ValueError("nobody in these features is seen by two cameras; choose another target")
    return np.concatenate([spaced(np.flatnonzero(pids == pid), IMAGES) for pid in spaced(np.array(people), PEOPLE)])


def spaced(values: np.ndarray, most: int) -> np.ndarray:
    """Return evenly spaced entries, `most` of them or fewer."""
    return values[np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)]


def embed(features: np.ndarray) -> np.ndarray:
    """Lay features [M, D] out in the plane by t-SNE on cosine distances: [M, 2]."""
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    choices = {"init": "pca", "metric": "cosine", "method": "exact"}  # the faster method adds up in no fixed order
    return TSNE(perplexity=perplexity, random_state=STATE, **choices).fit_transform(features)


def neighbour_shares(points: Points) -> Shares:
    """Compare each image with its nearest neighbours by cosine, among all chosen images but itself."""
    features = points.features.astype(np.float64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    similarity = features @ features.T
    np.fill_diagonal(similarity, -np.inf)
    count = min(NEIGHBOURS, len(features) - 1)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    same_camera = points.camids[:, None] == points.camids
    same_person = points.pids[:, None] == points.pids
    return Shares(
        camera=np.take_along_axis(same_camera, nearest, axis=1).mean(),
        camera_by_chance=(same_camera.sum(axis=1) - 1).mean() / (len(features) - 1),
        person=np.take_along_axis(same_person, nearest, axis=1).mean(),
        person_at_most=np.minimum(same_person.sum(axis=1) - 1, count).mean() / count,
    )


def describe(shares: Shares) -> str:
    """Write the shares in words."""
    camera, chance, person, most = (f"{100 * share:.0f} %" for share in shares)
    return f"same camera {camera} (by chance {chance})\nsame person {person} (at most {most})"


def scatter(axes: "Axes", places: np.ndarray, points: Points) -> None:
    """Draw the images at their places [M, 2], coloured by camera, and join each person's to their centre."""
    for pid in np.unique(points.pids):
        own = places[points.pids == pid]
        for x, y in own:
            axes.plot([own[:, 0].mean(), x], [own[:, 1].mean(), y], color=GREY, linewidth=0.4, zorder=1)
    for i, camera in enumerate(np.unique(points.camids)):
        turn, colour = divmod(i, len(CAMERA_COLOURS))
        x, y = places[points.camids == camera].T
        axes.scatter(
            x,
            y,
            s=12,
            color=CAMERA_COLOURS[colour],
            marker=CAMERA_MARKERS[turn % len(CAMERA_MARKERS)],
            label=f"camera {camera + 1}",
            zorder=2,
        )
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color(GREY)


def features(behind: Behind) -> list[str]:
    """Return the features of each run on the first target."""
    return behind.of_named("features", file="seed{seed}/" + f"{behind.target}.npz")


def draw(drawing: Drawing) -> "Figure":
    """Draw a panel for each run."""
    paths = dict(zip(drawing.named, drawing.inputs, strict=True))
    return draw_tsne(paths, drawing.labels, title=drawing.title)


TSNE = FigureKind(
    "tsne",
    runs="some",
    inputs=features,
    draw=draw,
    seen="Features of some people laid out in the plane by t-SNE, a panel a method; near points are alike.",
)
