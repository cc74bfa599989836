"""Reader of VIPeR."""

import re
from collections.abc import Callable

from dcac.data.archives import Source
from dcac.data.readers.layout import LayoutError, Reading, find_root, read_folders

PATTERN = re.compile(r"(\d{3})_\d+\.bmp")  # identity and view angle
FOLDERS = {"cam_a": "query", "cam_b": "gallery"}


def read_viper(source: Source, variant: str) -> Reading:
    """Read VIPeR: query is cam_a, gallery is cam_b; both must show the same people.

    Raises:
        LayoutError: The two folders are not there, or a person is in one of them only.
    """
    root = find_root(source.names, *FOLDERS)
    if root is None:
        raise LayoutError("no folder holds cam_a and cam_b")
    reading = Reading("viper", "v1.0")
    for camid, (folder, split) in enumerate(FOLDERS.items()):
        read_folders(source, reading, domain="VIPeR", folders={root + folder: split}, read_name=name_reader(camid))
    pids = {split: {record.pid for record in reading.records if record.split == split} for split in FOLDERS.values()}
    lonely = sorted(pids["query"] ^ pids["gallery"])
    if lonely:
        raise LayoutError(
            f"{len(lonely)} people are in one camera only, the first is {lonely[0]:03d}; get the set again"
        )
    return reading


def name_reader(camid: int) -> Callable[[str], tuple[int, int] | None]:
    """Return the function that gives pid and camid of a name in one folder."""

    def read_name(base: str) -> tuple[int, int] | None:
        match = PATTERN.fullmatch(base)
        return (int(match[1]), camid) if match else None

    return read_name
