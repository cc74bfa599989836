"""Shaded, anti-aliased solids on a small canvas: tubes for limbs, lofts for trunks, heads and bags."""

from dataclasses import dataclass

import numpy as np

MARGIN = 3  # pixels around a solid that its soft contact shadow may darken


@dataclass(frozen=True)
class Light:
    """Light on a person; the direction points to the lamp with x right, y down, z to the viewer, length 1."""

    direction: tuple[float, float, float]
    ambient: float
    sun: float


@dataclass
class Surface:
    """The visible side of a solid in a window of the canvas; every array is [rows, columns].

    Args:
        inside: Signed distance to the outline in pixels, positive inside.
        normal: x, y and z of the unit normal.
        along: Position along a tube (0 at its first point, 1 at its second, ...) or height in a loft.
    """

    rows: slice
    columns: slice
    inside: np.ndarray
    normal: tuple[np.ndarray, np.ndarray, np.ndarray]
    along: np.ndarray


@dataclass
class Loft(Surface):
    """The visible side of a loft.

    Args:
        azimuth: [rows, columns], angle around it from the front of the body, radians.
    """

    azimuth: np.ndarray


def step(values: np.ndarray, edge: float | np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """Rise from 0 to 1 around an edge over a width."""
    return np.clip((values - edge) / width + 0.5, 0.0, 1.0)


def mix(first: np.ndarray, second: np.ndarray | tuple[float, float, float], share: np.ndarray) -> np.ndarray:
    """Blend colours [..., 3] by a share [rows, columns] of the second."""
    return first + (np.asarray(second) - first) * share[..., None]


def window(canvas: np.ndarray, bounds: tuple[float, float, float, float]) -> tuple[slice, slice] | None:
    """Clip (left, top, right, bottom) with its margin to the canvas; None where nothing is left."""
    left, top, right, bottom = bounds
    rows = slice(max(0, int(top) - MARGIN), min(canvas.shape[0], int(bottom) + MARGIN + 2))
    columns = slice(max(0, int(left) - MARGIN), min(canvas.shape[1], int(right) + MARGIN + 2))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def grid(rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixel centres of a window as a row [1, columns] and a column [rows, 1]."""
    x = np.arange(columns.start, columns.stop, dtype=np.float64)[None, :] + 0.5
    y = np.arange(rows.start, rows.stop, dtype=np.float64)[:, None] + 0.5
    return x, y


def tube(canvas: np.ndarray, points: list[tuple[float, float]], *, radii: list[float]) -> Surface | None:
    """Sweep a ball along a polyline.

    Args:
        canvas: [H, W, 4].
        points: (x, y) in pixels.
        radii: Radius at each point in pixels.
    """
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    reach = max(radii)
    clipped = window(canvas, (min(xs) - reach, min(ys) - reach, max(xs) + reach, max(ys) + reach))
    if clipped is None:
        return None
    x, y = grid(*clipped)
    best: tuple[np.ndarray, ...] = ()
    for index in range(len(points) - 1):
        found = segment(x, y, ends=(*points[index], *points[index + 1]), radii=(radii[index], radii[index + 1]))
        found = (*found[:4], found[4] + index)
        if best:
            nearer = found[0] > best[0]
            best = tuple(np.where(nearer, new, old) for new, old in zip(found, best, strict=True))
        else:
            best = found
    inside, across_x, across_y, radius, along = best
    nx, ny = across_x / radius, across_y / radius
    nz = np.sqrt(np.maximum(1.0 - nx * nx - ny * ny, 0.0))
    return Surface(*clipped, inside=inside, normal=(nx, ny, nz), along=along)


def segment(
    x: np.ndarray, y: np.ndarray, *, ends: tuple[float, float, float, float], radii: tuple[float, float]
) -> tuple[np.ndarray, ...]:
    """Return distance inside, offset from the axis (x, y), radius and position 0..1 of one tapered segment."""
    ax, ay, bx, by = ends
    dx, dy = bx - ax, by - ay
    position = ((x - ax) * dx + (y - ay) * dy) / max(dx * dx + dy * dy, 1e-6)
    position = np.clip(position, 0.0, 1.0)
    radius = radii[0] + (radii[1] - radii[0]) * position
    across_x, across_y = x - ax - dx * position, y - ay - dy * position
    inside = radius - np.sqrt(across_x * across_x + across_y * across_y)
    return inside, across_x, across_y, radius, position


def loft(
    canvas: np.ndarray,
    profile: list[tuple[float, float, float, float]],
    *,
    yaw: float,
) -> Loft | None:
    """Stack ellipses from top to bottom.

    Args:
        canvas: [H, W, 4].
        profile: For each level: y, centre x, half-width across the body and half-depth along it, pixels.
        yaw: Where the body faces, radians; 0 towards the viewer.
    """
    level_y, level_x, wide, deep = (np.array(column) for column in zip(*profile, strict=True))
    halves = np.sqrt((wide * np.cos(yaw)) ** 2 + (deep * np.sin(yaw)) ** 2)
    bounds = (min(level_x - halves), level_y[0], max(level_x + halves), level_y[-1])
    clipped = window(canvas, bounds)
    if clipped is None:
        return None
    x, y = grid(*clipped)
    rows = y[:, 0]
    half = np.interp(rows, level_y, halves)[:, None]
    slope = np.interp(rows, level_y, np.gradient(halves, level_y))[:, None]
    across = x - np.interp(rows, level_y, level_x)[:, None]
    inside = (half - np.abs(across)) / np.sqrt(1.0 + slope * slope)
    inside = np.minimum(inside, np.minimum(y - level_y[0], level_y[-1] - y))
    nx = np.clip(across / half, -1.0, 1.0)
    tilt = np.clip(-0.6 * slope, -0.8, 0.8)
    nz = np.sqrt(1.0 - nx * nx)
    shrink = 1.0 / np.sqrt(1.0 + tilt * tilt)
    normal = (nx * shrink, tilt * shrink, nz * shrink)
    return Loft(*clipped, inside=inside, normal=normal, along=y + 0.0 * x, azimuth=wrap(np.arcsin(nx) - yaw))


def wrap(angle: np.ndarray) -> np.ndarray:
    """Bring angles into -pi..pi."""
    return angle - 2 * np.pi * np.round(angle / (2 * np.pi))


def lay(
    canvas: np.ndarray,
    surface: Surface | None,
    *,
    colour: np.ndarray,
    light: Light,
    folds: np.ndarray | None = None,
    cover: np.ndarray | float = 1.0,
    shadow: np.ndarray | float = 0.3,
) -> None:
    """Paint a surface with its contact shadow; the fourth channel keeps how far a pixel belongs to the figure.

    Args:
        canvas: [H, W, 4]; changed in place.
        colour: [3] or [rows, columns, 3].
        folds: [rows, columns] factor of the shading.
        cover: Share of the surface that is there, 0..1.
        shadow: Darkness of the contact shadow on what was painted before, 0..1.
    """
    if surface is None:
        return
    target = canvas[surface.rows, surface.columns]
    if np.any(shadow):
        near = np.clip((surface.inside + MARGIN) / MARGIN, 0.0, 1.0)
        target[..., :3] *= 1.0 - (shadow * near * near * cover * target[..., 3])[..., None]
    alpha = np.clip(surface.inside + 0.5, 0.0, 1.0) * cover
    nx, ny, nz = surface.normal
    x, y, z = light.direction
    lit = light.ambient * (0.86 - 0.14 * ny) + light.sun * np.maximum(nx * x + ny * y + nz * z, 0.0)
    if folds is not None:
        lit = lit * folds
    target[..., :3] += alpha[..., None] * (np.asarray(colour) * lit[..., None] - target[..., :3])
    target[..., 3] += alpha * (1.0 - target[..., 3])
