"""Colours around the trunk and the head; what is worn at the front shows from the front only."""

import numpy as np

from dcac.demo.drawing.paint import mix, step
from dcac.demo.people.people import Person


def trunk_colours(person: Person, *, height: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Colour the top garment.

    Args:
        height: [rows, columns] above the ground in body heights.
        azimuth: [rows, columns] from the front of the body, radians, positive to the person's left.

    Returns:
        [rows, columns, 3] in 0..1.
    """
    colours = np.array(person.top_colour) + np.zeros((*height.shape, 3))
    if person.pattern != "plain":
        colours = mix(colours, person.second_colour, pattern_share(person, height=height, azimuth=azimuth))
    if person.top == "open_jacket":
        gap = 0.30 + 0.5 * (0.80 - height)
        colours = mix(colours, person.second_colour, step(np.abs(azimuth), gap, -0.10))
        colours = mix(colours, 0.6 * colours, step(np.abs(np.abs(azimuth) - gap), 0.04, -0.06))
    if person.top in ("jacket", "coat", "shirt"):
        seam = 0.55 if person.top != "shirt" else 0.25
        colours = mix(colours, 0.4 * colours, seam * step(np.abs(azimuth - 0.02), 0.035, -0.05))
    if person.top == "hoodie":
        pocket = step(np.abs(azimuth), 0.62, -0.1) * step(np.abs(height - 0.525), 0.035, -0.015)
        colours = mix(colours, 0.82 * colours, pocket)
    colours = collar(person, colours, height=height, azimuth=azimuth)
    colours = mix(colours, 0.7 * colours, step(height, person.hem + 0.008, -0.008))
    return straps(person, colours, height=height, azimuth=azimuth)


def pattern_share(person: Person, *, height: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Return the share of the second colour, 0..1."""
    rings = step(np.sin(2 * np.pi * height / person.period), 0.0, 0.8)
    if person.pattern == "stripes":
        return rings
    if person.pattern == "checks":
        bars = step(np.sin(2 * np.pi * azimuth * 0.11 / person.period), 0.0, 0.8)
        return 0.5 * rings + 0.5 * bars
    if person.pattern == "blocks":
        return step(height, person.split, -0.012)
    share = np.zeros_like(height)
    for turn, up, wide, tall in person.marks:
        distance = ((azimuth - turn) / wide) ** 2 + ((height - 0.70 - up) / tall) ** 2
        share = np.maximum(share, step(distance, 1.0, -0.5))
    return share


def collar(person: Person, colours: np.ndarray, *, height: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Cut the neckline, or set a collar."""
    if person.top in ("tshirt", "open_jacket"):
        depth = np.clip((height - 0.800) / 0.04, 0.0, 1.0)
        return mix(colours, person.skin_colour, step(np.abs(azimuth), 0.75 * depth, -0.15) * step(depth, 0.1, 0.1))
    tone = 1.12 if person.top == "shirt" else 0.75
    return mix(colours, np.clip(tone * colours, 0.0, 1.0), step(height, 0.826, 0.01))


def straps(person: Person, colours: np.ndarray, *, height: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Draw the straps of a backpack (at the front) or of a shoulder bag (across)."""
    if person.bag == "backpack":
        line = step(np.abs(np.abs(azimuth) - 0.62), 0.09, -0.08) * step(height, 0.64, 0.02) * step(height, 0.825, -0.01)
    elif person.bag == "shoulder":
        slope = 0.66 - 0.13 * person.side * np.sin(azimuth)
        line = step(np.abs(height - slope), 0.009, -0.01)
    else:
        return colours
    return mix(colours, 0.85 * np.array(person.bag_colour), line)


def head_colours(person: Person, *, height: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Colour the head: skin, face, beard and hair; arguments and result as in `trunk_colours`."""
    skin, turn = np.array(person.skin_colour), np.abs(azimuth)
    below = (1.0 - height) / 0.138  # share of the head from the crown down
    colours = skin + np.zeros((*height.shape, 3))
    if person.beard:
        jaw = step(below, 0.70, 0.10) * step(turn, 1.35, -0.3)
        colours = mix(colours, person.hair_colour, person.beard * jaw)
    colours = mix(colours, 0.25 * skin, 0.75 * spot(turn - 0.40, below - 0.50, size=(0.17, 0.045)))
    colours = mix(colours, person.hair_colour, 0.45 * spot(turn - 0.42, below - 0.425, size=(0.26, 0.030)))
    colours = mix(colours, 0.72 * skin, 0.6 * spot(azimuth, below - 0.655, size=(0.22, 0.035)))
    colours = mix(colours, skin * (0.75, 0.45, 0.45), 0.8 * spot(azimuth, below - 0.79, size=(0.28, 0.030)))
    if person.hair != "bald":
        front = 0.25 + 0.20 * step(turn, 0.95, 0.4)
        line = front + (0.50 if person.hair in ("long", "tail") else 0.36) * step(turn, 1.75, 0.6)
        strands = np.array(person.hair_colour) * (1.0 + 0.12 * np.sin(13 * azimuth + 9 * below))[..., None]
        colours = mix(colours, strands, step(below, line, -0.10))
    if person.hair in ("short", "bald", "hat"):
        colours = mix(colours, 0.9 * skin, 0.9 * spot(turn - 1.52, below - 0.55, size=(0.20, 0.11)))
    return colours


def spot(across: np.ndarray, down: np.ndarray, *, size: tuple[float, float]) -> np.ndarray:
    """Return a soft spot of a given half-width and half-height, 0..1."""
    return np.clip(1.4 - (across / size[0]) ** 2 - (down / size[1]) ** 2, 0.0, 1.0)
