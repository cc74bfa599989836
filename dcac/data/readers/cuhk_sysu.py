"""Reader of CUHK-SYSU: all annotated crops, for training only."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dcac.data.archives import Source
from dcac.data.images import opened
from dcac.data.readers.layout import LayoutError, Reading, find_root, read_folders
from dcac.data.readers.matlab import load_mat
from dcac.data.store import Record

if TYPE_CHECKING:
    from PIL import Image

FRAMES, ANNOTATION = "Image/SSM", "annotation/Person.mat"
CROPS = {  # layout: folder of crops and pattern of their names; the first group is the pid
    "cropped_images": ("cropped_images", re.compile(r"p(\d+)_s\d+_\d+\.jpg")),
    "cropped_image": ("cropped_image", re.compile(r"p(\d+)_n\d+_s\d+_hard[01]\.png")),
    "cuhksysu4reid": ("combine", re.compile(r"(\d{5})_s\d+_\d+_[01]\.jpg")),
}
NO_CAMERA = 0  # the frames come from phones and films


@dataclass(frozen=True)
class Crop:
    """Cuts one box (x, y, width, height in pixels) out of its frame when called; JPEG 95, no chroma subsampling."""

    source: Source
    frame: str
    box: tuple[int, int, int, int]

    def __call__(self) -> bytes:
        frame = _decode(self.source, self.frame)
        x, y, width, height = self.box
        corners = (max(x, 0), max(y, 0), min(x + width, frame.width), min(y + height, frame.height))
        if corners[0] >= corners[2] or corners[1] >= corners[3]:
            raise ValueError(f"box {self.box} lies outside {self.frame} ({frame.width}x{frame.height})")
        encoded = io.BytesIO()
        frame.crop(corners).save(encoded, format="JPEG", quality=95, subsampling=0)
        return encoded.getvalue()


def read_cuhk_sysu(source: Source, variant: str) -> Reading:
    """Read CUHK-SYSU from its frames and boxes or from a package of crops; everything is train.

    Raises:
        LayoutError: Neither is there, or a box names a missing frame.
    """
    root = find_root(source.names, FRAMES, ANNOTATION)
    if root is not None:
        return _read_frames(source, root)
    for layout, (folder, pattern) in CROPS.items():
        root = find_root(source.names, folder)
        if root is not None:
            reading = Reading(layout, "original")
            return read_folders(
                source, reading, domain="CS", folders={root + folder: "train"}, read_name=name_reader(pattern)
            )
    raise LayoutError(f"neither {FRAMES} with {ANNOTATION} nor a folder of crops is there")


def name_reader(pattern: re.Pattern[str]) -> Callable[[str], tuple[int, int] | None]:
    """Return the function that gives pid and camid of a crop's name."""

    def read_name(base: str) -> tuple[int, int] | None:
        match = pattern.fullmatch(base)
        return (int(match[1]), NO_CAMERA) if match else None

    return read_name


def _read_frames(source: Source, root: str) -> Reading:
    reading = Reading("frames", "original")
    known = set(source.names)
    for person, frame, box in _boxes(source, root + ANNOTATION):
        name = f"{root}{FRAMES}/{frame}"
        if name not in known:
            raise LayoutError(
                f"Person.mat puts {person} into {frame}, which is not in {root}{FRAMES}; get the set again"
            )
        # The frame comes first in the path, so that images sorted by path need each frame decoded once.
        path = f"train/{frame.removesuffix('.jpg')}_{person}_{'_'.join(map(str, box))}.jpg"
        pid = int(person.removeprefix("p"))
        reading.records.append(Record("train", pid, NO_CAMERA, "CS", path, Crop(source, name, box)))
    return reading


def _boxes(source: Source, name: str) -> Iterator[tuple[str, str, tuple[int, int, int, int]]]:
    """Yield person, frame and box of every entry of Person.mat."""
    for person in np.atleast_1d(load_mat(source.read(name), name, "Person")["Person"]):
        if not re.fullmatch(r"p\d+", str(person.idname)):
            raise LayoutError(f"{name} names a person {person.idname!r}; expected p12345")
        for scene in np.atleast_1d(person.scene):
            x, y, width, height = (int(value) for value in scene.idlocate)
            yield str(person.idname), str(scene.imname), (x, y, width, height)


@lru_cache(maxsize=1)
def _decode(source: Source, frame: str) -> "Image.Image":
    with opened(source.read(frame)) as image:
        return image.convert("RGB")
