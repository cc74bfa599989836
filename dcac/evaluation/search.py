"""The nearest gallery images of new pictures.

In: a gallery's feature file, the pictures and their features. Out: a table (.csv) and a picture strip (.png).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcac.data.images import opened, to_rgb, upright
from dcac.data.store import read_sidecar, read_split
from dcac.evaluation.ranking.distances import Metric, measure
from dcac.evaluation.ranking.neighbours import certain_candidates, exact_order
from dcac.features.feature_file import FeatureFile, Part, read_features
from dcac.provenance import atomic
from dcac.provenance.outputs import require_output

if TYPE_CHECKING:
    import pandas
    from PIL import Image

SPARE_CANDIDATES = 32  # asked of the index beyond those wanted, so that near-ties rarely need a second look
TILE = (64, 128)  # width and height of one image of a strip, pixels
GAP = 4  # pixels between images


@dataclass(frozen=True)
class Hits:
    """The nearest gallery rows of every query, nearest first."""

    rows: NDArray[np.int64]  # [Q, K]
    distances: NDArray[np.float64]  # [Q, K]


def run(
    *,
    gallery: Path,
    pictures: Sequence[Path],
    features: ArrayLike,
    out: Path,
    store: Path | None,
    count: int,
    metric: Metric = "cosine",
) -> "pandas.DataFrame":
    """Search a gallery for pictures and write the table, and the strip where the gallery's images are at hand.

    Args:
        gallery: feature file; its gallery rows are searched.
        pictures: image files.
        features: [Q, D] of the pictures, by the encoder that made the feature file.
        out: table (.csv); the strip takes its name with .png.
        store: normalised file with the gallery's images, or None for no strip.
        count: images to find for each picture.
        metric: "cosine" or "euclidean".

    Returns:
        The table.

    Raises:
        ValueError: the store is not the one that the features show.
    """
    strip_at = out.with_suffix(".png")
    require_output(out, ".csv", beside=[] if store is None else [strip_at], inputs=[gallery, store, *pictures])
    file = read_features(gallery)
    if store is not None:
        require_shown(file, gallery, store)
    part = file.gallery
    hits = nearest_images(features, part.features, count=count, metric=metric)
    table = hit_table([str(picture) for picture in pictures], hits, part)
    with atomic(out) as temporary:
        table.to_csv(temporary, index=False)
    if store is not None:
        stored = read_split(store, "gallery").set_index("path")["data"]
        found = [[stored[path] for path in part.paths[rows]] for rows in hits.rows]
        strip = picture_strip([upright(picture.read_bytes()) for picture in pictures], found)
        with atomic(strip_at) as temporary:
            strip.save(temporary, format="PNG")
    return table


def require_shown(file: FeatureFile, path: Path, store: Path) -> None:
    """Refuse a normalised file that is not the one whose images the features show: others may have the same names.

    Raises:
        ValueError: the two name different files, or the store lacks an image.
    """
    data: Any = file.meta.get("data") or {}
    sidecar = read_sidecar(store)
    for name in ("dataset", "sha256"):
        if name in data and data[name] != sidecar.get(name):
            raise ValueError(
                f"{path} shows {name} {data[name]}, {store} holds {sidecar.get(name)}; give the file it was made from"
            )
    absent = set(file.gallery.paths.tolist()).difference(read_split(store, "gallery", images=False)["path"])
    if absent:
        raise ValueError(f"{store} lacks {min(absent)!r} of {path}; give the normalised file that it was made from")


def nearest_images(
    query_features: ArrayLike, gallery_features: ArrayLike, *, count: int, metric: Metric = "cosine"
) -> Hits:
    """Find the nearest gallery images with faiss, on GPUs where it sees any; the result is exact all the same.

    The index proposes candidates by float32 inner products. They are enough once the last of them is certainly
    farther than the nearest `count`; float64 distances then decide the order, gallery order the ties.

    Args:
        query_features: [Q, D].
        gallery_features: [G, D].
        count: K; the whole gallery if it is smaller.
        metric: "cosine" or "euclidean".
    """
    if count < 1:
        raise ValueError(f"count is {count}: ask for at least one image")
    faiss = _faiss()
    geometry = measure(query_features, gallery_features, metric=metric)
    count = min(count, len(geometry.gallery))
    index = faiss.IndexFlatIP(geometry.gallery_stand_in.shape[1])
    if getattr(faiss, "get_num_gpus", int)() > 0:
        index = faiss.index_cpu_to_all_gpus(index)
    index.add(-geometry.gallery_stand_in)
    factors, errors = geometry.stand_ins(slice(None))
    rows, distances = [], []
    for query, error in enumerate(errors):
        candidates = _candidates(index, factors[query : query + 1], count=count, error=float(error))
        exact = geometry.exact(query, candidates)
        rows.append(exact_order(exact, candidates, count))
        distances.append(np.sort(exact)[:count])
    return Hits(np.array(rows, dtype=np.int64), np.array(distances))


def hit_table(names: Sequence[str], hits: Hits, gallery: Part) -> "pandas.DataFrame":
    """List the hits: one row a picture and place, with the gallery image's path, identity, camera and distance.

    Args:
        names: [Q] of the pictures.
        hits: of those pictures.
        gallery: [G] what was searched.
    """
    import pandas

    rows = hits.rows.ravel()
    count = hits.rows.shape[1]
    columns = {
        "picture": np.repeat(np.asarray(names, dtype=object), count),
        "place": np.tile(np.arange(1, count + 1), len(names)),
        "path": gallery.paths[rows],
        "pid": gallery.pids[rows],
        "camid": gallery.camids[rows],
        "distance": hits.distances.ravel(),
    }
    return pandas.DataFrame(columns)


def picture_strip(pictures: Sequence[bytes], found: Sequence[Sequence[bytes]]) -> "Image.Image":
    """Draw each picture and, after a gap, its nearest images; one line a picture.

    Args:
        pictures: encoded images.
        found: encoded gallery images of each picture, nearest first.
    """
    from PIL import Image

    width, height = TILE
    columns = max(map(len, found)) + 1
    strip = Image.new("RGB", (columns * (width + GAP) + 2 * GAP, len(pictures) * (height + GAP) + GAP), "white")
    for line, (picture, images) in enumerate(zip(pictures, found, strict=True)):
        for column, data in enumerate([picture, *images]):
            with opened(data) as image:
                tile = to_rgb(image).resize(TILE, Image.Resampling.BICUBIC)
            left = GAP + column * (width + GAP) + (2 * GAP if column else 0)
            strip.paste(tile, (left, GAP + line * (height + GAP)))
    return strip


def _candidates(index: Any, factor: NDArray[np.float32], *, count: int, error: float) -> NDArray[np.intp]:
    """Ask the index for more until every row that may be among the nearest has come, and return these, ascending."""
    asked = min(index.ntotal, count + SPARE_CANDIDATES)
    while True:
        similarity, rows = index.search(factor, asked)
        enough = certain_candidates(-similarity[0], count=count, error=error)
        if asked == index.ntotal or enough < asked:
            return np.sort(rows[0, :enough])
        asked = min(index.ntotal, 4 * asked)


def _faiss() -> ModuleType:
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise ValueError(
            "gallery search needs faiss: pip install 'dcac[search]', on GPUs 'dcac[search-gpu]'"
        ) from error
    return faiss
