"""Smooth noise without visible cells."""

import numpy as np
from PIL import Image, ImageFilter


def smooth_noise(rng: np.random.Generator, size: tuple[int, int], *, grain: tuple[float, float]) -> np.ndarray:
    """Draw noise whose blobs are about `grain` pixels high and wide, with about unit deviation.

    White noise is blurred before it is enlarged, so its blobs are round and follow no grid.

    Args:
        size: Rows and columns.
        grain: Size of the blobs down and across, pixels, at least 1.
    """
    rows, columns = (max(4, int(side / scale) + 4) for side, scale in zip(size, grain, strict=True))
    white = rng.integers(0, 256, size=(rows, columns), dtype=np.uint8)
    soft = Image.fromarray(white).filter(ImageFilter.GaussianBlur(0.8))
    box = (1.0, 1.0, columns - 1.0, rows - 1.0)
    large = soft.resize((size[1], size[0]), Image.Resampling.BICUBIC, box=box)
    return (np.asarray(large, dtype=np.float64) - 127.5) / 27.0


def fold_bank(rng: np.random.Generator) -> np.ndarray:
    """Draw creases of cloth: slanted streaks, [384, 256], about -0.3..0.3."""
    slanted = smooth_noise(rng, (384, 640), grain=(4.0, 11.0))
    rows = np.arange(384)[:, None]
    left = slanted[rows, np.arange(256)[None, :] + rows // 2]
    right = slanted[rows, np.arange(256)[None, :] + (384 - rows) // 2 + 64]
    return np.clip(0.075 * left + 0.055 * right, -0.28, 0.22)
