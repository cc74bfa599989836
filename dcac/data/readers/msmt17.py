"""Reader of MSMT17: the official lists of V1 and V2, and the converted folders in circulation."""

import re
from collections import Counter

from dcac.data.archives import Source
from dcac.data.readers.layout import (
    UNKNOWN,
    LayoutError,
    Member,
    Reading,
    below,
    by_plain_name,
    find_name,
    find_root,
    plain_name,
    read_market_style,
)
from dcac.data.store import Record

LISTS = {"list_train.txt": "train", "list_val.txt": "val", "list_query.txt": "query", "list_gallery.txt": "gallery"}
FOLDERS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}  # of train and val, of query and gallery
LISTED = re.compile(r"(\d+)/(\d+_\d+_(\d+)_[^/\s]+(?i:\.jpg)) (\d+)")  # 0000/0000_000_01_0303morning_0008_0.jpg 0
CONVERTED = re.compile(r"(\d+)_c(\d+)_.*\.jpg")


def read_msmt17(source: Source, variant: str) -> Reading:
    """Read MSMT17 by its lists, whose second field is the pid and whose third name field is the camera.

    Test identities restart at 0: pid 0 of train and pid 0 of query are two people.

    Args:
        variant: "train+val" puts list_val into train, "train" drops it.

    Raises:
        LayoutError: No layout fits, a list names a missing image, or names of V1 and V2 are mixed.
    """
    for version, folders in FOLDERS.items():
        root = find_root(source.names, *LISTS, *folders)
        if root is not None:
            _check_version(source, root, version)
            return _read_lists(source, root, version, keep_val=variant == "train+val")
    reading = read_market_style(source, layout="converted", version=UNKNOWN, domain="MS", read_name=read_name)
    if reading is None:
        raise LayoutError("neither the four lists with their image folders nor the three converted folders are there")
    return reading


def read_name(base: str) -> tuple[int, int] | None:
    """Return pid and camid of a converted name such as `0042_c13_0007.jpg`; cameras have one or two digits."""
    match = CONVERTED.fullmatch(base)
    return (int(match[1]), int(match[2]) - 1) if match and int(match[2]) >= 1 else None


def _check_version(source: Source, root: str, version: str) -> None:
    """Refuse V1 folders under a V2 name and the reverse: the faces are blurred in one of them only."""
    told = {f"V{digit}" for digit in re.findall(r"(?i)MSMT17_v([12])", f"{source.path.name}/{root}")}
    if told and told != {version}:
        raise LayoutError(
            f"{source.path.name}/{root} is named {' and '.join(sorted(told))} but its folders "
            f"{' and '.join(FOLDERS[version])} are those of {version}; rename it to what it is"
        )


def _read_lists(source: Source, root: str, version: str, *, keep_val: bool) -> Reading:
    reading = Reading(f"lists-{version.lower()}", version)
    train_folder, test_folder = (f"{root}{folder}/" for folder in FOLDERS[version])
    unlisted = Counter(name for folder in (train_folder, test_folder) for name, _ in below(source, folder))
    on_disk = by_plain_name(unlisted)
    for list_name, part in LISTS.items():
        folder = train_folder if part in ("train", "val") else test_folder
        for relative, pid, camid in _entries(source, root + list_name):
            name = find_name(on_disk, folder + relative)
            if name is None or unlisted.pop(name, None) is None:
                raise LayoutError(
                    f"{root}{list_name} names {relative}, which is missing or listed twice; get the set again"
                )
            if plain_name(name) != name:
                reading.nearly.append(name)
            if part == "val" and not keep_val:
                reading.dropped["val"] += 1
                continue
            split = "train" if part == "val" else part
            image = Member(source, name)
            reading.records.append(Record(split, pid, camid, "MS", f"{part}/{relative}", image))
    reading.strays += sorted(unlisted)
    return reading


def _entries(source: Source, name: str) -> list[tuple[str, int, int]]:
    """Return relative path, pid and camid of each line of a list."""
    entries = []
    for number, line in enumerate(source.read(name).decode().splitlines(), start=1):
        match = LISTED.fullmatch(line.strip())
        if match is None or int(match[3]) < 1:
            raise LayoutError(f"line {number} of {name} is {line!r}; expected 'PPPP/PPPP_NNN_CC_....jpg PID'")
        entries.append((f"{match[1]}/{match[2]}", int(match[4]), int(match[3]) - 1))
    return entries
