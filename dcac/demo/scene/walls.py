"""What closes a scene at the back, drawn at twice the final size: walls, windows, shops and leaves."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from dcac.demo.scene.marks import pixel, positions, tint
from dcac.demo.scene.openings import door, frame_window, poster, window
from dcac.demo.scene.plaster import plaster, weathered
from dcac.demo.scene.shops import shopfront, shutters


def brick(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw a brick wall with a few doors or windows."""
    colour = tint(rng, ((0.50, 0.30, 0.24), (0.46, 0.36, 0.30), (0.56, 0.50, 0.44))[int(rng.integers(3))], spread=0.03)
    image = plaster(rng, size, colour=tuple(0.5 + 0.45 * channel for channel in colour))
    draw = ImageDraw.Draw(image)
    tall, wide = int(rng.integers(7, 10)), int(rng.integers(18, 25))
    for row, top in enumerate(range(size[1] % tall - tall, size[1], tall)):
        for left in range(-(row % 2) * wide // 2, size[0], wide):
            draw.rectangle((left + 1, top + 1, left + wide - 1, top + tall - 1), fill=pixel(colour, burn(rng)))
    for left in positions(rng, size[0], gap=(110, 260)):
        (door if rng.random() < 0.5 else window)(rng, draw, (left, size[1]))
    return weathered(rng, image)


def burn(rng: np.random.Generator) -> float:
    """Draw how much lighter or darker one brick came out of the kiln."""
    return 1.0 + 0.10 * float(rng.normal())


def windows(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw a facade with rows of windows."""
    image = plaster(rng, size, colour=tint(rng, ((0.66, 0.63, 0.56), (0.55, 0.56, 0.58))[int(rng.integers(2))]))
    draw = ImageDraw.Draw(image)
    frame = tint(rng, (0.80, 0.79, 0.76))
    wide, tall = int(rng.integers(36, 64)), int(rng.integers(46, 74))
    gap, rise = wide + int(rng.integers(22, 60)), tall + int(rng.integers(28, 48))
    base = size[1] - int(rng.integers(24, 44))
    first = int(rng.integers(gap)) - gap
    for bottom in range(base, -tall, -rise):
        for left in range(first, size[0], gap):
            frame_window(rng, draw, (left, bottom - tall, left + wide, bottom), frame=frame)
    draw.rectangle((0, size[1] - 12, size[0], size[1]), fill=pixel((0.38, 0.37, 0.36)))
    return weathered(rng, image)


def concrete(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw a wall of concrete slabs with seams, posters and doors."""
    image = plaster(rng, size, colour=tint(rng, (0.56, 0.55, 0.53), spread=0.04))
    draw = ImageDraw.Draw(image)
    slab, course = int(rng.integers(90, 170)), int(rng.integers(50, 90))
    for left in range(int(rng.integers(slab)), size[0], slab):
        draw.line((left, 0, left, size[1]), fill=(92, 91, 89), width=2)
        draw.line((left + 2, 0, left + 2, size[1]), fill=(168, 166, 162), width=1)
    for top in range(size[1] - course, 0, -course):
        draw.line((0, top, size[0], top), fill=(98, 97, 95), width=2)
    for left in positions(rng, size[0], gap=(80, 220)):
        (door if rng.random() < 0.3 else poster)(rng, draw, (left, size[1]))
    return weathered(rng, image)


def tiles(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw a tiled indoor wall with pillars, doors and posters."""
    colour = tint(rng, ((0.74, 0.73, 0.69), (0.62, 0.66, 0.67), (0.70, 0.64, 0.56))[int(rng.integers(3))], spread=0.03)
    image = plaster(rng, size, colour=tuple(0.8 * channel for channel in colour))
    draw = ImageDraw.Draw(image)
    side = int(rng.integers(24, 44))
    for top in range(size[1] % side - side, size[1], side):
        for left in range(-int(side // 3), size[0], side):
            factor = 1.0 + 0.025 * float(rng.normal())
            draw.rectangle((left, top, left + side - 2, top + side - 2), fill=pixel(colour, factor))
    for left in positions(rng, size[0], gap=(120, 260)):
        kind = rng.random()
        if kind < 0.4:
            pillar(draw, left, wide=int(rng.integers(24, 44)), bottom=size[1])
        else:
            (door if kind < 0.6 else poster)(rng, draw, (left, size[1]))
    return weathered(rng, image)


def pillar(draw: ImageDraw.ImageDraw, left: int, *, wide: int, bottom: int) -> None:
    """Draw a round pillar, light in its middle."""
    for x in range(wide):
        across = (x - 0.4 * wide) / (0.62 * wide)
        tone = int(215 * max(0.35, 1.0 - across * across) ** 0.5)
        draw.line((left + x, 0, left + x, bottom), fill=(tone, tone, tone - 6))


def foliage(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw bushes and trees: dark depth first, then lit clusters of leaves, with sky in the gaps."""
    base = tint(rng, (0.10, 0.15, 0.08), spread=0.015)
    image = plaster(rng, size, colour=base)
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.6:
        draw.rectangle((0, 0, size[0], int(size[1] * 0.3)), fill=pixel(tint(rng, (0.70, 0.76, 0.80))))
    for left in positions(rng, size[0], gap=(90, 240)):
        draw.rectangle((left, 0, left + int(rng.integers(8, 18)), size[1]), fill=pixel((0.20, 0.15, 0.11)))
    green = np.array(tint(rng, (0.22, 0.33, 0.12), spread=0.025))
    for layer in range(4):
        leaves(
            rng, draw, size, colour=green * (0.55 + 0.28 * layer), count=int(size[0] * size[1] / (700 - 110 * layer))
        )
    return weathered(rng, image.filter(ImageFilter.GaussianBlur(0.7)))


def leaves(
    rng: np.random.Generator, draw: ImageDraw.ImageDraw, size: tuple[int, int], *, colour: np.ndarray, count: int
) -> None:
    """Scatter leaves in clusters, denser towards the ground."""
    centres = rng.random((max(4, count // 10), 2)) * (size[0], size[1])
    for x, y in centres:
        tone = colour * (0.85 + 0.4 * float(rng.random())) + (0.02 * float(rng.normal()), 0, 0)
        for dx, dy, long, turn in rng.normal(size=(9, 4)):
            if y < 0.3 * size[1] * float(rng.random()):
                continue
            wide, tall = 4 + 2 * abs(long), 3 + 2 * abs(turn)
            px, py = x + 11 * dx, y + 8 * dy
            draw.ellipse((px - wide, py - tall, px + wide, py + tall), fill=pixel(tone, 1.0 + 0.10 * float(turn)))


WALLS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Image.Image]] = {
    "brick": brick,
    "concrete": concrete,
    "foliage": foliage,
    "shopfront": shopfront,
    "shutters": shutters,
    "tiles": tiles,
    "windows": windows,
}
