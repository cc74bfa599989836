"""Pictures of people for a figure: the heads of real ones are blurred."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dcac.data.images import FORMATS, to_rgb
from dcac.data.store import iter_split, read_sidecar
from dcac.features.feature_file import SPLITS

HEAD = 0.3  # of a picture's height from its top, where the head of a person in a usual box is; source: ours
BLOCKS = 4  # blocks of one colour across that part: no face can be told from so few
SIZE = (64, 128)  # width and height of a picture in a figure, pixels


def read_pictures(store: Path, paths: Iterable[str], *, faces: str) -> dict[str, NDArray[np.uint8]]:
    """Read test images of a target by their paths: uint8 [H, W, 3] of one size, the heads of real people blurred.

    Args:
        store: normalised file of the target.
        faces: `blurred`, or `shown`.

    Raises:
        ValueError: the target has no image of some path.
    """
    wanted = list(dict.fromkeys(paths))
    data: dict[str, bytes] = {}
    for part in iter_split(store, SPLITS):
        own = part[part["path"].isin(wanted)]
        data |= zip(own["path"], own["data"], strict=True)
    hidden = faces == "blurred" and read_sidecar(store).get("layout") != "rendered"
    pictures = {}
    for path in wanted:
        if path not in data:
            raise ValueError(
                f"{store} holds no test image '{path}'; give the normalised file that the features were made of"
            )
        with Image.open(io.BytesIO(data[path]), formats=FORMATS) as opened:
            picture = np.asarray(to_rgb(opened).resize(SIZE, Image.Resampling.BICUBIC))
        pictures[path] = without_face(picture) if hidden else picture
    return pictures


def without_face(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replace the upper part of a picture [H, W, 3] by blocks of their mean colour; the same each time."""
    height, width, _ = picture.shape
    shown = picture.copy()
    bottom = round(HEAD * height)
    rows = np.array_split(np.arange(bottom), max(1, round(BLOCKS * bottom / width)))
    for own in rows:
        for columns in np.array_split(np.arange(width), BLOCKS):
            place = np.ix_(own, columns)
            shown[place] = picture[place].mean(axis=(0, 1)).round()
    return shown
