"""Shop windows and closed shutters, drawn at twice the final size."""

import numpy as np
from PIL import Image, ImageDraw

from dcac.demo.scene.marks import dye, pixel, tint, writing
from dcac.demo.scene.openings import glass
from dcac.demo.scene.plaster import plaster, weathered


def shopfront(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw shops side by side: fascia with a name, panes, goods on display, pillars."""
    image = plaster(rng, size, colour=tint(rng, (0.70, 0.69, 0.66), spread=0.03))
    draw = ImageDraw.Draw(image)
    left = -int(rng.integers(120))
    while left < size[0]:
        wide = int(rng.integers(150, 260))
        shop(rng, draw, (left, left + wide), bottom=size[1])
        left += wide + int(rng.integers(10, 26))
    return weathered(rng, image)


def shop(rng: np.random.Generator, draw: ImageDraw.ImageDraw, span: tuple[int, int], *, bottom: int) -> None:
    """Draw one shop."""
    left, right = span
    top = bottom - int(rng.integers(110, 130))
    colour = dye(rng)
    draw.rectangle((left, top - 26, right, top), fill=colour)
    middle = (left + right) // 2
    light = (235, 232, 224) if sum(colour) < 400 else (50, 48, 46)
    writing(rng, draw, (middle - 45, top - 20, middle + 45, top - 8), colour=light)
    glass(draw, (left, top, right, bottom), colour=tint(rng, (0.48, 0.46, 0.42)), shine=0.16)
    for x in range(left + 12, right - 12, int(rng.integers(18, 30))):
        tall = int(rng.integers(18, 62))
        goods = dye(rng)
        draw.rounded_rectangle((x, bottom - 14 - tall, x + int(rng.integers(9, 20)), bottom - 14), radius=4, fill=goods)
    draw.rectangle((left, bottom - 14, right, bottom), fill=pixel((0.34, 0.33, 0.33)))
    for x in range(left, right + 1, (right - left) // 3):
        draw.rectangle((x - 2, top, x + 2, bottom), fill=(105, 106, 108))


def shutters(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw closed shops: ribbed shutters with scrawls, between piers of plaster."""
    image = plaster(rng, size, colour=tint(rng, (0.45, 0.42, 0.39)))
    draw = ImageDraw.Draw(image)
    left = -int(rng.integers(80))
    while left < size[0]:
        wide, top = int(rng.integers(90, 170)), size[1] - int(rng.integers(104, 124))
        colour = tint(rng, ((0.50, 0.52, 0.54), (0.32, 0.38, 0.36), (0.48, 0.40, 0.32))[int(rng.integers(3))])
        for y in range(top, size[1], 6):
            draw.rectangle((left, y, left + wide, y + 3), fill=pixel(colour, 1.06))
            draw.rectangle((left, y + 4, left + wide, y + 5), fill=pixel(colour, 0.70))
        if rng.random() < 0.6:
            scrawl(rng, draw, (left + 12, top + 30, left + wide - 12, size[1] - 20))
        draw.rectangle((left, top - 24, left + wide, top - 3), fill=dye(rng))
        writing(rng, draw, (left + 16, top - 18, left + wide - 16, top - 8), colour=(205, 200, 186))
        left += wide + int(rng.integers(18, 60))
    return weathered(rng, image)


def scrawl(rng: np.random.Generator, draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    """Draw a sprayed line that bends back and forth."""
    left, top, right, bottom = box
    colour = dye(rng)
    xs = np.linspace(left, right, 9) + rng.normal(size=9) * 5
    ys = top + (bottom - top) * rng.random(9)
    draw.line([(float(x), float(y)) for x, y in zip(xs, ys, strict=True)], fill=colour, width=4, joint="curve")
