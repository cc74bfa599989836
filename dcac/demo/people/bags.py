"""Backpacks, shoulder bags and handbags."""

from collections.abc import Callable

import numpy as np

from dcac.demo.drawing.paint import lay, step
from dcac.demo.people import pose
from dcac.demo.people.sitter import Level, Sitter

# Height (of a handbag: below the hand) and half-width of each bag from the top down, body heights; ours.
PACK = ((0.805, 0.040), (0.795, 0.066), (0.765, 0.080), (0.680, 0.088), (0.600, 0.088), (0.575, 0.078), (0.568, 0.060))
SATCHEL = ((0.535, 0.060), (0.530, 0.078), (0.440, 0.084), (0.432, 0.070))
HANDBAG = ((-0.035, 0.052), (-0.040, 0.060), (-0.125, 0.074), (-0.135, 0.066))


def bag_parts(sitter: Sitter, arm: pose.Limb) -> list[tuple[float, Callable[[], None]]]:
    """Return the bag with its depth."""
    person, side = sitter.person, sitter.person.side
    if person.bag == "none":
        return []
    if person.bag == "backpack":
        levels, across = [(up, -0.112, wide, 0.64 * wide) for up, wide in PACK], 0.0
    elif person.bag == "shoulder":
        levels, across = [(up, 0.01, 0.030, wide) for up, wide in SATCHEL], side * (person.hips * person.girth + 0.040)
    else:
        hand = arm.joints[3]
        levels, across = [(hand[1] + up, hand[2], 0.026, wide) for up, wide in HANDBAG], hand[0]
    near = sitter.nearness((across, 0.0, levels[0][1]))
    return [(near + (0.10 if near > 0 else -0.02), lambda: paint_bag(sitter, levels, across))]


def paint_bag(sitter: Sitter, levels: list[Level], across: float) -> None:
    """Paint a bag with its flap, pocket and handle."""
    person, light = sitter.person, sitter.light
    colour = np.array(person.bag_colour)
    top, bottom = levels[0][0], levels[-1][0]
    if person.bag == "handbag":
        for forward in (-0.035, 0.035):
            ends = ((across, top + 0.035, levels[0][1]), (across, top, levels[0][1] + forward))
            lay(sitter.canvas, sitter.tube(ends, radii=(0.005, 0.005)), colour=0.7 * colour, light=light, shadow=0.0)
    body = sitter.loft(levels, side=across)
    if body is None:
        return
    share = (top - sitter.height(body)) / (top - bottom)
    seam = step(np.abs(share - 0.5), 0.04, -0.05)
    tone = 1.0 - 0.35 * seam - 0.12 * step(share, 0.5, 0.05)
    creases = sitter.crease(body, part=6, strength=0.6)
    lay(sitter.canvas, body, colour=colour * tone[..., None], light=light, folds=creases, shadow=0.4)
