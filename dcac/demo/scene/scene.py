"""What a camera sees without people: a wall, the ground, and things that stand between."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from dcac.demo.drawing.streams import within
from dcac.demo.drawing.texture import smooth_noise
from dcac.demo.scene import props
from dcac.demo.scene.camera import Camera, to_bytes
from dcac.demo.scene.grounds import GROUNDS
from dcac.demo.scene.marks import positions
from dcac.demo.scene.walls import WALLS

WIDTH, HEIGHT = 320, 176  # pixels of a panorama; a picture shows about 64 x 128 of it
SKY = 16  # pixels of a panorama above the usual picture
FINE = 2  # walls, grounds and props are drawn this many times larger
ANYWHERE = (props.bench, props.planter, props.bin_)
INDOORS = (*ANYWHERE, props.column)
OUTDOORS = (*ANYWHERE, props.lamp, props.car, props.bush)


def panorama(rng: np.random.Generator, camera: Camera) -> Image.Image:
    """Draw the place that a camera overlooks."""
    edge = FINE * (int(camera.edge * 128) + SKY)
    width, height = FINE * WIDTH, FINE * HEIGHT
    place = Image.new("RGB", (width, height))
    wall = WALLS[camera.wall](rng, (width, edge))
    place.paste(wall, (0, 0))
    ground = GROUNDS[camera.ground](rng, (width, height - edge))
    place.paste(mirrored(ground, wall) if camera.ground == "polished" else ground, (0, edge))
    add_props(rng, place, edge=edge, indoors=camera.indoors)
    small = place.filter(ImageFilter.GaussianBlur(0.8)).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    return lit(rng, small, camera)


def mirrored(ground: Image.Image, wall: Image.Image) -> Image.Image:
    """Let a polished floor reflect the wall, less and less towards the viewer."""
    image = wall.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize(ground.size, Image.Resampling.BILINEAR)
    image = image.filter(ImageFilter.GaussianBlur(5))
    rows = np.linspace(95, 15, ground.height).astype(np.uint8)[:, None]
    mask = Image.fromarray(np.ascontiguousarray(np.broadcast_to(rows, (ground.height, ground.width))))
    return Image.composite(image, ground, mask)


def lit(rng: np.random.Generator, place: Image.Image, camera: Camera) -> Image.Image:
    """Light a place as its camera sees it, with pools of light and shade."""
    uneven = 1.0 + 0.09 * smooth_noise(rng, (HEIGHT, WIDTH), grain=(55, 55))
    strength = camera.light.ambient + 0.55 * camera.light.sun
    return Image.fromarray(to_bytes(np.asarray(place) / 255.0 * (strength * uneven)[..., None]))


def add_props(rng: np.random.Generator, place: Image.Image, *, edge: int, indoors: bool) -> None:
    """Set a few things against the wall."""
    draw = ImageDraw.Draw(place)
    kinds = INDOORS if indoors else OUTDOORS
    for left in positions(rng, place.width, gap=(90, 300)):
        foot = edge + int(within(rng, (4, 26)))
        kinds[int(rng.integers(len(kinds)))](rng, draw, (left, foot))
