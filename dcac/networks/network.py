"""A network that turns pictures into features, whatever kind of file it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from dcac.data.images import decode
from dcac.data.views import normalise
from dcac.foreign.network_card import Feature, NetworkCard, PartCard
from dcac.networks.pictures import encoded
from dcac.provenance.record import Input

BATCH = 256  # images at a time, where the network does not say
Picture = str | Path | Image | NDArray[np.uint8]


class BatchSize(NamedTuple):
    """How many images a network takes at once."""

    least: int
    most: int


class Encoder(Protocol):
    """What every kind of network offers: the images it takes at once, and its outputs by name."""

    batch: BatchSize

    def __call__(self, images: Tensor) -> Mapping[str, NDArray]:
        """Compute the outputs for images float32 [B, 3, H, W], already in the network's view."""
        ...


@dataclass(frozen=True)
class Network:
    """A network with its card."""

    name: str
    card: NetworkCard
    given: PartCard  # what of the card was given, and not said by the network's own files
    encoder: Encoder
    content: Input  # what it is to the features made with it

    def embed(self, pictures: Sequence[Picture], *, unit_length: bool = True) -> NDArray[np.float32]:
        """Embed pictures as unit vectors.

        Args:
            pictures: paths of JPEG, PNG or BMP files, Pillow images, or arrays uint8 [H, W, 3] (RGB) or [H, W] (grey), of
                any size; photographs are turned upright as their EXIF says.
            unit_length: False leaves the features as the network's card says.

        Returns:
            float32 [N, D], so that products are cosines.

        Raises:
            ValueError: there is no picture, one cannot be used, or its feature has length 0; the message names it.
        """
        if isinstance(pictures, (str, Path, Image, np.ndarray)):
            raise ValueError(f"embed takes a list of pictures, not a {type(pictures).__name__}; write embed([picture])")
        if not len(pictures):
            raise ValueError("there is no picture to embed; give at least one")
        starts = range(0, len(pictures), BATCH)  # one part at a time is read
        features = np.concatenate([self.encode(_read(pictures, start)) for start in starts])
        return unit(features) if unit_length else features

    def encode(self, images: Sequence[bytes]) -> NDArray[np.float32]:
        """Embed encoded images as the card says, normalised or not: float32 [M, D]."""
        view = self.card.view
        decoded = partial(decode, height=view.height, width=view.width, resize=view.resize)
        parts = (images[start : start + BATCH] for start in range(0, len(images), BATCH))  # few pixels at a time
        return np.concatenate([self.encode_pixels(decoded(part)) for part in parts])

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed images uint8 [M, 3, H, W] of the network's size, RGB: float32 [M, D]."""
        view = self.card.view
        mean, std = view.shares()
        ordered = pixels if view.channels == "rgb" else pixels[:, ::-1].copy()
        features = []
        for part in torch.from_numpy(ordered).split(min(BATCH, self.encoder.batch.most)):
            images = filled(normalise(part, mean=mean, std=std), self.encoder.batch.least)
            outputs = self.encoder(images)
            features.append(choose(outputs, self.card.feature, images=len(images), name=self.name)[: len(part)])
        found = np.concatenate(features)
        return unit(found) if self.card.feature.normalise else found


def _read(pictures: Sequence[Picture], start: int) -> list[bytes]:
    """Read a part of the pictures."""
    return [
        encoded(picture, f"picture {place}") for place, picture in enumerate(pictures[start : start + BATCH], start)
    ]


def filled(images: Tensor, least: int) -> Tensor:
    """Repeat the last image until there are as many as a network of a fixed batch takes."""
    missing = least - len(images)
    return images if missing <= 0 else torch.cat([images, images[-1:].expand(missing, -1, -1, -1)])


def choose(outputs: Mapping[str, NDArray], feature: Feature, *, images: int, name: str) -> NDArray[np.float32]:
    """Take the feature out of a network's outputs and pool it to a vector: float32 [B, D].

    Raises:
        ValueError: several outputs and none is named, the named one is not there, or it is no vector and not pooled.
    """
    key = _output(outputs, feature, name)
    values = np.asarray(outputs[key])
    if values.ndim < 2 or len(values) != images:
        raise ValueError(
            f"output '{key}' of {name} has shape {list(values.shape)} for {images} images; name another under "
            f"`feature: output:` of its card ({', '.join(outputs)})"
        )
    values = _pooled(values, feature, f"output '{key}' of {name}")
    if not np.isfinite(values).all():
        raise ValueError(
            f"output '{key}' of {name} holds NaN or infinities; look at the mean, std and scale of its card"
        )
    return np.ascontiguousarray(values, dtype=np.float32)


def unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divide each feature by its length.

    Raises:
        ValueError: a feature has length 0.
    """
    lengths = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(f"the feature of picture {int(np.argmin(lengths))} has length 0; look at the network's card")
    return (features / lengths).astype(np.float32)


def _output(outputs: Mapping[str, NDArray], feature: Feature, name: str) -> str:
    names = list(outputs)
    if feature.output is None:
        if len(names) > 1:
            raise ValueError(
                f"{name} has several outputs; name the feature under `feature: output:` of its card: {names}"
            )
        return names[0]
    if isinstance(feature.output, int) and feature.output < len(names):
        return names[feature.output]
    if feature.output not in outputs:
        raise ValueError(
            f"{name} has no output {feature.output!r}; `feature: output:` of its card names one of {names}"
        )
    return str(feature.output)


def _pooled(values: NDArray, feature: Feature, what: str) -> NDArray:
    """Pool [B, C, h, w] over places or [B, T, C] over tokens to [B, C]; a vector in other clothes stays."""
    if values.ndim == 2:
        return values
    if values.size == len(values) * max(values.shape[1:]):
        return values.reshape(len(values), -1)
    if feature.pool is None or values.ndim > 4 or (values.ndim == 4 and feature.pool == "first"):
        known = "mean or max" if values.ndim == 4 else "mean, max or first"
        raise ValueError(f"{what} has shape {list(values.shape)}, no vector an image; write `feature: pool:` {known}")
    axes = (2, 3) if values.ndim == 4 else (1,)
    if feature.pool == "first":
        return values[:, 0]
    return values.mean(axis=axes) if feature.pool == "mean" else values.max(axis=axes)
