"""Reader of PRID2011, single shot."""

import re

from dcac.data.archives import Source
from dcac.data.readers.layout import LayoutError, Member, Reading, below, find_root, plain_name
from dcac.data.store import Record

PATTERN = re.compile(r"person_(\d{4})\.png")
FOLDERS = {"single_shot/cam_a": "query", "single_shot/cam_b": "gallery"}
SHARED = 200  # persons 1..200 are in both cameras; above, equal numbers mean different people


def read_prid(source: Source, variant: str) -> Reading:
    """Read PRID2011: query is persons 1..200 of cam_a, gallery is all of cam_b, the others of cam_a are dropped.

    Raises:
        LayoutError: The two folders are not there.
    """
    root = find_root(source.names, *FOLDERS)
    if root is None:
        raise LayoutError("no folder holds single_shot/cam_a and single_shot/cam_b")
    reading = Reading("single-shot", "single-shot")
    for camid, (folder, split) in enumerate(FOLDERS.items()):
        for name, base in below(source, f"{root}{folder}/"):
            match = PATTERN.fullmatch(plain_name(base))
            if match is None:
                reading.strays.append(name)
                continue
            if plain_name(base) != base:
                reading.nearly.append(name)
            if split == "query" and int(match[1]) > SHARED:
                reading.dropped["cam_a only"] += 1
            else:
                image = Member(source, name)
                reading.records.append(Record(split, int(match[1]), camid, "PRID", f"{split}/{base}", image))
    return reading
