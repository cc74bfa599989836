"""A stick figure in walking phase and its projection into the picture."""

import math
from dataclasses import dataclass

import numpy as np

Point = tuple[float, float, float]  # to the person's left, up, forward; shares of the body height

THIGH, SHIN, ANKLE = 0.240, 0.230, 0.040
HIP, SHOULDER = 0.508, 0.790
UPPER_ARM, FOREARM, HAND = 0.165, 0.145, 0.055


@dataclass(frozen=True)
class Gait:
    """How one person moves in one picture; angles in radians."""

    phase: float
    stride: float
    swing: float
    elbows: tuple[float, float]
    spread: float
    lean: float
    look: float


@dataclass(frozen=True)
class Limb:
    """The joints of a leg (hip, knee, ankle, heel, toe) or of an arm (shoulder, elbow, wrist, fingertip)."""

    joints: tuple[Point, ...]


@dataclass(frozen=True)
class View:
    """Where a body stands in the picture: pixels per body height, feet (x, y), and angles in radians."""

    scale: float
    x: float
    y: float
    yaw: float
    pitch: float

    def place(self, point: Point) -> tuple[float, float, float]:
        """Project a body point to x and y in pixels (y down) and nearness to the viewer in body heights."""
        left, up, forward = point
        right = left * math.cos(self.yaw) + forward * math.sin(self.yaw)
        near = forward * math.cos(self.yaw) - left * math.sin(self.yaw)
        drop = near * math.sin(self.pitch) - up * math.cos(self.pitch)
        return self.x + self.scale * right, self.y + self.scale * drop, near


def draw_gait(rng: np.random.Generator) -> Gait:
    """Draw a moment of walking; one in five people stands."""
    stands = rng.random() < 0.2
    busy = rng.random(2) < 0.12  # a hand at a phone, a strap or a pocket
    bends = [float(1.2 + 0.5 * rng.random()) if used else float(0.15 + 0.3 * rng.random()) for used in busy]
    return Gait(
        phase=2 * math.pi * float(rng.random()),
        stride=0.06 * float(rng.random()) if stands else 0.30 + 0.18 * float(rng.random()),
        swing=0.05 if stands else 0.22 + 0.22 * float(rng.random()),
        elbows=(bends[0], bends[1]),
        spread=0.06 + 0.09 * float(rng.random()),
        lean=0.04 * float(rng.random()),
        look=0.30 * float(rng.normal()),
    )


def reach(start: Point, angle: float, *, length: float, out: float = 0.0) -> Point:
    """Go a length down from a joint, turned forward by an angle and sideways by a shift."""
    left, up, forward = start
    return (left + out, up - length * math.cos(angle), forward + length * math.sin(angle))


def leg(gait: Gait, *, side: int, hips: float) -> Limb:
    """Pose a leg; side is 1 for left, -1 for right."""
    phase = gait.phase if side > 0 else gait.phase + math.pi
    thigh = gait.stride * math.sin(phase) + 0.05
    bend = 0.06 + 1.5 * gait.stride * max(0.0, math.cos(phase)) ** 1.5
    hip = (side * hips, HIP, 0.0)
    knee = reach(hip, thigh, length=THIGH)
    ankle = reach(knee, thigh - bend, length=SHIN)
    sole = 0.35 * (thigh - bend) if thigh - bend < 0 else 0.5 * (thigh - bend)
    heel = (ankle[0], ankle[1] - 0.022 * math.cos(sole), ankle[2] - 0.022)
    toe = (
        ankle[0] + side * 0.018,
        ankle[1] - 0.026 * math.cos(sole) + 0.10 * math.sin(sole),
        ankle[2] + 0.098 * math.cos(sole),
    )
    return Limb((hip, knee, ankle, heel, toe))


def arm(gait: Gait, *, side: int, shoulders: float) -> Limb:
    """Pose an arm against the leg of its side."""
    phase = gait.phase if side > 0 else gait.phase + math.pi
    swing = -gait.swing * math.sin(phase) - 0.02
    bend = gait.elbows[0 if side > 0 else 1] + 0.3 * max(0.0, swing)
    shoulder = (side * shoulders, SHOULDER, 0.0)
    elbow = reach(shoulder, swing, length=UPPER_ARM, out=side * gait.spread * UPPER_ARM)
    inward = -side * 0.05 if bend > 1.0 else side * 0.3 * gait.spread * FOREARM
    wrist = reach(elbow, swing + bend, length=FOREARM, out=inward)
    tip = reach(wrist, swing + bend + 0.1, length=HAND, out=-side * 0.006)
    return Limb((shoulder, elbow, wrist, tip))


def ground(left: Limb, right: Limb) -> float:
    """Return how far the lower foot floats above the ground, in body heights."""
    return min(min(joint[1] for joint in limb.joints[3:]) for limb in (left, right)) - 0.018
