"""A person painted into a picture: limbs, trunk, head and bag in the order of their depth."""

from collections.abc import Callable
from functools import partial

import numpy as np

from dcac.demo.drawing.paint import Light, segment
from dcac.demo.people import pose
from dcac.demo.people.bags import bag_parts
from dcac.demo.people.head import hair_parts, paint_head
from dcac.demo.people.limbs import paint_arm, paint_leg
from dcac.demo.people.people import Person
from dcac.demo.people.sitter import Sitter
from dcac.demo.people.trunk import paint_trunk


def paint_person(
    canvas: np.ndarray, person: Person, *, view: pose.View, gait: pose.Gait, light: Light, folds: np.ndarray
) -> None:
    """Paint a person into a picture.

    Args:
        canvas: [H, W, 4], changed in place; the fourth channel is zero where no figure has been painted.
        folds: [rows, columns] relative change of the shading by creases; larger than the canvas by 160 and 100.
    """
    sides = (1, -1)
    legs = {side: pose.leg(gait, side=side, hips=person.hips - 0.044) for side in sides}
    drop = pose.ground(legs[1], legs[-1])
    view = pose.View(view.scale, view.x, view.y + view.scale * drop, view.yaw, view.pitch)
    sitter = Sitter(canvas, person, view, gait, light, folds)
    arms = {side: pose.arm(gait, side=side, shoulders=person.shoulders - 0.022) for side in sides}
    ground_shadow(sitter, drop=drop)
    parts: list[tuple[float, Callable[[], None]]] = []
    for side in sides:
        behind = sitter.nearness(legs[side].joints[1]) - 2.0  # legs come first, or thighs poke through the coat
        parts.append((behind, partial(paint_leg, sitter, legs[side], side)))
        near = sitter.nearness(arms[side].joints[1]) + 0.5 * sitter.nearness(arms[side].joints[2])
        parts.append((near + 0.02, partial(paint_arm, sitter, arms[side], side)))
    parts.append((0.0, lambda: paint_trunk(sitter, legs)))
    parts.append((0.25, lambda: paint_head(sitter)))
    parts += bag_parts(sitter, arms[person.side])
    parts += hair_parts(sitter)
    for _, paint in sorted(parts, key=lambda part: part[0]):
        paint()


def ground_shadow(sitter: Sitter, *, drop: float) -> None:
    """Darken the ground below the feet, and away from the sun."""
    canvas, view, light = sitter.canvas, sitter.view, sitter.light
    y, x = np.mgrid[0 : canvas.shape[0], 0 : canvas.shape[1]] + 0.5
    foot = view.y - view.scale * drop
    top = max(0, int(foot - 0.25 * view.scale))
    x, y = x[top:], y[top:]
    if not len(y):
        return
    flat = max(0.18, np.sin(view.pitch))
    wide = ((x - view.x) / (0.17 * view.scale)) ** 2 + ((y - foot) / (0.17 * flat * view.scale)) ** 2
    dark = 0.40 * np.clip(1.3 - wide, 0.0, 1.0)
    away = -light.direction[0] * 0.8 * view.scale
    rise = -light.direction[2] * 0.5 * flat * view.scale
    ends = (view.x, foot, view.x + away, foot + rise)
    inside = segment(x, y, ends=ends, radii=(0.05 * view.scale, 0.035 * view.scale))[0]
    sunny = 0.55 * light.sun * np.clip(inside / 3.0 + 0.5, 0.0, 1.0)
    canvas[top:, :, :3] *= (1.0 - np.maximum(dark, sunny))[..., None]
