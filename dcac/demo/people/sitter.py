"""A person before a camera: what every painter of a body part needs."""

from dataclasses import dataclass

import numpy as np

from dcac.demo.drawing.paint import Light, Loft, Surface, loft, tube
from dcac.demo.people import pose
from dcac.demo.people.people import Person

BULK = {"tshirt": 0.0, "shirt": 0.002, "hoodie": 0.008, "jacket": 0.010, "open_jacket": 0.008, "coat": 0.012}

Level = tuple[float, float, float, float]  # up, forward, half-width, half-depth; body heights


@dataclass(frozen=True)
class Sitter:
    """One person at one moment before one camera, with the canvas they are painted on."""

    canvas: np.ndarray
    person: Person
    view: pose.View
    gait: pose.Gait
    light: Light
    folds: np.ndarray

    def flat(self, *points: pose.Point) -> list[tuple[float, float]]:
        """Project body points to pixels."""
        return [self.view.place(point)[:2] for point in points]

    def tube(self, points: tuple[pose.Point, ...], *, radii: tuple[float, ...]) -> Surface | None:
        """Sweep a tube through body points; radii in body heights."""
        return tube(self.canvas, self.flat(*points), radii=[self.view.scale * radius for radius in radii])

    def loft(self, levels: list[Level], *, side: float = 0.0, yaw: float | None = None) -> Loft | None:
        """Loft through levels of the body, from top to bottom."""
        scale, yaw = self.view.scale, self.view.yaw if yaw is None else yaw
        centres = self.flat(*((side, up, forward) for up, forward, _, _ in levels))
        profile = [
            (y, x, wide * scale, deep * scale) for (x, y), (_, _, wide, deep) in zip(centres, levels, strict=True)
        ]
        return loft(self.canvas, profile, yaw=yaw)

    def crease(self, surface: Surface | None, *, part: int, strength: float = 1.0) -> np.ndarray | None:
        """Cut the folds of one garment out of the bank of folds."""
        if surface is None:
            return None
        top = int(self.gait.phase * 9) + 23 * part
        cut = self.folds[top % 60 + surface.rows.start :, 17 * part % 90 + surface.columns.start :]
        rows, columns = surface.inside.shape
        return 1.0 + strength * cut[:rows, :columns]

    def height(self, surface: Surface) -> np.ndarray:
        """Return the height above the ground of each row of a loft, in body heights."""
        _, foot = self.view.place((0.0, 0.0, 0.0))[:2]
        _, head = self.view.place((0.0, 1.0, 0.0))[:2]
        return (foot - surface.along) / (foot - head)

    def nearness(self, point: pose.Point) -> float:
        """Return how far a body point is in front of the body's axis, towards the viewer."""
        return self.view.place(point)[2]
