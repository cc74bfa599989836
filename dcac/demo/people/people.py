"""A person's lasting looks: body, hair, clothes and bag, and the caption that names them."""

import colorsys
from dataclasses import dataclass

import numpy as np

from dcac.demo.drawing.domains import Palette
from dcac.demo.drawing.streams import choose, within

TOPS = ("tshirt", "shirt", "hoodie", "jacket", "open_jacket", "coat")
BOTTOMS = ("slim", "wide", "shorts", "skirt")
BAGS = ("none", "backpack", "shoulder", "handbag")
PATTERNS = ("plain", "stripes", "checks", "blocks", "print")
HAIR = ("short", "long", "tail", "bald", "hat")
COLOURED = ("top", "second", "bottom", "hair", "skin")
CAPTION_FIELDS = [f"{part}_{channel}" for part in COLOURED for channel in ("red", "green", "blue")]
CAPTION_FIELDS += [f"top={kind}" for kind in TOPS] + [f"bottom={kind}" for kind in BOTTOMS]
CAPTION_FIELDS += [f"bag={kind}" for kind in BAGS] + [f"pattern={kind}" for kind in PATTERNS]
CAPTION_FIELDS += [f"hair={kind}" for kind in HAIR]

PATTERN_WEIGHTS = {"stripes": 3.0, "checks": 2.0, "blocks": 2.5, "print": 3.0}
SKIN = ((0.93, 0.76, 0.65), (0.85, 0.66, 0.53), (0.72, 0.53, 0.40), (0.53, 0.37, 0.27), (0.36, 0.24, 0.18))
HAIR_COLOURS = {
    (0.07, 0.06, 0.06): 4.0,
    (0.20, 0.13, 0.09): 3.0,
    (0.36, 0.23, 0.13): 2.0,
    (0.74, 0.58, 0.34): 1.6,
    (0.48, 0.20, 0.10): 0.7,
    (0.58, 0.57, 0.56): 1.0,
}
DARK = ((0.09, 0.09, 0.10), (0.17, 0.17, 0.19), (0.11, 0.13, 0.21), (0.25, 0.25, 0.27))
LIGHT = ((0.90, 0.90, 0.90), (0.62, 0.62, 0.64), (0.78, 0.72, 0.60), (0.45, 0.43, 0.40))
# Height of the hem above the ground, body heights; ours.
HEMS = {"tshirt": 0.47, "shirt": 0.465, "hoodie": 0.46, "jacket": 0.45, "open_jacket": 0.44, "coat": 0.31}

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Person:
    """What stays the same in every picture of one person; lengths are shares of the body height.

    Args:
        girth: Factor of all widths; 1 is average.
        shoulders, hips: Half-widths of the trunk.
        height: Factor of the size in the picture; 1 is average.
        hem: Height of the lower edge of the top above the ground.
        sleeve: Where a short sleeve ends, in parts of the arm (1 elbow); 2 for long sleeves.
        flare: Factor of the width of skirts and coats, and of the length of shorts.
        period: Distance between two stripes or checks.
        split: Height where a top of two blocks changes colour.
        side: Where a bag is carried: 1 left, -1 right.
        beard: Density, 0..1.
        hair_length: How far long hair falls.
        marks: Blobs of a chest print: azimuth in radians, height, and the two radii.
    """

    girth: float
    shoulders: float
    hips: float
    height: float
    top: str
    bottom: str
    bag: str
    pattern: str
    hair: str
    top_colour: Colour
    second_colour: Colour
    bottom_colour: Colour
    shoe_colour: Colour
    sole_colour: Colour
    bag_colour: Colour
    hair_colour: Colour
    hat_colour: Colour
    skin_colour: Colour
    hem: float
    sleeve: float
    flare: float
    period: float
    split: float
    side: int
    beard: float
    hair_length: float
    marks: tuple[tuple[float, float, float, float], ...]


def vary(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    """Move a colour a little, mostly in brightness."""
    common = rng.normal() * spread
    own = rng.normal(size=3) * spread * 0.4
    red, green, blue = (
        min(0.97, max(0.03, channel * (1 + common) + shift)) for channel, shift in zip(colour, own, strict=True)
    )
    return (float(red), float(green), float(blue))


def garment_colour(rng: np.random.Generator, palette: Palette, *, vivid: float = 1.0) -> Colour:
    """Draw the colour of a garment from a palette; `vivid` scales the saturation."""
    if rng.random() < palette.neutral:
        shades = DARK if rng.random() < palette.dark else LIGHT
        return vary(rng, shades[int(rng.integers(len(shades)))], 0.10)
    hue = within(rng, palette.hues[int(rng.integers(len(palette.hues)))]) % 1.0
    dye = 0.65 if 0.20 < hue < 0.47 else 1.0  # green cloth is seldom as vivid as red or blue
    saturation = within(rng, palette.saturation) * vivid * dye
    return colorsys.hsv_to_rgb(hue, saturation, within(rng, palette.value))


def bottom_colour(rng: np.random.Generator, palette: Palette, *, kind: str) -> Colour:
    """Draw the colour of trousers or a skirt: often denim or a dull shade, else as other garments."""
    share = float(rng.random())
    if kind != "skirt" and share < 0.35:
        return vary(rng, (0.22, 0.30, 0.46) if rng.random() < 0.6 else (0.42, 0.52, 0.68), 0.14)
    if share < 0.60:
        dull = (*DARK, *LIGHT, (0.42, 0.34, 0.24), (0.30, 0.32, 0.22))
        return vary(rng, dull[int(rng.integers(len(dull)))], 0.12)
    return garment_colour(rng, palette, vivid=0.65)


def contrasting(rng: np.random.Generator, palette: Palette, *, other: Colour) -> Colour:
    """Draw a garment colour that can be told from another one."""
    for _ in range(8):
        colour = garment_colour(rng, palette)
        if max(abs(a - b) for a, b in zip(colour, other, strict=True)) > 0.25:
            break
    return colour


def draw_hair_colour(rng: np.random.Generator) -> Colour:
    """Draw a natural hair colour."""
    names = {str(index): weight for index, weight in enumerate(HAIR_COLOURS.values())}
    return list(HAIR_COLOURS)[int(choose(rng, names))]


def draw_marks(rng: np.random.Generator) -> tuple[tuple[float, float, float, float], ...]:
    """Draw the blobs of a chest print: azimuth (radians), height, and the two radii."""
    blobs = rng.random((4, 4))
    return tuple(
        (float(a - 0.5) * 0.9, float(b - 0.5) * 0.10, 0.10 + 0.22 * float(c), 0.012 + 0.025 * float(d))
        for a, b, c, d in blobs
    )


def draw_person(rng: np.random.Generator, palettes: tuple[Palette, ...]) -> Person:
    """Draw a person who dresses after one of the palettes."""
    palette = palettes[int(rng.integers(len(palettes)))]
    top, bottom = choose(rng, palette.tops), choose(rng, palette.bottoms)
    colour = garment_colour(rng, palette)
    second = contrasting(rng, palette, other=colour)
    plain = top in ("jacket", "coat", "open_jacket") or rng.random() > palette.patterned
    slight = within(rng, (-1.0, 1.0))
    return Person(
        girth=float(np.clip(1.0 + 0.10 * rng.normal(), 0.84, 1.28)),
        shoulders=0.116 + 0.010 * slight,
        hips=0.092 - 0.004 * slight,
        height=within(rng, (0.93, 1.05)),
        top=top,
        bottom=bottom,
        bag=choose(rng, palette.bags),
        pattern="plain" if plain else choose(rng, PATTERN_WEIGHTS),
        hair=choose(rng, palette.hair),
        top_colour=colour,
        second_colour=second,
        bottom_colour=bottom_colour(rng, palette, kind=bottom),
        shoe_colour=garment_colour(rng, palette, vivid=0.7),
        sole_colour=(0.85, 0.85, 0.83) if rng.random() < 0.4 else (0.12, 0.11, 0.11),
        bag_colour=contrasting(rng, palette, other=colour),
        hair_colour=vary(rng, draw_hair_colour(rng), 0.10),
        hat_colour=garment_colour(rng, palette),
        skin_colour=vary(rng, SKIN[int(rng.integers(len(SKIN)))], 0.04),
        hem=HEMS[top] + within(rng, (-0.025, 0.015)),
        sleeve=within(rng, (0.65, 1.05)) if top == "tshirt" else 2.0,
        flare=within(rng, (0.85, 1.25)),
        period=within(rng, (0.035, 0.075)),
        split=within(rng, (0.58, 0.72)),
        side=1 if rng.random() < 0.5 else -1,
        beard=within(rng, (0.25, 0.6)) if slight > 0.2 and rng.random() < 0.4 else 0.0,
        hair_length=within(rng, (0.10, 0.24)),
        marks=draw_marks(rng),
    )


def shows_second(person: Person) -> bool:
    """Tell whether the top has a second colour: an open front, or a pattern."""
    return person.top == "open_jacket" or person.pattern != "plain"


def caption(person: Person) -> np.ndarray:
    """Return the attributes that a caption would name.

    Returns:
        float32 [A] in 0..1, in the order of `CAPTION_FIELDS`; the second colour equals the first where none shows.
    """
    second = person.second_colour if shows_second(person) else person.top_colour
    hair = person.hat_colour if person.hair == "hat" else person.hair_colour
    colours = [*person.top_colour, *second, *person.bottom_colour, *hair, *person.skin_colour]
    kinds = ((TOPS, person.top), (BOTTOMS, person.bottom), (BAGS, person.bag), (PATTERNS, person.pattern))
    flags = [float(name == worn) for names, worn in (*kinds, (HAIR, person.hair)) for name in names]
    return np.array(colours + flags, dtype=np.float32)
