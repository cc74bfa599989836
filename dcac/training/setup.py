"""Build the model, its optimiser and its data from files and settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dcac.data.images import decode
from dcac.data.store import read_split
from dcac.data.training_set import TrainingSet, load_training_set
from dcac.data.views import test_view
from dcac.model.conditioning import Prompts
from dcac.model.dcac import DCAC, DiffusionBatch
from dcac.model.diffusion import load_prior, prepare_fine_tuning
from dcac.model.encoder import ReIDModel, load_backbone
from dcac.model.latents import load_moments, sample
from dcac.seeding import derive, torch_generator
from dcac.settings import Settings
from dcac.training.diagnostics import HeldOut


@dataclass(frozen=True)
class Latents:
    """Cached posterior moments of the training images, in their order, and of the held-out ones."""

    train: Tensor  # [M, 2 C, h, w]
    query: Tensor  # [H, 2 C, h, w]
    scaling_factor: float


def build_model(settings: Settings, *, num_identities: int, encoder: Path, prior: Path | None, seed: int) -> DCAC:
    """Build the Re-ID model and, unless `diffusion` is none, the prompts and the prior around it.

    Every part draws its initial weights from a generator of its own, so that baseline and DCAC start alike.
    """
    backbone, dim = load_backbone(
        encoder,
        height=settings.image_height,
        width=settings.image_width,
        freeze_patches=settings.freeze_patch_projection,
    )
    reid = ReIDModel(backbone, dim, num_identities)
    reid.initialise_classifier(settings.classifier_std, torch_generator(seed, "classifier"))
    if settings.diffusion == "none":
        return DCAC(reid, settings, None, None)
    if prior is None:
        raise ValueError(f"diffusion is '{settings.diffusion}' but no prior is given; add --prior FOLDER")
    diffusion = load_prior(prior)
    prepare_fine_tuning(diffusion, settings, derive(seed, "lora"))
    rows = dim if settings.condition == "feature" else num_identities
    prompts = Prompts(rows, diffusion.context_width, settings.bottleneck)
    prompts.initialise(settings.prompt_std, torch_generator(seed, "prompts"))
    return DCAC(reid, settings, diffusion, prompts)


def build_optimiser(model: DCAC, settings: Settings) -> torch.optim.Optimizer:
    """Adam with L2 decay on everything that trains, prompts and U-Net at their own multiples of the learning rate."""
    parts = [
        (model.reid, 1.0),
        (model.prompts, settings.prompt_lr_multiplier),
        (model.prior, settings.lora_lr_multiplier),
    ]
    groups = []
    for part, multiplier in parts:
        trained = [parameter for parameter in part.parameters() if parameter.requires_grad] if part is not None else []
        if trained:
            groups.append({"params": trained, "multiplier": multiplier})
    return torch.optim.Adam(
        groups,
        lr=settings.learning_rate,
        betas=(settings.adam_beta1, settings.adam_beta2),
        weight_decay=settings.weight_decay,
        fused=True,
    )


def load_data(settings: Settings, stores: Sequence[Path]) -> TrainingSet:
    """Read and decode the training images of all sources."""
    return load_training_set(stores, height=settings.image_height, width=settings.image_width)


def load_latents(paths: Sequence[Path], stores: Sequence[Path]) -> Latents:
    """Read the cached moments of all sources, in the order of their training images."""
    if len(paths) != len(stores):
        raise ValueError(
            f"{len(paths)} files of latents for {len(stores)} sources; give --latents once for every --store"
        )
    parts = [load_moments(path, store=store) for path, store in zip(paths, stores, strict=True)]
    scales = {scale for _, scale in parts}
    if len(scales) != 1:
        raise ValueError(
            f"the latents come from different autoencoders (scaling factors {sorted(scales)}); make them again"
        )
    stacked = {split: torch.cat([moments[split] for moments, _ in parts]) for split in ("train", "query")}
    return Latents(stacked["train"], stacked["query"], scales.pop())


def load_held_out(settings: Settings, stores: Sequence[Path], latents: Latents, num_steps: int, seed: int) -> HeldOut:
    """Take evenly spaced query images of the sources: their people are never trained on."""
    rows = [row for path in stores for row in read_split(path, "query")["data"]]
    chosen = np.unique(np.linspace(0, len(rows) - 1, settings.diagnostic_images).round().astype(int))
    images = decode([rows[i] for i in chosen], height=settings.image_height, width=settings.image_width)
    generator = torch_generator(seed, "held-out")
    moments = latents.query[torch.from_numpy(chosen)]
    shape = (len(chosen), moments.shape[1] // 2, *moments.shape[2:])
    batch = DiffusionBatch(
        latents=sample(moments, torch.randn(shape, generator=generator), latents.scaling_factor),
        noise=torch.randn(shape, generator=generator),
        steps=torch.randint(0, num_steps, (len(chosen),), generator=generator),
    )
    return HeldOut(test_view(torch.from_numpy(images), settings), batch)
