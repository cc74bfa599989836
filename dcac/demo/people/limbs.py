"""Legs with trousers and shoes, arms with sleeves and hands."""

import numpy as np

from dcac.demo.drawing.paint import lay, mix, step
from dcac.demo.people import pose
from dcac.demo.people.sitter import BULK, Sitter

# Radii at hip, knee and ankle in body heights; ours.
LEGS = {"slim": (0.056, 0.038, 0.027), "wide": (0.058, 0.048, 0.045), "shorts": (0.060, 0.058, 0.055)}
BARE_LEG = (0.050, 0.034, 0.023)


def paint_leg(sitter: Sitter, leg: pose.Limb, side: int) -> None:
    """Paint a leg with its trouser leg and shoe."""
    person = sitter.person
    hip, knee, ankle, heel, toe = leg.joints
    path = (hip, knee, ankle)
    if person.bottom in ("shorts", "skirt"):
        bare = sitter.tube(path, radii=tuple(radius * person.girth for radius in BARE_LEG))
        lay(sitter.canvas, bare, colour=np.array(person.skin_colour), light=sitter.light)
    shoe = sitter.tube((ankle, heel, toe), radii=(0.024, 0.026, 0.019))
    if shoe is not None:
        sole = step(shoe.normal[1], 0.62, 0.3) * step(shoe.along, 0.6, 0.4)
        colour = mix(np.array(person.shoe_colour), person.sole_colour, sole)
        lay(sitter.canvas, shoe, colour=colour, light=sitter.light)
    if person.bottom != "skirt":
        paint_trouser_leg(sitter, path, side)


def paint_trouser_leg(sitter: Sitter, path: tuple[pose.Point, ...], side: int) -> None:
    """Paint one leg of trousers or shorts."""
    person = sitter.person
    radii = tuple(radius * person.girth for radius in LEGS[person.bottom])
    cloth = sitter.tube(path, radii=radii)
    if cloth is None:
        return
    knee, thigh = step(np.abs(cloth.along - 0.98), 0.10, -0.2), step(np.abs(cloth.along - 0.5), 0.2, -0.3)
    colour = np.array(person.bottom_colour) * (1.0 - 0.14 * knee + 0.08 * thigh)[..., None]
    cover = 1.0 - step(cloth.along, 0.60 + 0.25 * person.flare, 0.05) if person.bottom == "shorts" else 1.0
    creases = sitter.crease(cloth, part=2 + side)
    lay(sitter.canvas, cloth, colour=colour, light=sitter.light, folds=creases, cover=cover)


def paint_arm(sitter: Sitter, arm: pose.Limb, side: int) -> None:
    """Paint an arm with its sleeve and hand."""
    person, bulk = sitter.person, BULK[sitter.person.top]
    shoulder, elbow, wrist, tip = arm.joints
    skin = np.array(person.skin_colour)
    hand = sitter.tube((wrist, tip), radii=(0.016, 0.012))
    if hand is not None:
        lay(sitter.canvas, hand, colour=skin * (1.0 - 0.12 * hand.along)[..., None], light=sitter.light, shadow=0.15)
    girth = 0.5 + 0.5 * person.girth
    if person.sleeve < 2.0:
        bare = sitter.tube((shoulder, elbow, wrist), radii=(0.036 * girth, 0.026 * girth, 0.016))
        lay(sitter.canvas, bare, colour=skin, light=sitter.light)
    loose = 0.006 if person.sleeve < 2.0 else 0.0
    radii = (0.036 * girth + 0.5 * bulk, 0.031 * girth + 0.6 * bulk + loose, 0.023 + 0.7 * bulk + 2 * loose)
    sleeve = sitter.tube((shoulder, elbow, wrist), radii=radii)
    if sleeve is None:
        return
    colour = np.array(person.top_colour)
    if person.pattern in ("stripes", "checks"):
        bands = 0.5 + 0.5 * np.sin(2 * np.pi * sleeve.along * pose.UPPER_ARM / person.period)
        strength = 1.0 if person.pattern == "stripes" else 0.5
        colour = mix(colour, person.second_colour, strength * step(bands, 0.5, 0.6))
    cover = 1.0 - step(sleeve.along, person.sleeve, 0.12) if person.sleeve < 2.0 else 1.0
    creases = sitter.crease(sleeve, part=5 + side)
    shadow = 0.38 * step(sleeve.along, 0.35, 0.5)  # none at the shoulder, which the top covers without a seam
    lay(sitter.canvas, sleeve, colour=colour, light=sitter.light, folds=creases, cover=cover, shadow=shadow)
