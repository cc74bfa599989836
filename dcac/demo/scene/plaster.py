"""The bare surface of a wall, and the weather on a finished one."""

import numpy as np
from PIL import Image

from dcac.demo.drawing.texture import smooth_noise


def plaster(rng: np.random.Generator, size: tuple[int, int], *, colour: tuple[float, ...]) -> Image.Image:
    """Fill a wall with a colour, stains and streaks of rain."""
    width, height = size
    stains = 0.035 * smooth_noise(rng, (height, width), grain=(18, 24))
    streaks = 0.030 * smooth_noise(rng, (height, width), grain=(70, 4))
    grain = 0.020 * smooth_noise(rng, (height, width), grain=(2, 2))
    shade = 1.0 + stains + streaks + grain
    return Image.fromarray(np.clip(255.0 * np.array(colour) * shade[..., None], 0, 255).astype(np.uint8))


def weathered(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Lay uneven light and dirt over a wall."""
    width, height = image.size
    shade = 1.0 + 0.07 * smooth_noise(rng, (height, width), grain=(60, 90))
    shade *= np.linspace(1.06, 0.88, height)[:, None]
    return Image.fromarray(np.clip(np.asarray(image) * shade[..., None], 0, 255).astype(np.uint8))
