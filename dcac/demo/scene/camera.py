"""A camera: its place and its constants, and what it does to a picture up to the JPEG."""

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from dcac.demo.drawing.domains import CameraRanges
from dcac.demo.drawing.paint import Light
from dcac.demo.drawing.streams import choose, within

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
GROUNDS = ("grass", "asphalt", "paving", "snow", "polished", "tiles")
SCENE_FIELDS = [f"ground={kind}" for kind in GROUNDS] + ["light_ambient", "light_sun"]
SCENE_FIELDS += ["cast_red", "cast_green", "cast_blue", "saturation", "contrast"]


@dataclass(frozen=True)
class Camera:
    """Constants of one camera; units as in `CameraRanges`."""

    yaw: float
    pitch: float
    edge: float
    wall: str
    ground: str
    light: Light
    saturation: float
    contrast: float
    gamma: float
    gain: tuple[float, float, float]
    resolution: float
    blur: float
    noise: float
    quality: int
    jitter: float
    occluded: float
    crowded: float

    @property
    def indoors(self) -> bool:
        """Tell whether the camera hangs under a roof."""
        return self.ground in ("polished", "tiles")


def draw_camera(rng: np.random.Generator, kinds: tuple[CameraRanges, ...], *, yaw: float) -> Camera:
    """Draw the constants of a camera after one of the ranges.

    Args:
        yaw: The view that the camera has of most people, radians; 0 from the front.
    """
    ranges = kinds[int(rng.integers(len(kinds)))]
    gain = within(rng, ranges.gain) * np.exp(ranges.cast * rng.normal(size=3))
    bearing, height = within(rng, (-1.2, 1.2)), within(rng, (0.5, 1.1))
    direction = (math.sin(bearing) * math.cos(height), -math.sin(height), math.cos(bearing) * math.cos(height))
    return Camera(
        yaw=yaw,
        pitch=within(rng, ranges.pitch),
        edge=within(rng, ranges.edge),
        wall=choose(rng, ranges.walls),
        ground=choose(rng, ranges.grounds),
        light=Light(direction, within(rng, ranges.ambient), within(rng, ranges.sun)),
        saturation=within(rng, ranges.saturation),
        contrast=within(rng, ranges.contrast),
        gamma=within(rng, ranges.gamma),
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        resolution=within(rng, ranges.resolution),
        blur=within(rng, ranges.blur),
        noise=within(rng, ranges.noise),
        quality=round(within(rng, ranges.quality)),
        jitter=ranges.jitter,
        occluded=ranges.occluded,
        crowded=ranges.crowded,
    )


def scene_caption(camera: Camera) -> np.ndarray:
    """Return what a caption would say of the place: its ground, its light and how the camera colours it.

    Returns:
        float32 [S] in 0..1, in the order of `SCENE_FIELDS`; factors around 1 are halved.
    """
    grounds = [float(camera.ground == kind) for kind in GROUNDS]
    tone = [channel / 2 for channel in (*camera.gain, camera.saturation, camera.contrast)]
    return np.array([*grounds, camera.light.ambient, camera.light.sun, *tone], dtype=np.float32)


def to_bytes(picture: np.ndarray) -> np.ndarray:
    """Quantise a picture in 0..1 to uint8; the first rounding hides the last bits, which differ between machines."""
    return np.clip(np.round(np.round(picture, 6) * 255.0), 0, 255).astype(np.uint8)


def expose(picture: np.ndarray, camera: Camera, *, rng: np.random.Generator) -> np.ndarray:
    """Apply saturation, contrast, gamma, gain and colour cast.

    Args:
        picture: [H, W, 3] in 0..1.
    """
    grey = (picture[..., 0] * LUMA[0] + picture[..., 1] * LUMA[1] + picture[..., 2] * LUMA[2])[..., None]
    picture = grey + camera.saturation * (picture - grey)
    picture = 0.42 + camera.contrast * (picture - 0.42)
    brightness = 1.0 + 0.10 * float(rng.normal())
    return np.clip(picture, 0.0, 1.0) ** camera.gamma * (brightness * np.array(camera.gain))


def sense(picture: np.ndarray, camera: Camera, *, rng: np.random.Generator) -> np.ndarray:
    """Resolve, blur and add noise as the sensor does.

    Args:
        picture: uint8 [H, W, 3].

    Returns:
        uint8 [H, W, 3].
    """
    image = Image.fromarray(picture)
    height, width = picture.shape[:2]
    coarse = (max(8, round(width * camera.resolution)), max(8, round(height * camera.resolution)))
    if coarse[0] < width:
        image = image.resize(coarse, Image.Resampling.BOX).resize((width, height), Image.Resampling.BICUBIC)
    softness = camera.blur * (0.8 + 0.5 * float(rng.random()))
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(softness))) / 255.0
    grain = rng.normal(size=(height, width, 4))
    noise = camera.noise * (0.8 * grain[..., :1] + 0.5 * grain[..., 1:]) * (1.15 - 0.5 * blurred)
    return to_bytes(blurred + noise)


def encode(picture: np.ndarray, camera: Camera) -> bytes:
    """Compress as the camera delivers."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=camera.quality)
    return buffer.getvalue()
