"""Reader of GRID (QMUL underground)."""

import re

from dcac.data.archives import Source
from dcac.data.readers.layout import LayoutError, Reading, find_root, read_folders

PATTERN = re.compile(r"(\d{4})_([1-9])_.*\.jpeg")
FOLDERS = {"probe": "query", "gallery": "gallery"}


def read_grid(source: Source, variant: str) -> Reading:
    """Read GRID: query is the folder probe; pid 0 marks the distractors of the gallery.

    Raises:
        LayoutError: The two folders are not there.
    """
    root = find_root(source.names, *FOLDERS)
    if root is None:
        raise LayoutError("no folder holds probe and gallery")
    folders = {root + folder: split for folder, split in FOLDERS.items()}
    return read_folders(source, Reading("grid", "original"), domain="GRID", folders=folders, read_name=read_name)


def read_name(base: str) -> tuple[int, int] | None:
    """Return pid and camid of `0001_1_25004_107_32_106_221.jpeg`."""
    match = PATTERN.fullmatch(base)
    return (int(match[1]), int(match[2]) - 1) if match else None
