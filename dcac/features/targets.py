"""The test images of a target, decoded a row group at a time; nothing here needs a network."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dcac.data.images import decode
from dcac.data.store import iter_split
from dcac.settings import Settings

TEST_SPLITS = ("query", "gallery")


def encode_store(store: Path, encode: Callable[[np.ndarray], np.ndarray], settings: Settings) -> np.ndarray:
    """Encode a target's query and gallery images, a row group at a time: memory does not grow with the target.

    Args:
        encode: features [M, D] of images uint8 [M, 3, H, W].
    """
    groups = iter_split(store, TEST_SPLITS)
    return np.concatenate([encode(decode_test_images(list(rows["data"]), settings)) for rows in groups])


def decode_test_images(images: Sequence[bytes], settings: Settings) -> np.ndarray:
    """Decode and resize test images: uint8 [M, 3, H, W]."""
    return decode(images, height=settings.image_height, width=settings.image_width, resize=settings.evaluation_resize)
