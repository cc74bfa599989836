"""What a training step sees: images in the Re-ID view, their labels, the memory, and the diffusion view with its noise.

Every draw comes from a generator named by the run's seed, its purpose and the step.
"""

from collections.abc import Iterator
from itertools import chain, count
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dcac.data.sampling import identity_batches, other_people
from dcac.data.training_set import TrainingSet
from dcac.data.views import Augmentation, draw_augmentation, train_view
from dcac.model.latents import DiffusionBatch, draw
from dcac.seeding import numpy_generator, torch_generator
from dcac.settings import Settings
from dcac.training.hardware import Hardware
from dcac.training.setup import Latents


class Batch(NamedTuple):
    """One training batch on the device."""

    images: Tensor  # float [B, 3, H, W], augmented
    labels: Tensor  # int64 [B]
    memory: Tensor  # M [N, D], as it was before this step
    diffusion: DiffusionBatch | None


class Batches:
    """The training images of a run, drawn into batches."""

    def __init__(
        self,
        data: TrainingSet,
        latents: Latents | None,
        settings: Settings,
        *,
        seed: int,
        noise_steps: int,
        hardware: Hardware,
    ):
        self.data, self.latents, self.settings = data, latents, settings
        self.seed, self.noise_steps, self.hardware = seed, noise_steps, hardware
        self.labels = torch.from_numpy(data.labels)

    def of_epoch(self, epoch: int) -> np.ndarray:
        """Draw the batches of an epoch: int64 [batches, P * K], rows of the training images."""
        return identity_batches(
            self.data.labels,
            identities=self.settings.identities_per_batch,
            images=self.settings.images_per_identity,
            generator=numpy_generator(self.seed, "sampler", epoch),
        )

    def of_all_epochs(self) -> Iterator[np.ndarray]:
        """Draw the batches of one epoch after another, int64 [P * K] each, without end."""
        return chain.from_iterable(map(self.of_epoch, count(1)))

    def batch(self, rows: np.ndarray, name: str, memory: Tensor) -> Batch:
        """Draw the views of a batch.

        Args:
            rows: int64 [B], of the training images.
            name: of the step; names the draws.
        """
        diffusion = None if self.latents is None else self.diffusion_view(rows, name)
        return Batch(self.reid_view(rows, name), self.hardware.send(self.labels[rows]), memory, diffusion)

    def reid_view(self, rows: np.ndarray, name: str) -> Tensor:
        """Augment the images of a batch: float [B, 3, H, W]."""
        draws = draw_augmentation(len(rows), self.settings, torch_generator(self.seed, "augment", name))
        images = self.hardware.send(torch.from_numpy(self.data.images[rows]))
        return train_view(images, Augmentation(*map(self.hardware.send, draws)), self.settings)

    def diffusion_view(self, rows: np.ndarray, name: str) -> DiffusionBatch:
        """Draw latents, noise and time steps of a batch; for the placebo the latents are those of other people in it."""
        if self.latents is None:
            raise ValueError("a run without latents has no diffusion view; see `needs` of its method")
        if self.settings.noise_image == "other":
            people, images = self.settings.identities_per_batch, self.settings.images_per_identity
            rows = rows[other_people(people, images, numpy_generator(self.seed, "placebo", name))]
        generator = torch_generator(self.seed, "diffusion", name)
        drawn = draw(self.latents.train[rows], self.latents.scaling_factor, self.noise_steps, generator)
        return DiffusionBatch(*map(self.hardware.send, drawn))
