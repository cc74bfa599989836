"""What gets between camera and person: a pole, a bonnet, a bush."""

from collections.abc import Callable

import numpy as np

from dcac.demo.drawing.paint import Light, lay, loft, step, tube
from dcac.demo.drawing.streams import within


def pole(canvas: np.ndarray, light: Light, *, rng: np.random.Generator) -> None:
    """Paint a post from top to bottom."""
    height, width = canvas.shape[:2]
    x, half = within(rng, (0.12, 0.88)) * width, within(rng, (1.5, 3.2))
    surface = loft(canvas, [(-20.0, x, half, half), (height + 20.0, x, half, half)], yaw=0.0)
    tone = within(rng, (0.18, 0.60))
    lay(canvas, surface, colour=np.array((tone, tone, tone * 1.04)), light=light, shadow=0.0)


def bonnet(canvas: np.ndarray, light: Light, *, rng: np.random.Generator) -> None:
    """Paint the front of a car that hides the feet."""
    height, width = canvas.shape[:2]
    top, x = height * within(rng, (0.76, 0.90)), width * within(rng, (0.0, 1.0))
    half = within(rng, (0.45, 0.75)) * width
    rows = ((0.0, 0.55), (2.0, 0.80), (6.0, 0.93), (14.0, 1.0), (90.0, 1.02))
    surface = loft(canvas, [(top + down, x, half * share, half) for down, share in rows], yaw=0.0)
    if surface is None:
        return
    paint = np.array(((0.60, 0.61, 0.63), (0.12, 0.13, 0.15), (0.45, 0.10, 0.10), (0.15, 0.24, 0.42)))
    tone = 1.0 + 0.45 * step(np.abs(surface.along - top - 5.0), 1.5, -3.0) - 0.5 * step(surface.along, top + 15.0, 2.0)
    colour = paint[int(rng.integers(4))] * tone[..., None]
    lay(canvas, surface, colour=colour, light=light, shadow=0.2)


def bush(canvas: np.ndarray, light: Light, *, rng: np.random.Generator) -> None:
    """Paint leaves that rise from the lower edge."""
    height, width = canvas.shape[:2]
    centre, top = width * within(rng, (0.0, 1.0)), height * within(rng, (0.78, 0.92))
    green = np.array((0.20, 0.30, 0.12)) * within(rng, (0.7, 1.3))
    for index, (across, down, long, turn) in enumerate(rng.normal(size=(46, 4)).tolist()):
        x, y = centre + 11 * across, max(top, top + 9 + 7 * down)
        leaf = tube(canvas, [(x, y), (x + 3 * turn, y + 1 + abs(long))], radii=[2.4, 1.3])
        lay(canvas, leaf, colour=green * (0.6 + 0.014 * index), light=light, shadow=0.0)


OUTDOORS: tuple[Callable[..., None], ...] = (pole, bonnet, bush)
INDOORS: tuple[Callable[..., None], ...] = (pole, bush)


def hide(canvas: np.ndarray, light: Light, *, indoors: bool, rng: np.random.Generator) -> None:
    """Paint one thing in front of everybody."""
    things = INDOORS if indoors else OUTDOORS
    things[int(rng.integers(len(things)))](canvas, light, rng=rng)
