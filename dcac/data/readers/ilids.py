"""Reader of QMUL i-LIDS (119 people), whose cameras are not encoded."""

import re

from dcac.data.archives import Source
from dcac.data.readers.layout import LayoutError, Reading, find_root, read_folders

PATTERN = re.compile(r"(\d{4})(\d{3})\.jpg")
LAYOUTS = {"Persons": "persons", "images": "images"}  # folder: layout


def read_ilids(source: Source, variant: str) -> Reading:
    """Read i-LIDS: every image is query and gallery, and its number within the person stands for the camera.

    So no image meets itself, no other pair is filtered, and a random split draws its rows from either side.

    Raises:
        LayoutError: Neither Persons nor images is there.
    """
    found = [(folder, root) for folder in LAYOUTS if (root := find_root(source.names, folder)) is not None]
    if not found:
        raise LayoutError("there is no folder Persons or images")
    folder, root = found[0]
    reading = Reading(LAYOUTS[folder], "original")
    for split in ("query", "gallery"):
        read_folders(source, reading, domain="iLIDS", folders={root + folder: split}, read_name=read_name)
    reading.strays, reading.nearly = sorted(set(reading.strays)), sorted(set(reading.nearly))
    return reading


def read_name(base: str) -> tuple[int, int] | None:
    """Return pid and, as camid, the image's number of `0001003.jpg`."""
    match = PATTERN.fullmatch(base)
    return (int(match[1]), int(match[2])) if match else None
