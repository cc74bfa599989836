"""The figure of ranked lists: what several methods find first for the same queries, and where they are wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcac.evaluation.ranking.distances import measure
from dcac.evaluation.ranking.identities import MatchIndex, checked_identities
from dcac.evaluation.rankings import split_file
from dcac.evaluation.recognition import recognise
from dcac.features.feature_file import FeatureFile, read_features
from dcac.reporting.figures.faces import read_pictures
from dcac.reporting.figures.kind import Behind, Drawing, FigureKind
from dcac.reporting.figures.style import GREEN, VERMILION

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 10  # gallery images of a list
NAMED = {"best": 1.0, "median": 0.5, "worst": 0.0}  # quantiles of AP by their words
TILE = (0.62, 1.24)  # inches, width and height of a picture
GAPS = (0.12, 0.36)  # inches beside and below a picture
LEFT = 1.5  # inches for the names of the methods
HEAD = 0.95  # inches for the title


class Ranked(NamedTuple):
    """The first gallery images of one query under one method, junk left out."""

    rows: NDArray[np.int64]  # [K] of the gallery
    cosines: NDArray[np.float64]  # [K]
    right: NDArray[np.bool_]  # [K]
    ap: float  # of the whole list


def draw_ranked_lists(
    features: Mapping[str, Path],
    queries: Path,
    store: Path,
    labels: Mapping[str, str],
    *,
    chosen: Sequence[str | float],
    faces: str,
    title: str,
) -> "Figure":
    """Draw a block a query: the query, and a row of gallery images for each method.

    Args:
        features: a feature file of the target for each method; the first one's AP chooses the queries.
        queries: per-query table of that method's score (.queries.parquet).
        store: normalised file of the target.
        chosen: `best`, `median`, `worst`, quantiles of AP in 0..1, or paths of query images.
        faces: `blurred` or `shown`, of real people.

    Raises:
        ValueError: the files hold different images, or a query is not there.
    """
    import pandas
    from matplotlib.figure import Figure

    files = {name: first_ranking(path) for name, path in features.items()}
    require_same_images(files, features)
    picked = choose(pandas.read_parquet(queries), files[next(iter(files))], chosen)
    lists = {word: {name: rank(file, row) for name, file in files.items()} for word, row in picked.items()}
    file = next(iter(files.values()))
    wanted = [file.query.paths[row] for row in picked.values()]
    wanted += [file.gallery.paths[row] for found in lists.values() for own in found.values() for row in own.rows]
    pictures = read_pictures(store, wanted, faces=faces)
    columns, rows = SHOWN + 1, len(picked) * len(files)
    width = LEFT + (columns + 0.5) * (TILE[0] + GAPS[0])
    figure = Figure(figsize=(width, HEAD + rows * (TILE[1] + GAPS[1])))
    figure.text(
        0.01,
        1 - 0.1 / figure.get_figheight(),
        heading(title, file, labels[next(iter(files))]),
        va="top",
        fontsize="medium",
    )
    for block, (word, row) in enumerate(picked.items()):
        for line, (name, own) in enumerate(lists[word].items()):
            place = block * len(files) + line
            if line == 0:
                axes = add_picture(figure, place, 0, pictures[file.query.paths[row]])
                axes.set_title(f"{word}\ncamera {file.query.camids[row] + 1}", fontsize="x-small", pad=2)
            put(figure, place, f"{labels.get(name, name)}\nAP {100 * own.ap:.1f} %")
            draw_list(figure, place, own, file, pictures)
    return figure


def first_ranking(path: Path) -> FeatureFile:
    """Open a feature file; of a target with shipped splits, take the first."""
    file = read_features(path)
    return split_file(file, recognise(file, path).code)[0]


def require_same_images(files: Mapping[str, FeatureFile], paths: Mapping[str, Path]) -> None:
    """Refuse feature files of different images.

    Raises:
        ValueError: with the file that differs from the first.
    """
    first = next(iter(files.values()))
    for name, file in files.items():
        same = all(np.array_equal(getattr(file, s).paths, getattr(first, s).paths) for s in ("query", "gallery"))
        if not same:
            raise ValueError(
                f"{paths[name]} holds other images than {next(iter(paths.values()))}; extract one target for all"
            )


def choose(table: "pandas.DataFrame", file: FeatureFile, chosen: Sequence[str | float]) -> dict[str, int]:
    """Find the query row that each word names; quantiles are of AP over queries with a match, the nearest from below.

    Raises:
        ValueError: there is no query of a name, or it has no match.
    """
    own = table[table["split_index"] == 0] if "split_index" in table else table
    place = {path: row for row, path in enumerate(file.query.paths)}
    valid = own[own["ap"].notna()].sort_values("ap", kind="stable")["path"].tolist()
    found = {}
    for word in chosen:
        quantile = NAMED.get(word) if isinstance(word, str) else float(word)
        if quantile is not None:
            found[word if isinstance(word, str) else f"quantile {word:g}"] = place[
                valid[int(quantile * (len(valid) - 1))]
            ]
        elif word in valid:
            found[Path(str(word)).name] = place[str(word)]
        else:
            why = "has no match in the gallery" if word in place else "is no query of the target"
            raise ValueError(
                f"'{word}' {why}; name a query image by its path, or {', '.join(NAMED)}, or a quantile 0..1"
            )
    return found


def rank(file: FeatureFile, row: int) -> Ranked:
    """Rank the gallery for one query by cosine, as it is scored: junk left out, ties in gallery order."""
    query, gallery = file.query, file.gallery
    sizes = {"num_query": len(query.pids), "num_gallery": len(gallery.pids)}
    labels = checked_identities(query.pids, query.camids, gallery.pids, gallery.camids, **sizes)
    matches, junk = MatchIndex(labels).split(row)
    kept = np.setdiff1d(np.arange(len(gallery.pids)), junk)
    distances = measure(query.features[row : row + 1], gallery.features, metric="cosine").exact(0, kept)
    order = np.argsort(distances, kind="stable")
    right = np.isin(kept[order], matches)
    hits = np.flatnonzero(right)
    ap = float((np.arange(1, len(hits) + 1) / (hits + 1)).mean()) if len(hits) else float("nan")
    first = order[:SHOWN]
    return Ranked(kept[first], 1 - distances[first], right[:SHOWN], ap)


def heading(title: str, file: FeatureFile, method: str) -> str:
    """Say what is shown."""
    meta = file.meta
    return (
        f"{title}\n{meta.get('target')}, trained on {meta.get('sources')}, seed {meta.get('seed')}; queries by their AP under {method}\n"
        "solid green: same person; dotted red: another one; below: camera and cosine; images of the query's own camera and "
        "person left out"
    )


def draw_list(figure: "Figure", place: int, own: Ranked, file: FeatureFile, pictures: Mapping[str, NDArray]) -> None:
    """Draw the gallery images of one list with their frames, cameras and cosines."""
    for column, (row, cosine, right) in enumerate(zip(own.rows, own.cosines, own.right, strict=True), 1):
        axes = add_picture(figure, place, column + 0.5, pictures[file.gallery.paths[row]])
        axes.set_xlabel(f"c{file.gallery.camids[row] + 1} {cosine:.3f}", fontsize="x-small", labelpad=2)
        axes.spines[:].set(
            color=GREEN if right else VERMILION, linewidth=2.5, linestyle="-" if right else ":", visible=True
        )


def add_picture(figure: "Figure", place: int, column: float, picture: NDArray[np.uint8]) -> "Axes":
    """Draw a picture at a row and column of the figure."""
    width, height = figure.get_size_inches()
    left = LEFT + column * (TILE[0] + GAPS[0])
    bottom = height - HEAD - (place + 1) * (TILE[1] + GAPS[1]) + GAPS[1] / 2
    axes = figure.add_axes((left / width, bottom / height, TILE[0] / width, TILE[1] / height))
    axes.imshow(picture, interpolation="nearest", aspect="auto")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def put(figure: "Figure", place: int, text: str) -> None:
    """Write the name of a method beside its row."""
    width, height = figure.get_size_inches()
    y = height - HEAD - (place + 0.5) * (TILE[1] + GAPS[1])
    figure.text(0.1 / width, y / height, text, va="center", fontsize="small")


def lists(behind: Behind) -> list[str]:
    """Return the features of each named run, the score of the first, and the target's normalised file."""
    features = behind.of_named("features", f"seed{{seed}}/{behind.target}.npz")
    score = behind.of_named("scores", f"seed{{seed}}/{behind.target}.json")[0]
    return [*features, score, f"results/data/{behind.target}.parquet"]


def draw(drawing: Drawing) -> "Figure":
    """Draw the queries that the figure names, or the best, median and worst, under each named run."""
    *files, score, store = drawing.inputs
    own = dict(zip(drawing.named, files, strict=True))
    queries, chosen = score.with_suffix(".queries.parquet"), drawing.queries or tuple(NAMED)
    return draw_ranked_lists(
        own, queries, store, drawing.labels, chosen=chosen, faces=drawing.faces, title=drawing.title
    )


RANKED_LISTS = FigureKind(
    "ranked_lists",
    runs="some",
    inputs=lists,
    draw=draw,
    seen="Queries, and the pictures that each method finds first for them, right ones and wrong ones framed apart.",
    shows_queries=True,
    shows_references=True,
    shows_people=True,
)
