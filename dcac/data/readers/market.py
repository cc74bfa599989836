"""Reader of Market-1501."""

import re

from dcac.data.archives import Source
from dcac.data.readers.layout import LayoutError, Reading, read_market_style

PATTERN = re.compile(r"(-1|\d{4})_c([1-6])s\d_\d+_\d+\.jpg")


def read_market(source: Source, variant: str) -> Reading:
    """Read Market-1501: pid -1 is junk and dropped, pid 0 is a distractor and kept.

    Raises:
        LayoutError: The folders of Market-1501 are not there.
    """
    reading = read_market_style(source, layout="market", version="v15.09.15", domain="MA", read_name=read_name)
    if reading is None:
        raise LayoutError("no folder holds bounding_box_train, query and bounding_box_test")
    return reading


def read_name(base: str) -> tuple[int, int] | None:
    """Return pid and camid of `0002_c1s1_000451_03.jpg`."""
    match = PATTERN.fullmatch(base)
    return (int(match[1]), int(match[2]) - 1) if match else None
