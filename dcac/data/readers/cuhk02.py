"""Reader of CUHK02, five pairs of cameras."""

import re
from collections.abc import Callable

from dcac.data.archives import Source
from dcac.data.readers.layout import LayoutError, Reading, find_root, read_folders

PATTERN = re.compile(r"(\d{1,4})_.+\.png")
NUMBERS_PER_PAIR = 10_000  # a number is unique within its pair only: pid = 10000 x pair + number
TEST_PAIR = 5


def read_cuhk02(source: Source, variant: str) -> Reading:
    """Read CUHK02: train is P1-P4, query is P5/cam1, gallery P5/cam2.

    Raises:
        LayoutError: The folders P1/cam1 to P5/cam2 are not there.
    """
    folders = [(pair, view) for pair in range(1, TEST_PAIR + 1) for view in (1, 2)]
    root = find_root(source.names, *(f"P{pair}/cam{view}" for pair, view in folders))
    if root is None:
        raise LayoutError("no folder holds P1/cam1 to P5/cam2")
    reading = Reading("dataset" if f"/{root}".endswith("/Dataset/") else "pairs", "original")
    for pair, view in folders:
        split = "train" if pair < TEST_PAIR else ("query", "gallery")[view - 1]
        place = f"P{pair}/cam{view}"
        read_name, inside = name_reader(pair, view), place + "/"
        read_folders(source, reading, domain="C2", folders={root + place: split}, read_name=read_name, inside=inside)
    return reading


def name_reader(pair: int, view: int) -> Callable[[str], tuple[int, int] | None]:
    """Return the function that gives pid and camid (2 x pair + view - 3, from 0) of a name in one folder."""

    def read_name(base: str) -> tuple[int, int] | None:
        match = PATTERN.fullmatch(base)
        return (NUMBERS_PER_PAIR * pair + int(match[1]), 2 * pair + view - 3) if match else None

    return read_name
