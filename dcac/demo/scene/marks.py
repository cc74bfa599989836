"""Colours and marks that walls, grounds and things share; drawn in bytes with Pillow."""

from collections.abc import Iterable

import numpy as np
from PIL import ImageDraw

from dcac.demo.drawing.domains import Range
from dcac.demo.drawing.streams import within

Pixel = tuple[int, int, int]


def pixel(colour: Iterable[float], factor: float = 1.0) -> Pixel:
    """Turn a colour in 0..1 into bytes, lighter or darker by a factor."""
    red, green, blue = (int(min(255.0, max(0.0, 255.0 * float(channel) * factor))) for channel in colour)
    return (red, green, blue)


def tint(rng: np.random.Generator, base: tuple[float, float, float], *, spread: float = 0.05) -> tuple[float, ...]:
    """Move a colour: all channels together, and a little each."""
    common = 1.0 + 2.5 * spread * float(rng.normal())
    return tuple(min(0.95, max(0.03, channel * common + 0.2 * spread * float(rng.normal()))) for channel in base)


def dye(rng: np.random.Generator) -> Pixel:
    """Draw any colour, seldom a vivid one."""
    grey, hue = rng.random(), rng.random(3)
    return pixel(0.12 + 0.42 * float(grey) + 0.30 * hue)


def positions(rng: np.random.Generator, width: int, *, gap: Range) -> list[int]:
    """Draw places from left to right with a gap between neighbours."""
    places, left = [], within(rng, gap) * 0.5
    while left < width:
        places.append(int(left))
        left += within(rng, gap)
    return places


def writing(
    rng: np.random.Generator, draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], *, colour: Pixel
) -> None:
    """Draw strokes that read as lines of letters from afar."""
    left, top, right, bottom = box
    tall = max(3, min(7, (bottom - top) // 3))
    for y in range(top, bottom - tall + 2, tall + 3):
        x, end = left, left + int((right - left) * within(rng, (0.6, 1.0)))
        while x < end:
            wide = int(rng.integers(1, 4))
            draw.rectangle((x, y + int(rng.integers(2)), x + wide, y + tall - 2), fill=colour)
            x += wide + (2 if rng.random() < 0.8 else 5)
