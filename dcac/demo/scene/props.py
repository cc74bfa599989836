"""Things that stand against the wall, drawn at twice the final size."""

import numpy as np
from PIL import ImageDraw

from dcac.demo.scene.marks import dye, pixel, tint


def cast(draw: ImageDraw.ImageDraw, foot: tuple[int, int], *, wide: int) -> None:
    """Draw the dark patch below a thing."""
    draw.ellipse((foot[0] - 4, foot[1] - 4, foot[0] + wide + 8, foot[1] + 5), fill=(58, 57, 56))


def bench(rng: np.random.Generator, draw: ImageDraw.ImageDraw, foot: tuple[int, int]) -> None:
    """Draw a bench with slats."""
    left, bottom = foot
    colour = tint(rng, (0.42, 0.29, 0.18))
    cast(draw, foot, wide=80)
    for x in (left + 6, left + 70):
        draw.rectangle((x, bottom - 40, x + 4, bottom), fill=(52, 53, 55))
    for rise in (40, 32, 20):
        draw.rectangle((left, bottom - rise, left + 80, bottom - rise + 5), fill=pixel(colour, 0.8 + rise / 100))


def planter(rng: np.random.Generator, draw: ImageDraw.ImageDraw, foot: tuple[int, int]) -> None:
    """Draw a plant in a pot."""
    left, bottom = foot
    pot = tint(rng, (0.50, 0.42, 0.36))
    cast(draw, foot, wide=36)
    draw.polygon(
        ((left, bottom - 28), (left + 36, bottom - 28), (left + 31, bottom), (left + 5, bottom)), fill=pixel(pot)
    )
    draw.rectangle((left - 1, bottom - 31, left + 37, bottom - 26), fill=pixel(pot, 1.15))
    clump(rng, draw, (left + 18, bottom - 48), reach=(13, 12), count=46)


def clump(
    rng: np.random.Generator, draw: ImageDraw.ImageDraw, centre: tuple[int, int], *, reach: tuple[int, int], count: int
) -> None:
    """Draw leaves around a point, darker ones first."""
    green = tint(rng, (0.24, 0.36, 0.16), spread=0.03)
    for index, (dx, dy, size) in enumerate(rng.normal(size=(count, 3))):
        x, y, radius = centre[0] + reach[0] * dx, centre[1] + reach[1] * dy, 4 + abs(size)
        tone = 0.6 + 0.6 * index / count - 0.08 * float(dy)
        draw.ellipse((x - radius, y - 0.7 * radius, x + radius, y + 0.7 * radius), fill=pixel(green, tone))


def bush(rng: np.random.Generator, draw: ImageDraw.ImageDraw, foot: tuple[int, int]) -> None:
    """Draw a bush."""
    cast(draw, foot, wide=70)
    clump(rng, draw, (foot[0] + 36, foot[1] - 24), reach=(19, 10), count=110)


def bin_(rng: np.random.Generator, draw: ImageDraw.ImageDraw, foot: tuple[int, int]) -> None:
    """Draw a litter bin."""
    left, bottom = foot
    colour = tint(rng, ((0.20, 0.32, 0.24), (0.30, 0.31, 0.33), (0.24, 0.28, 0.42))[int(rng.integers(3))])
    cast(draw, foot, wide=28)
    for x in range(28):
        shade = 1.15 - 0.9 * ((x - 10) / 28) ** 2
        draw.line((left + x, bottom - 46, left + x, bottom), fill=pixel(colour, shade))
    draw.rounded_rectangle((left - 2, bottom - 52, left + 30, bottom - 43), radius=3, fill=pixel(colour, 0.7))


def lamp(rng: np.random.Generator, draw: ImageDraw.ImageDraw, foot: tuple[int, int]) -> None:
    """Draw a lamp post."""
    left, bottom = foot
    tone = int(rng.integers(60, 120))
    draw.rectangle((left - 4, bottom - 12, left + 9, bottom), fill=(tone - 12, tone - 12, tone - 8))
    draw.rectangle((left, 0, left + 5, bottom), fill=(tone, tone, tone + 5))
    draw.rectangle((left, 0, left + 1, bottom), fill=(tone + 40, tone + 40, tone + 42))


def column(rng: np.random.Generator, draw: ImageDraw.ImageDraw, foot: tuple[int, int]) -> None:
    """Draw a stand with a notice."""
    left, bottom = foot
    draw.rectangle((left + 13, bottom - 60, left + 16, bottom), fill=(92, 93, 96))
    draw.ellipse((left + 3, bottom - 4, left + 27, bottom + 3), fill=(80, 80, 83))
    draw.rectangle((left, bottom - 96, left + 30, bottom - 54), fill=dye(rng))
    draw.rectangle((left + 5, bottom - 90, left + 25, bottom - 74), fill=(222, 219, 210))


def car(rng: np.random.Generator, draw: ImageDraw.ImageDraw, foot: tuple[int, int]) -> None:
    """Draw a parked car from its side."""
    left, bottom = foot
    colour = tint(
        rng, ((0.62, 0.63, 0.65), (0.14, 0.15, 0.17), (0.45, 0.12, 0.12), (0.16, 0.24, 0.42))[int(rng.integers(4))]
    )
    draw.ellipse((left - 6, bottom - 8, left + 196, bottom + 8), fill=(48, 48, 49))
    roof = ((left + 38, bottom - 44), (left + 62, bottom - 70), (left + 128, bottom - 70), (left + 158, bottom - 44))
    draw.polygon(roof, fill=pixel(colour, 1.1))
    panes = ((left + 48, bottom - 45), (left + 66, bottom - 65), (left + 124, bottom - 65), (left + 146, bottom - 45))
    draw.polygon(panes, fill=(52, 62, 70))
    draw.line((left + 96, bottom - 66, left + 96, bottom - 44), fill=pixel(colour), width=4)
    draw.rounded_rectangle((left, bottom - 45, left + 190, bottom - 10), radius=11, fill=pixel(colour))
    draw.rectangle((left + 4, bottom - 40, left + 186, bottom - 36), fill=pixel(colour, 1.25))
    for x in (left + 30, left + 136):
        draw.ellipse((x, bottom - 26, x + 28, bottom + 2), fill=(28, 28, 29))
        draw.ellipse((x + 8, bottom - 18, x + 20, bottom - 6), fill=(128, 129, 131))
