"""Decode stored images once into uint8 arrays of one size."""

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "BMP")  # of the data sets; no other decoder is ever started
ORIENTATION = 0x0112  # EXIF tag


def decode(images: Sequence[bytes], *, height: int, width: int, resize: str = "bicubic") -> np.ndarray:
    """Decode and resize (aspect ratio ignored) images into one array; an EXIF orientation is ignored, as benchmarks ask.

    Args:
        images: encoded images (JPEG, PNG, BMP).
        height: pixels.
        width: pixels.
        resize: `bicubic` or `bilinear`.

    Returns:
        uint8 [N, 3, H, W], RGB.

    Source:
        Bicubic in the authors' released code, but for the test images of single-source runs: bilinear.
    """
    kernel = Image.Resampling[resize.upper()]
    out = np.empty((len(images), 3, height, width), dtype=np.uint8)

    def place(index: int) -> None:
        with Image.open(io.BytesIO(images[index]), formats=FORMATS) as image:
            resized = to_rgb(image).resize((width, height), kernel)
        out[index] = np.asarray(resized).transpose(2, 0, 1)

    with ThreadPoolExecutor(max_workers=_workers()) as pool:
        for _ in pool.map(place, range(len(images))):
            pass
    return out


def to_rgb(image: Image.Image) -> Image.Image:
    """Turn a picture of any mode into RGB: 16-bit grey is scaled, not clipped; behind transparent pixels is black."""
    if image.mode.startswith("I"):  # 0..65535, which Pillow's own conversion clips at 255
        grey = np.asarray(image).astype(np.int64) >> 8
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
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if not is_turned(image):
            return data
        turned = io.BytesIO()
        to_rgb(ImageOps.exif_transpose(image)).save(turned, format="PNG")
    return turned.getvalue()


def _workers() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # of a list, the outermost level
    return min(cores, int(first)) if first.isdecimal() and int(first) else cores  # OpenMP too ignores what is no number
