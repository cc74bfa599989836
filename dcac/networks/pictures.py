"""Pictures as people hold them, files, Pillow images or arrays, as encoded images."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from dcac.data.images import image_problem, to_rgb, upright


def encoded(picture: str | Path | Image.Image | NDArray[np.uint8], what: str) -> bytes:
    """Return the bytes of an image file, upright as its EXIF says.

    Args:
        what: name of a picture that is no file, for errors.

    Raises:
        ValueError: it does not exist, is no JPEG, PNG or BMP picture, or no array of pixels.
    """
    if isinstance(picture, (str, Path)):
        return _read_file(Path(picture))
    if isinstance(picture, Image.Image):
        return _as_bitmap(ImageOps.exif_transpose(picture))
    if isinstance(picture, np.ndarray):
        return _as_bitmap(Image.fromarray(_checked_pixels(picture, what)))
    raise ValueError(f"{what} is a {type(picture).__name__}; give a path, a Pillow image or an array uint8 [H, W, 3]")


def _read_file(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"no picture at {path}; give image files")
    data = path.read_bytes()
    if problem := image_problem(data):
        raise ValueError(f"{path} cannot be used: {problem}; give a JPEG, PNG or BMP picture")
    return upright(data)


def _checked_pixels(pixels: NDArray[np.uint8], what: str) -> NDArray[np.uint8]:
    grey = pixels.ndim == 2
    if pixels.dtype != np.uint8 or not (grey or (pixels.ndim == 3 and pixels.shape[2] == 3)) or 0 in pixels.shape:
        raise ValueError(
            f"{what} is an array {pixels.dtype} {list(pixels.shape)}; give uint8 [H, W, 3] (RGB, 0..255) or [H, W] (grey)"
        )
    return np.ascontiguousarray(pixels)


def _as_bitmap(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    to_rgb(image).save(stream, format="BMP")  # lossless, and quick to write and read
    return stream.getvalue()
