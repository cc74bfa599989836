"""Divide one's own pictures into train, query and gallery, by draws that depend on a seed and on names alone."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dcac.data.readers.entries import TEST, Entry, some
from dcac.data.readers.layout import LayoutError


def divide(entries: Sequence[Entry], how: str, *, seed: int, cameras: bool) -> list[Entry]:
    """Give every picture a split; no person is in train and in test.

    Args:
        how: "keep" what the layout says, "half" of the people for training, or "test": all are a target.
        seed: Of the draws.
        cameras: Whether the cameras are known.

    Raises:
        LayoutError: The layout's own splits share people or lack one, or it has none and they are to be kept.
    """
    _check_apart(entries)
    if how == "keep":
        undivided = [entry for entry in entries if entry.split is None]
        if undivided:
            raise LayoutError(
                "the layout does not divide its pictures into train, query and gallery; say --split half to train and test on "
                "them, or --split test to test only"
            )
        kept = [entry for entry in entries if entry.split != TEST]
        drawn = draw_queries([entry for entry in entries if entry.split == TEST], seed=seed, cameras=cameras)
        _check_whole([*kept, *drawn])
        return [*kept, *drawn]
    people = sorted({entry.person for entry in entries}, key=lambda person: _draw(seed, "person", person))
    learnt = set(people[: (len(people) + 1) // 2]) if how == "half" else set()
    if how == "half" and len(people) < 2:
        raise LayoutError("there is one person only; give at least two, half of them to train on and half to test")
    train = [replace(entry, split="train") for entry in entries if entry.person in learnt]
    tested = draw_queries([e for e in entries if e.person not in learnt], seed=seed, cameras=cameras)
    return [*train, *tested]


def draw_queries(entries: Sequence[Entry], *, seed: int, cameras: bool) -> list[Entry]:
    """Draw one query a person and camera, as long as each query keeps a match by another camera in the gallery.

    Without cameras every picture of a person who has several is a query, and stands in the gallery for the others.
    """
    by_person: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_person[entry.person].append(entry)
    divided = []
    for person in sorted(by_person):
        mine = by_person[person]
        if cameras:
            queries = _one_a_camera(mine, seed)
            divided += [replace(entry, split="query" if entry.name in queries else "gallery") for entry in mine]
        else:
            divided += [replace(entry, split="gallery") for entry in mine]
            divided += [replace(entry, split="query") for entry in mine if len(mine) > 1]
    return divided


def _one_a_camera(mine: Sequence[Entry], seed: int) -> set[str]:
    """Return the names of one person's queries."""
    left: dict[str, list[Entry]] = defaultdict(list)
    for entry in mine:
        left[str(entry.camera)].append(entry)
    queries: dict[str, str] = {}
    for camera in sorted(left, key=lambda camera: _draw(seed, "camera", mine[0].person, camera)):
        gallery = {each: len(rest) - (each in queries or each == camera) for each, rest in left.items()}
        matches = (sum(gallery.values()) - gallery[each] for each in (*queries, camera))
        if all(matches):
            queries[camera] = min(left[camera], key=lambda entry: _draw(seed, "query", entry.below)).name
    return set(queries.values())


def _check_apart(entries: Iterable[Entry]) -> None:
    """Refuse people who are in train and in test."""
    halves: dict[bool, set[str]] = {True: set(), False: set()}
    for entry in entries:
        if entry.split is not None:
            halves[entry.split == "train"].add(entry.person)
    both = sorted(halves[True] & halves[False])
    if both:
        raise LayoutError(
            f"{some(both, 'pid')} in train and in test; a person who is learnt cannot be tested: take them out of one, or "
            "rename them where equal numbers are different people"
        )


def _check_whole(entries: Iterable[Entry]) -> None:
    """Refuse queries without a gallery, and a gallery without queries."""
    splits = {entry.split for entry in entries}
    for there, lacking in (("query", "gallery"), ("gallery", "query")):
        if there in splits and lacking not in splits:
            raise LayoutError(
                f"there are {there} pictures but no {lacking}; add them, or say --split test to draw queries anew"
            )


def _draw(seed: int, *names: str) -> bytes:
    return hashlib.sha256("\n".join((str(seed), *names)).encode()).digest()
