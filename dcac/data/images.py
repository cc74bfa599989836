"""Pictures: which are accepted, and how they are decoded into uint8 arrays of one size."""

import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "BMP")  # of the data sets; no other decoder is ever started
MIN_SIDE, MAX_SIDE = 4, 4096  # pixels; a crop of a person is within, a decompression bomb is not
ORIENTATION = 0x0112  # EXIF tag


class PictureError(ValueError):
    """A picture that must not or cannot be decoded."""


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """Open a picture of an accepted format and a sane size; its pixels are decoded when they are asked for.

    Raises:
        PictureError: it is not JPEG, PNG or BMP, of absurd size, or cannot be read as it is meant.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise PictureError("no JPEG, PNG or BMP image") from None
    except Exception as error:  # a damaged head makes Pillow raise errors of many kinds
        raise PictureError(f"{type(error).__name__}: {error}".replace("\n", " ")) from None
    with image:
        if max(image.size) > MAX_SIDE:
            raise PictureError(_size(image))
        if "transparency" in image.info and any("RGB;16" in str(tile[3]) for tile in image.tile):
            raise PictureError(
                "16-bit colours of which one is transparent, which 8 bits cannot tell apart; save it anew"
            )
        yield image


def image_problem(data: bytes) -> str:
    """Say why bytes are no acceptable image: not JPEG, PNG or BMP, of absurd size, truncated or damaged; else ""."""
    try:
        with opened(data) as image:
            if min(image.size) < MIN_SIDE:
                return _size(image)
            image.load()
    except PictureError as error:
        return str(error)
    except Exception as error:  # a damaged file makes Pillow raise errors of many kinds
        return f"{type(error).__name__}: {error}".replace("\n", " ")
    return ""


def _size(image: Image.Image) -> str:
    return f"{image.width}x{image.height} pixels, outside {MIN_SIDE}..{MAX_SIDE} a side"


def decode(images: Sequence[bytes], *, height: int, width: int, resize: str = "bicubic") -> np.ndarray:
    """Decode and resize (aspect ratio ignored) images into one array; an EXIF orientation is ignored, as benchmarks ask.

    Args:
        images: encoded images (JPEG, PNG, BMP).
        height: pixels.
        width: pixels.
        resize: `bicubic` or `bilinear`.

    Returns:
        uint8 [N, 3, H, W], RGB.

    Raises:
        PictureError: one of them cannot be decoded; the message counts from 1.

    Source:
        Bicubic in the authors' released code, but for the test images of single-source runs: bilinear.
    """
    kernel = Image.Resampling[resize.upper()]
    out = np.empty((len(images), 3, height, width), dtype=np.uint8)

    def place(index: int) -> None:
        try:
            with opened(images[index]) as image:
                resized = to_rgb(image).resize((width, height), kernel)
        except Exception as error:  # a damaged file makes Pillow raise errors of many kinds
            raise PictureError(
                f"picture {index + 1} of {len(images)} cannot be used: {image_problem(images[index]) or error}; "
                "`dcac data check` names the damaged pictures of a normalised file"
            ) from None
        out[index] = np.asarray(resized).transpose(2, 0, 1)

    with ThreadPoolExecutor(max_workers=_workers()) as pool:
        for _ in pool.map(place, range(len(images))):
            pass
    return out


def to_rgb(image: Image.Image) -> Image.Image:
    """Turn a picture of any mode into RGB: 16-bit grey is scaled, not clipped; behind transparent pixels is black."""
    if image.mode.startswith("I"):  # 0..65535, which Pillow's own conversion clips at 255
        values = np.asarray(image).astype(np.int64)
        grey = np.where(values == image.info.get("transparency"), 0, values >> 8)
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer).convert("RGB")
    return image.convert("RGB")


def is_turned(image: Image.Image) -> bool:
    """Tell whether the EXIF orientation of a photograph asks for turning it."""
    return image.getexif().get(ORIENTATION, 1) in range(2, 9)


def upright(data: bytes) -> bytes:
    """Turn a photograph as its EXIF orientation says; without one, its bytes stay as they are."""
    with opened(data) as image:
        if not is_turned(image):
            return data
        turned = io.BytesIO()
        to_rgb(ImageOps.exif_transpose(image)).save(turned, format="PNG")
    return turned.getvalue()


def _workers() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # of a list, the outermost level
    return min(cores, int(first)) if first.isdecimal() and int(first) else cores  # OpenMP too ignores what is no number
