"""The head: neck, face, hair, hat and hood."""

from collections.abc import Callable

import numpy as np

from dcac.demo.drawing.paint import lay
from dcac.demo.people.clothes import head_colours
from dcac.demo.people.pose import Point
from dcac.demo.people.sitter import Level, Sitter

# Height and half-width of the head from the crown down, body heights; ours.
SKULL = ((1.0, 0.014), (0.993, 0.030), (0.978, 0.044), (0.950, 0.053), (0.920, 0.052), (0.893, 0.046), (0.875, 0.035))


def head_levels(forward: float) -> list[Level]:
    """List the levels of the head from the crown to the chin."""
    levels = [(up, forward, wide, 1.17 * wide) for up, wide in SKULL]
    return [*levels, (0.862, forward + 0.008, 0.018, 0.022)]


def paint_head(sitter: Sitter) -> None:
    """Paint neck, head, face, hair and hat."""
    person, skin = sitter.person, np.array(sitter.person.skin_colour)
    forward = 0.012 + 0.7 * sitter.gait.lean
    neck = sitter.tube(((0, 0.825, forward * 0.5), (0, 0.885, forward)), radii=(0.031, 0.029))
    lay(sitter.canvas, neck, colour=0.85 * skin, light=sitter.light, shadow=0.1)
    yaw = sitter.view.yaw + sitter.gait.look
    nose = sitter.tube(((0, 0.924, forward + 0.052), (0, 0.912, forward + 0.060)), radii=(0.005, 0.008))
    head = sitter.loft(head_levels(forward), yaw=yaw)
    if np.cos(yaw) < 0.5:
        lay(sitter.canvas, nose, colour=skin, light=sitter.light, shadow=0.0)
    if head is not None:
        colours = head_colours(person, height=sitter.height(head), azimuth=head.azimuth)
        lay(sitter.canvas, head, colour=colours, light=sitter.light, shadow=0.22)
    if np.cos(yaw) >= 0.5:
        lay(sitter.canvas, nose, colour=1.02 * skin, light=sitter.light, shadow=0.05)
    if person.hair == "hat":
        paint_hat(sitter, forward=forward, yaw=yaw)


def paint_hat(sitter: Sitter, *, forward: float, yaw: float) -> None:
    """Paint a cap with a visor or a woollen hat."""
    person, colour = sitter.person, np.array(sitter.person.hat_colour)
    levels = [(up + 0.008, f, w + 0.005, d + 0.005) for up, f, w, d in head_levels(forward)[:4]]
    hat = sitter.loft([*levels, (0.942, forward, 0.058, 0.068)], yaw=yaw)
    lay(sitter.canvas, hat, colour=colour, light=sitter.light, shadow=0.2)
    if person.side > 0:
        corners = ((-0.034, 0.946, forward + 0.055), (0.0, 0.942, forward + 0.092), (0.034, 0.946, forward + 0.055))
        visor = sitter.tube(corners, radii=(0.007, 0.009, 0.007))
        if sitter.nearness((0, 0, 1)) > -0.6:
            lay(sitter.canvas, visor, colour=0.8 * colour, light=sitter.light, shadow=0.25)


def hair_parts(sitter: Sitter) -> list[tuple[float, Callable[[], None]]]:
    """Return what hangs behind the head, with its depth: long hair, a tail or a hood."""
    person = sitter.person
    colour = np.array(person.hair_colour)
    length = person.hair_length
    path: tuple[Point, Point, Point]
    if person.hair == "long":
        path = ((0, 0.945, -0.018), (0, 0.90, -0.030), (0, 0.93 - length, -0.046))
        radii = (0.050, 0.053, 0.034)
    elif person.hair == "tail":
        path = ((0, 0.955, -0.052), (0, 0.935, -0.078), (0, 0.95 - 0.7 * length, -0.085))
        radii = (0.018, 0.020, 0.010)
    elif person.top == "hoodie":
        path, radii = ((-0.045, 0.838, -0.035), (0, 0.822, -0.055), (0.045, 0.838, -0.035)), (0.026, 0.034, 0.026)
        colour = 0.92 * np.array(person.top_colour)
    else:
        return []
    behind = sitter.nearness((0.0, 0.0, -0.05))

    def paint() -> None:
        lock = sitter.tube(path, radii=radii)
        lay(sitter.canvas, lock, colour=colour, light=sitter.light, folds=sitter.crease(lock, part=3, strength=1.4))

    return [(0.26 if behind > -0.012 else -0.10, paint)]
