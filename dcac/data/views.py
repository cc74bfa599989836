"""The Re-ID view of a batch: published augmentation as batched tensor operations."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from dcac.settings import Settings

ERASING_ATTEMPTS = 100  # the authors' code gives up after as many


class Augmentation(NamedTuple):
    """The random choices behind the Re-ID view of a batch."""

    flips: Tensor  # bool [B]
    offsets: Tensor  # int64 [B, 2], corner of the crop in the padded image
    boxes: Tensor  # int64 [B, 4], what is erased; see `draw_boxes`


def normalise(images: Tensor, *, mean: float | Sequence[float], std: float | Sequence[float]) -> Tensor:
    """Turn uint8 images [B, 3, H, W] into floats, scaled to 0..1, then shifted and divided, alike or channel by channel."""
    shares, channels = images.float() / 255, images.shape[1]
    means, stds = (value if isinstance(value, Sequence) else (value,) * channels for value in (mean, std))
    # channel by channel: a tensor of three would have to be sent to the device
    for channel, shift, scale in zip(shares.unbind(1), means, stds, strict=True):
        channel.sub_(shift).div_(scale)
    return shares


def by_channel(value: float | tuple[float, float, float] | Literal["encoder"]) -> tuple[float, float, float]:
    """Return the setting `pixel_mean` or `pixel_std` for red, green and blue.

    Raises:
        ValueError: it is still the word `encoder`, which stands for what `resolve_normalisation` finds.
    """
    if value == "encoder":
        raise ValueError("pixel_mean or pixel_std is `encoder`; read what that means from the encoder's folder first")
    return value if isinstance(value, tuple) else (value, value, value)


def test_view(images: Tensor, settings: Settings) -> Tensor:
    """Normalise without augmentation; images uint8 [B, 3, H, W]."""
    return normalise(images, mean=by_channel(settings.pixel_mean), std=by_channel(settings.pixel_std))


def draw_augmentation(count: int, settings: Settings, generator: torch.Generator) -> Augmentation:
    """Draw how to augment `count` images, on the CPU: the same on every device."""
    return Augmentation(
        flips=draw_flips(count, settings.flip_probability, generator),
        offsets=draw_offsets(count, settings.pad_pixels, generator),
        boxes=draw_boxes(count, settings.image_height, settings.image_width, settings, generator),
    )


def train_view(images: Tensor, draws: Augmentation, settings: Settings) -> Tensor:
    """Flip, pad and crop, normalise, erase: the Re-ID augmentation of a batch.

    Args:
        images: uint8 [B, 3, H, W], already resized.
        draws: on the images' device.

    Returns:
        float [B, 3, H, W].

    Source:
        Transform list of the authors' released code; each operation equals torchvision's pixel for pixel.
    """
    cropped = flip_and_crop(images, draws.flips, draws.offsets, settings.pad_pixels)
    return erase(test_view(cropped, settings), draws.boxes, settings.erasing_fill)


def draw_flips(count: int, probability: float, generator: torch.Generator) -> Tensor:
    """Draw which images are mirrored: bool [B]."""
    return torch.rand(count, generator=generator) < probability


def draw_offsets(count: int, pad: int, generator: torch.Generator) -> Tensor:
    """Draw the crop's corner (top, left) inside the padded image: int64 [B, 2]."""
    return torch.randint(0, 2 * pad + 1, (count, 2), generator=generator)


def flip_and_crop(images: Tensor, flips: Tensor, offsets: Tensor, pad: int) -> Tensor:
    """Mirror the images where asked, pad them with black and cut the original size out.

    Args:
        images: uint8 [B, 3, H, W].
        flips: bool [B].
        offsets: int64 [B, 2], top and left in 0..2 * pad.
        pad: pixels on each side.

    Returns:
        uint8 [B, 3, H, W].
    """
    count, _, height, width = images.shape
    device = images.device
    padded = F.pad(images, (pad, pad, pad, pad))
    rows = offsets[:, :1] + torch.arange(height, device=device)
    columns = offsets[:, 1:] + torch.arange(width, device=device)
    columns = torch.where(flips[:, None], width + 2 * pad - 1 - columns, columns)
    batch = torch.arange(count, device=device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def draw_boxes(count: int, height: int, width: int, settings: Settings, generator: torch.Generator) -> Tensor:
    """Draw the rectangle to erase in each image: int64 [B, 4] (top, left, height, width), height 0 where none.

    Area is uniform, and so is the aspect ratio, height / width, between `erasing_min_aspect` and its inverse; the
    whole box is drawn again until it fits, at most a hundred times.

    Source:
        Random erasing of the authors' released code; torchvision's aspect ratio is log-uniform instead.
    """
    shape = (count, ERASING_ATTEMPTS)
    area = torch.empty(shape).uniform_(settings.erasing_min_area, settings.erasing_max_area, generator=generator)
    flattest = settings.erasing_min_aspect
    aspect = torch.empty(shape).uniform_(flattest, 1 / flattest, generator=generator)
    heights = (area * height * width * aspect).sqrt().round().long()
    widths = (area * height * width / aspect).sqrt().round().long()
    fits = (heights < height) & (widths < width)
    first = fits.int().argmax(dim=1, keepdim=True)
    box_height, box_width = heights.gather(1, first)[:, 0], widths.gather(1, first)[:, 0]
    place = torch.rand(count, 2, generator=generator)
    top = (place[:, 0] * (height - box_height + 1)).long()
    left = (place[:, 1] * (width - box_width + 1)).long()
    erased = (torch.rand(count, generator=generator) < settings.erasing_probability) & fits.any(dim=1)
    boxes = torch.stack([top, left, box_height, box_width], dim=1)
    return torch.where(erased[:, None], boxes, torch.zeros_like(boxes))


def erase(images: Tensor, boxes: Tensor, fill: float) -> Tensor:
    """Write `fill` into each image's box; images float [B, 3, H, W], boxes int64 [B, 4]."""
    top, left, height, width = boxes[:, :, None].unbind(1)
    rows = torch.arange(images.shape[-2], device=images.device)[None]
    columns = torch.arange(images.shape[-1], device=images.device)[None]
    inside = ((rows >= top) & (rows < top + height))[:, :, None] & ((columns >= left) & (columns < left + width))[
        :, None
    ]
    return images.masked_fill(inside[:, None], fill)
