"""What people walk on, drawn at twice the final size and in perspective."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from dcac.demo.drawing.streams import within
from dcac.demo.drawing.texture import smooth_noise
from dcac.demo.scene.marks import Pixel, pixel, tint

HORIZON = 0.55  # how far above the wall's foot the lines of the ground meet, share of the ground's height; ours


def soil(
    rng: np.random.Generator, size: tuple[int, int], *, colour: Sequence[float] | np.ndarray, rough: float
) -> np.ndarray:
    """Fill the ground with a colour and grain that is finer far away; [height, width, 3] in 0..1."""
    width, height = size
    patches = 0.05 * smooth_noise(rng, (height, width), grain=(14, 50))
    coarse = rough * smooth_noise(rng, (height, width), grain=(2.5, 4))
    fine = rough * smooth_noise(rng, (height, width), grain=(1.3, 2))
    near = np.linspace(0.15, 1.0, height)[:, None]
    shade = 1.0 + patches + near * coarse + 0.6 * fine
    return np.array(colour) * (shade * np.linspace(0.92, 1.05, height)[:, None])[..., None]


def as_image(picture: np.ndarray) -> Image.Image:
    """Turn a picture in 0..1 into an image."""
    return Image.fromarray(np.clip(np.round(255.0 * picture, 4), 0, 255).astype(np.uint8))


def depths(rng: np.random.Generator, height: int, *, spacing: float) -> list[int]:
    """Return the rows of lines that lie at equal distances on the ground."""
    over = HORIZON * height
    start = float(rng.random())
    rows: list[int] = []
    index = start
    while len(rows) < 60:
        row = (over + height) / (1.0 + spacing * index) - over
        if row < 2:
            break
        rows.append(int(row))
        index += 1.0
    return rows


def fan(width: int, height: int, *, spacing: float, turn: float) -> list[tuple[float, float, float, float]]:
    """Return lines (x, y, x, y) from the near edge to the wall that meet at the vanishing point."""
    over = HORIZON * height
    vanish = width / 2 + turn * width
    share = over / (over + height)
    feet = np.arange(-2 * width, 3 * width, spacing)
    return [(float(foot), float(height), float(vanish + (foot - vanish) * share), 0.0) for foot in feet]


def slabs(rng: np.random.Generator, image: Image.Image, *, spacing: float, colour: Pixel, width: int = 2) -> None:
    """Draw the joints of paving."""
    draw = ImageDraw.Draw(image)
    for row in depths(rng, image.height, spacing=spacing / 400):
        draw.line((0, row, image.width, row), fill=colour, width=width if row > image.height // 3 else 1)
    for line in fan(image.width, image.height, spacing=spacing, turn=0.5 * float(rng.normal())):
        draw.line(line, fill=colour, width=width)


def asphalt(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw a road with kerb, line, patches and a drain."""
    colour = tint(rng, (0.36, 0.36, 0.37), spread=0.03)
    image = as_image(soil(rng, size, colour=colour, rough=0.055))
    draw = ImageDraw.Draw(image)
    width, height = size
    for _ in range(int(rng.integers(0, 4))):
        x, y = int(rng.integers(width)), int(rng.integers(height // 4, height))
        wide, tall = int(rng.integers(30, 90)), int(rng.integers(8, 20))
        draw.polygon(((x, y), (x + wide, y), (x + wide + 8, y + tall), (x - 8, y + tall)), fill=pixel(colour, 0.86))
    if rng.random() < 0.6:
        line = fan(width, height, spacing=width / 2, turn=0.7 * float(rng.normal()))[int(rng.integers(3, 7))]
        draw.line(line, fill=(196, 194, 184), width=int(rng.integers(4, 9)))
    x, y = int(rng.integers(width)), int(rng.integers(height // 3, height))
    draw.ellipse((x, y, x + 40, y + 12), fill=pixel(colour, 0.72), outline=pixel(colour, 0.55))
    kerb(rng, draw, width)
    return image


def kerb(rng: np.random.Generator, draw: ImageDraw.ImageDraw, width: int) -> None:
    """Draw the stones between wall and road."""
    tall = int(rng.integers(5, 10))
    draw.rectangle((0, 0, width, tall), fill=(150, 148, 143))
    draw.line((0, tall, width, tall), fill=(66, 66, 67), width=2)
    for x in range(int(rng.integers(40)), width, 46):
        draw.line((x, 0, x, tall), fill=(112, 110, 107), width=1)


def paving(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw paving stones."""
    colour = tint(rng, ((0.58, 0.56, 0.52), (0.50, 0.50, 0.51), (0.54, 0.44, 0.39))[int(rng.integers(3))], spread=0.03)
    image = as_image(soil(rng, size, colour=colour, rough=0.035))
    slabs(rng, image, spacing=within(rng, (34, 80)), colour=pixel(colour, 0.74))
    return image


def grass(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw a lawn of blades, sometimes with a path."""
    colour = np.array(tint(rng, (0.30, 0.40, 0.17), spread=0.025))
    image = as_image(soil(rng, size, colour=colour, rough=0.05))
    draw = ImageDraw.Draw(image)
    width, height = size
    places = rng.random((1500, 4))
    for across, down, long, tone in places[np.argsort(places[:, 1], kind="stable")].tolist():
        x, y, tall = across * width, down * height, (2 + 6 * long) * (0.3 + 0.9 * down)
        draw.line((x, y, x + 3 * (tone - 0.5), y - tall), fill=pixel(colour, 0.72 + 0.62 * tone), width=1)
    if rng.random() < 0.4:
        line = fan(width, height, spacing=width / 2, turn=0.7 * float(rng.normal()))[int(rng.integers(3, 7))]
        near = int(rng.integers(60, 140))
        corners = (line[:2], (line[0] + near, line[1]), (line[2] + near / 3, 0), line[2:])
        draw.polygon(corners, fill=pixel(tint(rng, (0.56, 0.51, 0.43))))
    return image


def tiled(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw a floor of large tiles."""
    colour = tint(rng, ((0.66, 0.64, 0.60), (0.52, 0.50, 0.48))[int(rng.integers(2))], spread=0.03)
    image = as_image(soil(rng, size, colour=colour, rough=0.015))
    slabs(rng, image, spacing=within(rng, (70, 130)), colour=pixel(colour, 0.80))
    return image


def polished(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw a polished stone floor with pools of lamplight."""
    colour = tint(rng, (0.68, 0.66, 0.63), spread=0.03)
    pools = 0.06 * np.clip(smooth_noise(rng, (size[1], size[0]), grain=(40, 36)), 0, 3)
    image = as_image(soil(rng, size, colour=colour, rough=0.010) * (1.0 + pools)[..., None])
    slabs(rng, image, spacing=within(rng, (90, 170)), colour=pixel(colour, 0.88), width=1)
    return image


def snow(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw trodden snow."""
    picture = soil(rng, size, colour=tint(rng, (0.70, 0.72, 0.75), spread=0.02), rough=0.030)
    trodden = np.clip(smooth_noise(rng, (size[1], size[0]), grain=(8, 40)) - 0.6, 0, 1)[..., None]
    return as_image(picture + trodden * 0.5 * (np.array((0.46, 0.45, 0.44)) - picture))


GROUNDS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Image.Image]] = {
    "asphalt": asphalt,
    "grass": grass,
    "paving": paving,
    "polished": polished,
    "snow": snow,
    "tiles": tiled,
}
