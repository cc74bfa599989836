"""What the layouts of one's own sets share: pictures as a layout tells them, before people and cameras have numbers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dcac.data.archives import Source
from dcac.data.catalog import Own
from dcac.data.readers.layout import JUNK, SUFFIX, LayoutError

SPLIT_FOLDERS = {  # name of a folder, in small letters: what it holds
    "bounding_box_train": "train",
    "train_all": "train",
    "train": "train",
    "val": "train",
    "query": "query",
    "probe": "query",
    "bounding_box_test": "gallery",
    "gallery": "gallery",
    "test": "test",
}
TEST = "test"  # test pictures of which nobody says which are queries
WHOLE, PARTS = "train_all", ("train", "val")  # of prepared folders: the first holds what the others divide
OTHER_PICTURES = re.compile(r"\.(?:webp|tiff?|gif|heic|heif|avif|jp2|ppm|pgm)\Z", re.IGNORECASE)
USUAL_CAMERAS = (  # the first that finds a camera in every name is taken
    r"(?:^|[_/-])c(\d+)(?=s\d|[_.-])",  # 0002_c1s1_000451_03.jpg
    r"(?i:(?:^|[^a-z])cam(?:era)?)[_-]?(\d+)",  # 0002/cam1_000451.jpg
    r"^([^/]+)/",  # 0002/entrance/000451.jpg
)
SHOWN = 3  # names in a sentence


@dataclass(frozen=True)
class Entry:
    """One picture as its layout tells it.

    Args:
        name: Of the file in its source.
        below: What is kept of its path, without the split.
        split: train, query, gallery or test; None where the layout does not say.
        person: As on disk.
        camera: As on disk; None where nobody knows it.
        columns: Whatever else a table says of it.
    """

    name: str
    below: str
    split: str | None
    person: str
    camera: str | None
    columns: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_junk(self) -> bool:
        """Whether it shows nobody in particular, as Market-1501 marks it."""
        return self.person == str(JUNK)


def pictures(source: Source) -> list[str]:
    """Name the JPEG, PNG and BMP files of a source.

    Raises:
        LayoutError: There are none, or there are pictures of kinds that are not read.
    """
    other = [name for name in source.names if OTHER_PICTURES.search(name)]
    if other:
        raise LayoutError(
            f"{some(other, 'picture')} of a kind that is not read; convert to JPEG or PNG, or take out of the folder"
        )
    found = [name for name in source.names if SUFFIX.search(name)]
    if not found:
        raise LayoutError("there is no JPEG, PNG or BMP file; give the folder or archive that holds the pictures")
    return found


def divided(names: Iterable[str], *, deep: bool) -> dict[str, str | None] | None:
    """Find the folders of the splits.

    Args:
        names: Of the pictures.
        deep: Whether the splits hold a folder a person, or the pictures themselves.

    Returns:
        Folder, ending in "/", to split; None where no folder is one of a split.

    Raises:
        LayoutError: Several places hold such folders, or two folders are one split.
    """
    known = list(names)
    parents: dict[str, dict[str, bool]] = {}  # folder -> those of splits in it, and whether they hold folders
    for name in known:
        *folders, _ = name.split("/")
        for place in (place for place, folder in enumerate(folders) if folder.lower() in SPLIT_FOLDERS):
            found = parents.setdefault("".join(f"{folder}/" for folder in folders[:place]), {})
            found[folders[place]] = found.get(folders[place], False) or place + 1 < len(folders)
    fitting = {parent: sorted(folders) for parent, folders in parents.items() if set(folders.values()) == {deep}}
    several = {parent: folders for parent, folders in fitting.items() if len(folders) > 1}
    chosen = several or {
        parent: folders
        for parent, folders in fitting.items()
        if all(name.startswith(f"{parent}{folders[0]}/") for name in known)
    }
    if len(chosen) > 1:
        listed = ", ".join(parent or "(top)" for parent in sorted(chosen))
        raise LayoutError(f"several folders hold train, query and gallery: {listed}; give the path of one of them")
    return next((_splits(parent, folders) for parent, folders in chosen.items()), None)


def _splits(parent: str, folders: Sequence[str]) -> dict[str, str | None]:
    small = {folder.lower() for folder in folders}
    kept = [folder for folder in folders if not (WHOLE in small and folder.lower() in PARTS)]
    splits: dict[str, str] = {}
    for folder in kept:
        split = SPLIT_FOLDERS[folder.lower()]
        if split == TEST and "query" in map(SPLIT_FOLDERS.get, small):
            split = "gallery"
        other = next((known for known, its in splits.items() if its == split and not _are_parts(known, folder)), None)
        if other is not None:
            raise LayoutError(f"{parent}{other} and {parent}{folder} are both the {split} split; remove or rename one")
        splits[folder] = split
    return {f"{parent}{folder}/": split for folder, split in splits.items()}


def _are_parts(first: str, second: str) -> bool:
    return {first.lower(), second.lower()} == set(PARTS)


def kept_path(name: str, below: str, folders: Mapping[str, str | None], own: Own) -> str:
    """Return what is kept of a picture's path: below its split's folder, or all where that is not the split's own."""
    split = folders[name[: -len(below)]]
    return below if own.split == "keep" and list(folders.values()).count(split) == 1 else name


def cameras_in(texts: Mapping[str, str], pattern: str | None) -> dict[str, str | None]:
    """Find the camera of every picture.

    Args:
        texts: Name of a picture to what of it tells the camera.
        pattern: A regular expression whose group is the camera; None: nobody knows it.

    Raises:
        LayoutError: The pattern finds none in some of them.
    """
    if pattern is None:
        return dict.fromkeys(texts)
    found = {name: re.search(pattern, text) for name, text in texts.items()}
    silent = [name for name, match in found.items() if match is None or not match[1]]
    if silent:
        raise LayoutError(
            f"{some(silent, 'picture')} of {len(texts)} name no camera by {pattern!r}; rename them, give --camera a pattern "
            "that fits all, or say --no-cameras"
        )
    return {name: match[1] for name, match in found.items() if match is not None}


def usual_camera(texts: Mapping[str, str]) -> str:
    """Return the usual pattern that tells the cameras of all pictures, or else of most.

    Raises:
        LayoutError: None tells any.
    """
    told = {pattern: sum(re.search(pattern, text) is not None for text in texts.values()) for pattern in USUAL_CAMERAS}
    best = max(told, key=lambda pattern: told[pattern])  # of equal ones the first
    if not told[best]:
        raise LayoutError(
            f"no name of {some(list(texts), 'picture')} tells a camera; give --camera a pattern whose group is the camera, "
            "such as 'cam(\\d+)', or say --no-cameras"
        )
    return best


def some(names: Sequence[str], noun: str) -> str:
    """Count names and show the first: `4 pictures (a.jpg, b.jpg, c.jpg, ...)`."""
    shown = ", ".join([*names[:SHOWN], *(["..."] if len(names) > SHOWN else [])])
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'} ({shown})"
