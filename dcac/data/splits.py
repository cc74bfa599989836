"""The ten random splits of the small targets (VIPeR, PRID, GRID, i-LIDS), shipped as text files in `split_files/`.

A split chooses people by their position among the sorted pids that are both query and gallery: it needs no file name.
Peers draw without a seed or ship lists with their own paths; these splits are ours, and results are means over all ten.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

FOLDER = Path(__file__).parent / "split_files"
SEED = "dcac-splits-1"
NUM_SPLITS = 10
PEOPLE = {"VIPeR": (632, 316), "PRID": (200, 100), "GRID": (250, 125), "iLIDS": (119, 60)}  # in both splits, tested
ONE_IMAGE_EACH = {"iLIDS"}
DRAWS = 840  # divisible by 1..8, so a draw modulo the number of a person's images (2..8 in i-LIDS) is uniform


@dataclass(frozen=True)
class Person:
    """One tested person: position among the sorted pids and, where people have many images, two draws in 0..839."""

    position: int
    query_draw: int = 0
    gallery_draw: int = 0


def split_rows(
    code: str, split: ArrayLike, pids: ArrayLike, camids: ArrayLike
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the rows of the queries and of the gallery in each of the ten splits of a target.

    Args:
        code: VIPeR, PRID, GRID or iLIDS.
        split: [N] "query" or "gallery", as in the normalised file or a feature file of the whole target.
        pids: [N].
        camids: [N].

    Returns:
        Ten pairs of sorted row numbers. The gallery keeps everyone who is never a query (distractors). In i-LIDS each
        person has one random query and one other random gallery image.

    Raises:
        ValueError: The target has no shipped splits, or the rows are not those of the complete target.
    """
    split, pids, camids = np.asarray(split), np.asarray(pids), np.asarray(camids)
    queries, gallery = np.flatnonzero(split == "query"), np.flatnonzero(split == "gallery")
    shared = np.intersect1d(pids[queries], pids[gallery])
    people = load_splits(code)
    if len(shared) != PEOPLE[code][0]:
        raise ValueError(
            f"{code} has {len(shared)} people in query and gallery, its splits are for {PEOPLE[code][0]}; "
            "import the complete target again"
        )
    select = _one_image_each if code in ONE_IMAGE_EACH else _all_images
    return [select(chosen, shared, queries, gallery, pids, camids) for chosen in people]


def load_splits(code: str) -> list[list[Person]]:
    """Read the shipped splits of a target.

    Raises:
        ValueError: The target has none.
    """
    if code not in PEOPLE:
        raise ValueError(f"{code!r} has no random splits; only {', '.join(PEOPLE)} have")
    path = FOLDER / f"{code}.txt"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [[Person(*map(int, entry.split("/"))) for entry in line.split()] for line in lines]


def draw_splits(code: str) -> str:
    """Return the text of a split file, drawn from the named seed by sha256 alone: the same on every machine."""
    total, tested = PEOPLE[code]
    lines = [
        f"# {code}: {NUM_SPLITS} random splits, one a line: {tested} of the {total} people in query and gallery,",
        "# by position (from 0) among their sorted pids; in iLIDS then /draw of query image/draw of gallery image.",
        f"# Drawn by dcac.data.splits.draw_splits from the seed {SEED!r}.",
    ]
    for split in range(NUM_SPLITS):
        ranked = sorted((_draw(code, split, position, "rank"), position) for position in range(total))
        lines.append(" ".join(_entry(code, split, position) for position in sorted(p for _, p in ranked[:tested])))
    return "\n".join(lines) + "\n"


def _entry(code: str, split: int, position: int) -> str:
    if code not in ONE_IMAGE_EACH:
        return str(position)
    draws = (_draw(code, split, position, purpose) % DRAWS for purpose in ("query", "gallery"))
    return "/".join(map(str, (position, *draws)))


def _draw(code: str, split: int, position: int, purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{SEED}/{code}/{split}/{position}/{purpose}".encode()).digest())


def _all_images(
    people: Sequence[Person], shared: NDArray, queries: NDArray, gallery: NDArray, pids: NDArray, camids: NDArray
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    chosen = shared[[person.position for person in people]]
    left_out = np.setdiff1d(shared, chosen)
    return queries[np.isin(pids[queries], chosen)], gallery[~np.isin(pids[gallery], left_out)]


def _one_image_each(
    people: Sequence[Person], shared: NDArray, queries: NDArray, gallery: NDArray, pids: NDArray, camids: NDArray
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows: tuple[list[int], list[int]] = ([], [])
    for person in people:
        pid = shared[person.position]
        own_queries = _by_camera(queries[pids[queries] == pid], camids)
        query = own_queries[person.query_draw % len(own_queries)]
        own_gallery = _by_camera(gallery[(pids[gallery] == pid) & (camids[gallery] != camids[query])], camids)
        if not len(own_gallery):
            raise ValueError(f"pid {pid} has one image only; import the complete target again")
        rows[0].append(query)
        rows[1].append(own_gallery[person.gallery_draw % len(own_gallery)])
    return np.sort(rows[0]), np.sort(rows[1])


def _by_camera(rows: NDArray, camids: NDArray) -> NDArray[np.intp]:
    return rows[np.argsort(camids[rows], kind="stable")]
