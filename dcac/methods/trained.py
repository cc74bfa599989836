"""The model that a method trains, as training sees it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from dcac.model.encoder import Embedding, ReIDModel
from dcac.model.latents import DiffusionBatch
from dcac.settings import Settings

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

    from dcac.training.batches import Batch


class PerImage(NamedTuple):
    """A loss that goes through a large network image by image, so that it may be computed in slices."""

    given: Tensor  # [B, ...], a function of the embedding
    loss: Callable[[Tensor, slice], Tensor]  # of rows of `given` and where in the batch they stand: one value an image


@dataclass(frozen=True)
class HeldOut:
    """Images of people never trained on, with fixed noise and time steps, so that epochs compare."""

    images: Tensor  # float [H, 3, height, width], test view
    draws: tuple[DiffusionBatch, ...]  # of all images, each

    def to(self, device: torch.device) -> "HeldOut":
        """Copy it to a device."""
        draws = tuple(DiffusionBatch(*(part.to(device) for part in batch)) for batch in self.draws)
        return HeldOut(self.images.to(device), draws)


class TrainedModel(nn.Module):
    """The Re-ID model and what a method trains beside it; this one has nothing beside it."""

    frozen: tuple[str, ...] = ()  # prefixes of parameters that a run does not keep where they do not train

    def __init__(self, reid: ReIDModel, settings: Settings):
        super().__init__()
        self.reid = reid
        self.settings = settings

    @property
    def unet(self) -> "UNet2DConditionModel | None":
        """The large network beside the encoder, for the switches of memory and speed."""
        return None

    @property
    def noise_steps(self) -> int:
        """T, the number of time steps, of a method with latents."""
        return 0

    def rated(self, settings: Settings) -> list[tuple[nn.Module, float]]:
        """Return the parts that train, each with its multiple of the learning rate."""
        reid = self.reid
        return [(reid.backbone, 1.0), (reid.bnneck, 1.0), (reid.classifier, settings.classifier_lr_multiplier)]

    def heads(self) -> list[nn.Module]:
        """Return the parts that every process applies to the whole batch."""
        return [self.reid.bnneck, self.reid.classifier]

    def own_terms(self, embedding: Embedding, batch: "Batch") -> dict[str, Tensor]:
        """Compute the method's own loss terms, by name, but for those of `per_image`."""
        return {}

    def per_image(self, embedding: Embedding, batch: "Batch") -> dict[str, PerImage]:
        """Say how to compute the terms that are means over images, by name."""
        return {}

    def report_batch(self, embedding: Embedding, batch: "Batch") -> dict[str, float]:
        """Report what an epoch's last batch shows beside the gradients of its losses."""
        return {}

    def report_held_out(self, held_out: HeldOut, memory: Tensor, *, size: int) -> dict[str, float]:
        """Report what people never trained on show, `size` images a forward pass."""
        return {}

    def publish(self, out: Path) -> Sequence[Path]:
        """Write into a run's folder what others read of it beside its weights; return the folders."""
        return []
