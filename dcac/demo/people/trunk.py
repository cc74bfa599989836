"""The trunk: hips or skirt, and the top garment over them."""

import numpy as np

from dcac.demo.drawing.paint import lay
from dcac.demo.people import pose
from dcac.demo.people.clothes import trunk_colours
from dcac.demo.people.people import Person
from dcac.demo.people.sitter import BULK, Level, Sitter


def trunk_levels(person: Person, *, lean: float, stretch: float) -> list[Level]:
    """List the levels of the top garment from the neck to its hem."""
    bulk, girth, wide = BULK[person.top], person.girth, person.shoulders
    waist = 0.080 * girth + bulk
    levels = [
        (0.846, 0.034, 0.036),
        (0.832, 0.060, 0.046),
        (0.818, 0.84 * wide, 0.054 + bulk),
        (0.790, 0.95 * wide + bulk, 0.066 * girth + bulk),
        (0.720, 0.93 * wide + bulk, 0.076 * girth + bulk),
        (0.610, waist + 0.006, 0.070 * girth + bulk),
        (0.540, max(waist, person.hips + 0.006 + bulk), 0.074 * girth + bulk),
    ]
    low = max(waist, person.hips + 0.010 + bulk)
    if person.top == "coat":
        levels.append((0.47, low, 0.080 * girth + bulk))
        low = max(low * (0.92 + 0.12 * person.flare), stretch)
    levels.append((person.hem, low, 0.078 * girth + bulk + (stretch * 0.4 if person.top == "coat" else 0.0)))
    return [(up, lean * (up - 0.5), half, deep) for up, half, deep in levels]


def paint_trunk(sitter: Sitter, legs: dict[int, pose.Limb]) -> None:
    """Paint hips or skirt, then the top garment."""
    person = sitter.person
    apart = abs(legs[1].joints[1][2] - legs[-1].joints[1][2])
    girth, hips = person.girth, person.hips
    levels = [(0.60, 0.080 * girth, 0.064), (0.53, hips, 0.072 * girth)]
    if person.bottom == "skirt":
        knee = 0.30 + 0.10 * (person.flare - 0.85)
        levels += [(0.48, hips + 0.008, 0.078), (knee, hips * (0.9 + 0.25 * person.flare), 0.075 + 0.35 * apart)]
    else:
        levels += [(0.48, hips + 0.003, 0.072 * girth), (0.445, 0.80 * hips, 0.058), (0.43, 0.5 * hips, 0.045)]
    below = sitter.loft([(up, 0.0, wide, deep) for up, wide, deep in levels])
    colour = np.array(person.bottom_colour)
    strength = 1.5 if person.bottom == "skirt" else 0.8
    creases = sitter.crease(below, part=4, strength=strength)
    lay(sitter.canvas, below, colour=colour, light=sitter.light, folds=creases, shadow=0.12)
    trunk = sitter.loft(trunk_levels(person, lean=sitter.gait.lean * 2, stretch=0.05 + 0.5 * apart))
    if trunk is not None:
        colours = trunk_colours(person, height=sitter.height(trunk), azimuth=trunk.azimuth)
        lay(sitter.canvas, trunk, colour=colours, light=sitter.light, folds=sitter.crease(trunk, part=1))
