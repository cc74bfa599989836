"""Pictures of people in the cameras of a domain, each a pure function of its names."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from dcac.demo.drawing.domains import DOMAINS
from dcac.demo.drawing.streams import stream, within
from dcac.demo.drawing.texture import fold_bank
from dcac.demo.people.figure import paint_person
from dcac.demo.people.people import Person, caption, draw_person
from dcac.demo.people.pose import View, draw_gait
from dcac.demo.scene.camera import Camera, draw_camera, encode, expose, scene_caption, sense, to_bytes
from dcac.demo.scene.occluders import hide
from dcac.demo.scene.scene import panorama

HEIGHT, WIDTH = 128, 64  # pixels of a picture
TALL, FEET = 112.0, 120.0  # pixels: height of an average person, and the row of their feet; ours
PASSERS = 60  # strangers who walk through a domain; ours
YAW_JITTER = 0.9  # radians, standard deviation around the preferred view of a camera; ours
GOLDEN_ANGLE = 2.39996  # radians between the preferred views of successive cameras, so that any few of them differ
GROUP, GROUP_CAMERAS = 250, 64  # people of the broad domain who share cameras, and how many; ours


@dataclass(frozen=True)
class Rendered:
    """One picture of one person.

    Args:
        jpeg: The encoded picture as the camera delivers it; decodes to 128 x 64 RGB.
        person: Index of the person in the domain, from 0.
        camera: Index of the camera in the domain, from 0.
        shot: Index of the picture of that person at that camera, from 0.
        caption: float32 [A] in 0..1, what a caption would name of person and place, in the order of `CAPTION_FIELDS`
            and `SCENE_FIELDS`.
    """

    jpeg: bytes
    person: int
    camera: int
    shot: int
    caption: np.ndarray


def render(domain: str, *, persons: range, cameras: range, shots: int, seed: int) -> Iterator[Rendered]:
    """Render every person at every camera of a domain; a subset gives the same pictures as the whole.

    Args:
        domain: A name in `DOMAINS`.
        persons, cameras: Indices; any non-negative number is a person or a camera of the domain.
        shots: Pictures per person and camera.
    """
    require_domain(domain)
    for person in persons:
        for camera in cameras:
            for shot in range(shots):
                yield render_one(domain, person=person, camera=camera, shot=shot, seed=seed)


def render_broad(*, persons: int, images_per_person: int, seed: int) -> Iterator[Rendered]:
    """Render the pre-training domain: each person at a few different cameras, drawn at random.

    Raises:
        ValueError: More pictures of a person were asked for than there are cameras around them.
    """
    if images_per_person > GROUP_CAMERAS:
        raise ValueError(f"{images_per_person} images per person, but only {GROUP_CAMERAS} cameras; ask for fewer.")
    for person in range(persons):
        order = stream(seed, "broad", "cameras", person).permutation(GROUP_CAMERAS)
        first = person // GROUP * GROUP_CAMERAS
        for camera in sorted(order[:images_per_person]):
            yield render_one("broad", person=person, camera=first + int(camera), shot=0, seed=seed)


def require_domain(domain: str) -> None:
    """Raise ValueError unless the domain exists."""
    if domain not in DOMAINS:
        raise ValueError(f"Unknown synthetic domain {domain!r}; use one of {', '.join(DOMAINS)}.")


def render_one(domain: str, *, person: int, camera: int, shot: int, seed: int) -> Rendered:
    """Render one picture."""
    shown, station = person_of(domain, person, seed=seed), station_of(domain, camera, seed=seed)
    rng = stream(seed, domain, "shot", person, camera, shot)
    jpeg = encode(photograph(shown, station, domain=domain, rng=rng), station.camera)
    words = np.concatenate([caption(shown), scene_caption(station.camera)])
    return Rendered(jpeg=jpeg, person=person, camera=camera, shot=shot, caption=words)


@dataclass(frozen=True)
class Station:
    """A camera with the panorama it overlooks."""

    camera: Camera
    backdrop: Image.Image


@lru_cache(maxsize=256)
def station_of(domain: str, index: int, *, seed: int) -> Station:
    """Return a camera of a domain; kept, because every picture of the camera needs its panorama."""
    yaw = 2 * math.pi * float(stream(seed, domain, "view").random()) + GOLDEN_ANGLE * index
    camera = draw_camera(stream(seed, domain, "camera", index), DOMAINS[domain].cameras, yaw=yaw)
    return Station(camera, panorama(stream(seed, domain, "panorama", index), camera))


@lru_cache(maxsize=256)
def person_of(domain: str, index: int, *, seed: int) -> Person:
    """Return a person of a domain."""
    return draw_person(stream(seed, domain, "person", index), DOMAINS[domain].palettes)


@lru_cache(maxsize=256)
def passer_of(domain: str, index: int) -> Person:
    """Return a stranger who is nobody's identity; the same for all seeds."""
    return draw_person(stream(0, domain, "passer", index), DOMAINS[domain].palettes)


@lru_cache(maxsize=1)
def folds() -> np.ndarray:
    """Return the bank of creases, the same for all people."""
    return fold_bank(stream(0, "folds"))


def photograph(person: Person, station: Station, *, domain: str, rng: np.random.Generator) -> np.ndarray:
    """Take a picture of a person.

    Returns:
        uint8 [128, 64, 3], before the camera encodes it.
    """
    camera = station.camera
    canvas = view_of_place(station, rng=rng)
    view = stand(camera, person=person, rng=rng)
    if rng.random() < camera.crowded:
        passer = passer_of(domain, int(rng.integers(PASSERS)))
        further = behind(view, camera, rng=rng)
        paint_person(canvas, passer, view=further, gait=draw_gait(rng), light=camera.light, folds=folds())
    paint_person(canvas, person, view=view, gait=draw_gait(rng), light=camera.light, folds=folds())
    if rng.random() < camera.occluded:
        hide(canvas, camera.light, indoors=camera.indoors, rng=rng)
    exposed = expose(canvas[..., :3], camera, rng=rng)
    return sense(to_bytes(exposed), camera, rng=rng)


def stand(camera: Camera, *, person: Person, rng: np.random.Generator) -> View:
    """Draw where the person stands in the crop and where they face."""
    tall = TALL * person.height * within(rng, (0.96, 1.03))
    x = WIDTH / 2 + camera.jitter * within(rng, (-1.0, 1.0))
    y = FEET + 0.6 * camera.jitter * within(rng, (-1.0, 1.0))
    yaw = camera.yaw + YAW_JITTER * float(rng.normal())
    return View(tall / (math.cos(camera.pitch) + 0.05), x, y, yaw, camera.pitch)


def behind(view: View, camera: Camera, *, rng: np.random.Generator) -> View:
    """Draw where somebody stands further away: smaller, beside the person, feet nearer to the wall."""
    share = within(rng, (0.55, 0.92))
    aside = within(rng, (11.0, 30.0)) * (1 if rng.random() < 0.5 else -1)
    horizon = HEIGHT * camera.edge - 20.0
    y = horizon + share * (view.y - horizon)
    return View(share * view.scale, view.x + aside, y, within(rng, (-math.pi, math.pi)), view.pitch)


def view_of_place(station: Station, *, rng: np.random.Generator) -> np.ndarray:
    """Cut the part of the panorama before which the person walks; [128, 64, 4] with an empty fourth channel."""
    zoom = 0.9 + 0.25 * float(rng.random())
    left = (station.backdrop.width - WIDTH * zoom) * float(rng.random())
    top = 16 + 4 * float(rng.uniform(-1, 1)) - 8 * (zoom - 1)
    box = (left, max(top, 0), left + WIDTH * zoom, min(top + HEIGHT * zoom, station.backdrop.height))
    cut = station.backdrop.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box=box)
    canvas = np.zeros((HEIGHT, WIDTH, 4))
    canvas[..., :3] = np.asarray(cut) / 255.0
    return canvas
