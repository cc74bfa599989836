"""Reader of one's own sets: recognise the layout, number people and cameras, divide, check what contradicts itself."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from dcac.data.archives import Source
from dcac.data.catalog import OWN, Own
from dcac.data.readers.dividing import divide
from dcac.data.readers.entries import divided, pictures, usual_camera
from dcac.data.readers.folders import person_folders, read_persons
from dcac.data.readers.layout import LayoutError, Member, Reading, tree
from dcac.data.readers.named import read_named
from dcac.data.readers.table import is_table, load_table, read_table
from dcac.data.store import Record

LAYOUTS = {"market": read_named, "folders": read_persons, "list": read_table}
DRAWN = {  # how each layout looks, for people
    "market": "bounding_box_train/, query/, bounding_box_test/ (or one folder)\n  0002_c1s1_000451_03.jpg\n",
    "folders": "(train/, query/, gallery/ or test/, or none of them)\n  0002/cam1_000451.jpg, or 0002/cam1/000451.jpg\n",
    "list": "a table (CSV or Parquet) of path, pid, camid, split beside the pictures it lists\n",
}
NAMED = re.compile(r"[^_]+_(?i:c|cam|camera)[_-]?\d")
MOST_PIDS, MOST_CAMERAS = 2**31, 2**15  # that a normalised file can hold


def read_own(source: Source, own: Own, code: str) -> Reading:
    """Read a set in one of the layouts.

    Returns:
        The reading; without cameras all camids are 0, and the picture's number takes their place once it is known.

    Raises:
        LayoutError: The layout does not fit, or its parts contradict each other; in one sentence with the remedy.
    """
    told = LAYOUTS[own.layout](source, own)
    shown = [entry for entry in told if not entry.is_junk]
    entries = divide(shown, own.split, seed=own.seed, cameras=own.cameras)
    pids = number_people({entry.person for entry in entries})
    camids = number_cameras({entry.camera for entry in entries if entry.camera is not None})
    reading = Reading(own.layout, OWN)
    if len(shown) < len(told):
        reading.dropped["junk"] = len(told) - len(shown)
    for entry in entries:
        camid = camids[entry.camera] if entry.camera is not None else 0
        path, image = f"{entry.split}/{entry.below}", Member(source, entry.name)
        record = Record(str(entry.split), pids[entry.person], camid, code, path, image, columns=entry.columns)
        reading.records.append(record)
    _check_paths(reading.records)
    reading.facts = {
        "split": own.split,
        "seed": own.seed,
        "pids": {name: pid for name, pid in pids.items() if name != str(pid)},
        "cameras": camids,
    }
    return reading


def recognise(source: Source, *, layout: str | None, table: str | None, camera: str | None, cameras: bool) -> dict:
    """Find out how a set is laid out; what the user says stands.

    Args:
        layout: One of `LAYOUTS`, where the user says it.
        table: The table, where the user names it.
        camera: The pattern of cameras, where the user gives it.
        cameras: Whether they are known.

    Returns:
        Layout, table, camera and cameras, as a card has them.

    Raises:
        LayoutError: No layout fits, or no name tells a camera.
    """
    if table is None and layout in (None, "list"):
        table = _only_table(source)
    chosen = layout or ("list" if table is not None else _layout(pictures(source)))
    if (chosen == "list") != (table is not None):
        raise LayoutError(
            f"the layout {chosen!r} reads no table; leave --list or --layout out"
            if table is not None
            else "no table with the columns path and pid lies in the top folder; name one with --list"
        )
    if not cameras:
        camera = None
    elif camera is None and table is None:
        camera = usual_camera(_camera_texts(source, chosen))
    elif camera is None and "camid" not in load_table(source, str(table)):
        camera = usual_camera({path: path for path in load_table(source, str(table))["path"]})
    return {"layout": chosen, "table": table, "camera": camera, "cameras": cameras}


def number_people(names: Iterable[str]) -> dict[str, int]:
    """Give every person a pid: the number that the name is, or, where one is no number, its place in natural order.

    Raises:
        LayoutError: Two names are one number.
    """
    known = sorted(set(names), key=natural)
    numbers = _numbers(known)
    if numbers is None or max(numbers) >= MOST_PIDS:
        return {name: place for place, name in enumerate(known)}
    if twins := _of_one_number(known):
        raise LayoutError(f"the people {' and '.join(twins)} are one number; rename one")
    return dict(zip(known, numbers, strict=True))


def number_cameras(names: Iterable[str]) -> dict[str, int]:
    """Give every camera a camid: its number from 0 or from 1, or, where one is no number, its place in natural order.

    Raises:
        LayoutError: Two names are one number.
    """
    known = sorted(set(names), key=natural)
    numbers = _numbers(known)
    if numbers is None or max(numbers) >= MOST_CAMERAS:
        return {name: place for place, name in enumerate(known)}
    start = min(numbers) and 1
    if twins := _of_one_number(known):
        raise LayoutError(
            f"the cameras {' and '.join(twins)} are one number; rename one, or give --camera another pattern"
        )
    return {name: number - start for name, number in zip(known, numbers, strict=True)}


def natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts the numbers in names by their value."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def labels_fingerprint(records: Iterable[Record]) -> str:
    """Hash split, path, pid and camera of all pictures: 32 hexadecimal digits."""
    lines = sorted(f"{record.split}\t{record.path}\t{record.pid}\t{record.camid}" for record in records)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def _numbers(names: Sequence[str]) -> list[int] | None:
    return (
        [int(name) for name in names] if names and all(name.isascii() and name.isdecimal() for name in names) else None
    )


def _of_one_number(names: Sequence[str]) -> tuple[str, str] | None:
    """Find two neighbours in natural order that are one number, such as 7 and 07."""
    return next((pair for pair in pairwise(names) if int(pair[0]) == int(pair[1])), None)


def _layout(names: list[str]) -> str:
    if divided(names, deep=False):
        return "market"
    if divided(names, deep=True):
        return "folders"
    one_folder = len({name.rpartition("/")[0] for name in names}) == 1
    if one_folder and all(NAMED.match(name.rpartition("/")[2]) for name in names):
        return "market"
    try:
        person_folders(names)
    except LayoutError as error:
        drawings = "\n".join(f"layout {name}:\n  {drawing}".rstrip() for name, drawing in DRAWN.items())
        raise LayoutError(f"no layout fits ({error}). Expected one of\n{drawings}\nFound\n{tree(names)}") from None
    return "folders"


def _camera_texts(source: Source, layout: str) -> dict[str, str]:
    """Return what of each picture's path tells its camera."""
    names = pictures(source)
    if layout == "market":
        places = divided(names, deep=False)
        return {name: name.rpartition("/")[2] for name in names if places is None or name.startswith(tuple(places))}
    return {name: below.partition("/")[2] for name, below in person_folders(names)[1].items()}


def _only_table(source: Source) -> str | None:
    """Return the one table of the top folder that lists pictures, or None."""
    top = min((name.count("/") for name in source.names), default=0)
    found = []
    for name in source.names:
        if name.count("/") == top and is_table(name):
            try:
                load_table(source, name)
            except LayoutError:
                continue
            found.append(name)
    if len(found) > 1:
        raise LayoutError(f"{found[0]} and {found[1]} both list pictures; name one with --list")
    return found[0] if found else None


def _check_paths(records: Sequence[Record]) -> None:
    """Refuse two pictures of one name in one split: no later file could tell them apart."""
    repeated = [path for path, times in Counter(record.path for record in records).items() if times > 1]
    if repeated:
        raise LayoutError(f"two pictures are called {repeated[0]}; rename one")
