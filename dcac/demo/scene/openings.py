"""Windows, doors and posters on a wall, drawn at twice the final size."""

import numpy as np
from PIL import ImageDraw

from dcac.demo.drawing.streams import within
from dcac.demo.scene.marks import dye, pixel, tint, writing


def glass(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], *, colour: tuple[float, ...], shine: float
) -> None:
    """Draw a pane: darker towards the bottom, with a slanted reflection."""
    left, top, right, bottom = box
    for y in range(top, bottom):
        share = (y - top) / max(1, bottom - top)
        draw.line((left, y, right, y), fill=pixel(colour, 1.25 - 0.5 * share))
        start = left + int((right - left) * (0.75 - 0.6 * share))
        draw.line(
            (start, y, min(right, start + (right - left) // 5), y), fill=pixel(colour, 1.25 - 0.5 * share + shine)
        )


def window(rng: np.random.Generator, draw: ImageDraw.ImageDraw, foot: tuple[int, int]) -> None:
    """Draw one window with frame, bars, blind and sill above a point of the ground line."""
    wide, tall = int(rng.integers(34, 60)), int(rng.integers(40, 70))
    left, bottom = foot[0], foot[1] - int(rng.integers(22, 40))
    frame_window(rng, draw, (left, bottom - tall, left + wide, bottom), frame=tint(rng, (0.75, 0.74, 0.70)))


def frame_window(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    *,
    frame: tuple[float, ...],
) -> None:
    """Draw a window into a box."""
    left, top, right, bottom = box
    draw.rectangle((left - 4, top - 4, right + 4, bottom + 4), fill=pixel(frame, 0.72))
    draw.rectangle((left - 3, top - 3, right + 3, bottom + 3), fill=pixel(frame))
    lit = rng.random() < 0.12
    glass(draw, box, colour=(0.62, 0.56, 0.38) if lit else (0.20, 0.26, 0.31), shine=0.5 * float(rng.random()))
    if rng.random() < 0.5:
        blind = top + int((bottom - top) * within(rng, (0.15, 0.75)))
        for y in range(top, blind, 3):
            draw.line((left, y, right, y), fill=pixel(frame, 0.86), width=2)
    middle = (left + right) // 2
    draw.line((middle, top, middle, bottom), fill=pixel(frame, 0.92), width=3)
    if rng.random() < 0.6:
        bar = top + (bottom - top) // 3
        draw.line((left, bar, right, bar), fill=pixel(frame, 0.92), width=2)
    draw.rectangle((left - 7, bottom + 4, right + 7, bottom + 8), fill=pixel(frame, 1.08))
    draw.rectangle((left - 6, bottom + 9, right + 6, bottom + 11), fill=pixel(frame, 0.50))


def door(rng: np.random.Generator, draw: ImageDraw.ImageDraw, foot: tuple[int, int]) -> None:
    """Draw a door with frame, panels and handle."""
    wide, tall = int(rng.integers(44, 56)), int(rng.integers(96, 120))
    left, bottom = foot
    top = bottom - tall
    colour = tint(rng, ((0.30, 0.20, 0.14), (0.22, 0.27, 0.30), (0.45, 0.44, 0.42))[int(rng.integers(3))])
    draw.rectangle((left - 5, top - 5, left + wide + 5, bottom), fill=pixel(colour, 0.55))
    draw.rectangle((left, top, left + wide, bottom), fill=pixel(colour))
    glass(draw, (left + 8, top + 8, left + wide - 8, top + tall // 2 - 6), colour=(0.22, 0.26, 0.29), shine=0.4)
    draw.rectangle((left + 8, top + tall // 2 + 6, left + wide - 8, bottom - 8), outline=pixel(colour, 0.7), width=2)
    draw.ellipse((left + wide - 7, top + tall // 2 - 2, left + wide - 3, top + tall // 2 + 2), fill=(190, 180, 150))


def poster(rng: np.random.Generator, draw: ImageDraw.ImageDraw, foot: tuple[int, int]) -> None:
    """Draw a notice: a frame, a picture and lines of writing."""
    wide, tall = int(rng.integers(26, 48)), int(rng.integers(36, 64))
    left, top = foot[0], foot[1] - tall - int(rng.integers(24, 44))
    draw.rectangle((left - 2, top - 2, left + wide + 2, top + tall + 2), fill=(70, 70, 72))
    draw.rectangle((left, top, left + wide, top + tall), fill=pixel(tint(rng, (0.8, 0.78, 0.72))))
    picture = dye(rng)
    draw.rectangle((left + 3, top + 3, left + wide - 3, top + tall // 2), fill=picture)
    writing(rng, draw, (left + 4, top + tall // 2 + 5, left + wide - 4, top + tall - 4), colour=(70, 68, 66))
