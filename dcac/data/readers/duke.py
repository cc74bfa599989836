"""Readers of DukeMTMC-reID and of Occluded-Duke, which lists images of it; both are withdrawn."""

import re

from dcac.data.archives import Source
from dcac.data.readers.layout import (
    MARKET_FOLDERS,
    LayoutError,
    Member,
    Reading,
    by_plain_name,
    find_name,
    find_root,
    plain_name,
    read_market_style,
)
from dcac.data.store import Record

PATTERN = re.compile(r"(\d{4})_c([1-8])_f\d+\.jpg")
LISTS = {"train.list": "train", "query.list": "query", "gallery.list": "gallery"}


def read_duke(source: Source, variant: str) -> Reading:
    """Read DukeMTMC-reID.

    Raises:
        LayoutError: Its folders are not there.
    """
    reading = read_market_style(source, layout="market", version="original", domain="D", read_name=read_name)
    if reading is None:
        raise LayoutError("no folder holds bounding_box_train, query and bounding_box_test")
    return reading


def read_occluded_duke(source: Source, variant: str) -> Reading:
    """Read Occluded-Duke from its lists over the folders of DukeMTMC-reID, or from already converted folders.

    Raises:
        LayoutError: Neither is there, or a listed image is missing.
    """
    root = find_root(source.names, *LISTS)
    if root is not None:
        return _read_lists(source, root)
    reading = read_market_style(source, layout="market", version="original", domain="OccD", read_name=read_name)
    if reading is None:
        raise LayoutError("no folder holds train.list, query.list and gallery.list, nor the three converted folders")
    return reading


def read_name(base: str) -> tuple[int, int] | None:
    """Return pid and camid of `0005_c2_f0046985.jpg`."""
    match = PATTERN.fullmatch(base)
    return (int(match[1]), int(match[2]) - 1) if match else None


def _read_lists(source: Source, root: str) -> Reading:
    images = find_root(source.names, *MARKET_FOLDERS)
    if images is None:
        raise LayoutError(f"{root}*.list name images of DukeMTMC-reID, whose three folders are not beside them")
    folder_of = {split: f"{images}{folder}/" for folder, split in MARKET_FOLDERS.items()}
    known = by_plain_name(source.names)
    reading = Reading("lists", "original")
    for list_name, split in LISTS.items():
        # An occluded query may come from any folder of the full set; that of its own split is only the first guess.
        folders = [folder_of[split], *(folder for other, folder in folder_of.items() if other != split)]
        for base in source.read(root + list_name).decode().split():
            name = next((found for folder in folders if (found := find_name(known, folder + base))), None)
            labels = read_name(plain_name(base))
            if name is None or labels is None:
                raise LayoutError(f"{root}{list_name} names {base!r}, which is not in the folders of DukeMTMC-reID")
            if plain_name(name) != name:
                reading.nearly.append(name)
            reading.records.append(Record(split, *labels, "OccD", f"{split}/{base}", Member(source, name)))
    return reading
