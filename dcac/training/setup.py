"""Build the model, its optimiser and its data from files and settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dcac import declared
from dcac.data.images import decode
from dcac.data.store import read_split, stored_splits
from dcac.data.training_set import TrainingSet, learnt_splits, load_training_set, training_rows
from dcac.data.views import test_view
from dcac.methods import method_of
from dcac.methods.trained import HeldOut, TrainedModel
from dcac.model import as_released
from dcac.model.encoder import BNNECK_MOMENTUM, ReIDModel, load_backbone
from dcac.model.latents import draw, load_moments
from dcac.seeding import torch_generator
from dcac.settings import Settings
from dcac.training.inputs import Inputs


@dataclass(frozen=True)
class Latents:
    """Cached posterior moments of the training images, in their order, and of the held-out ones."""

    train: Tensor  # [M, 2 C, h, w]
    query: Tensor | None  # [H, 2 C, h, w]; None where nothing is held out
    scaling_factor: float


def build_model(settings: Settings, inputs: Inputs, *, num_identities: int, seed: int) -> TrainedModel:
    """Build the Re-ID model and what the run's method trains beside it.

    Every part draws its initial weights from a generator of its own, so that the Re-ID model starts alike in all methods.
    """
    backbone, dim = load_backbone(
        inputs.encoder,
        height=settings.image_height,
        width=settings.image_width,
        freeze_patches=settings.freeze_patch_projection,
    )
    reid = ReIDModel(backbone, dim, num_identities)
    reid.bnneck.momentum = as_released.bnneck_momentum(BNNECK_MOMENTUM, settings)
    reid.initialise_classifier(settings.classifier_std, torch_generator(seed, "classifier"))
    networks = {name: folder for name, folder in inputs.networks(settings).items() if name != "encoder"}
    absent = [name for name in declared.networks(settings) if name not in networks and name != "prior"]
    if absent:
        raise ValueError(
            f"method '{settings.method}' needs the network '{absent[0]}', which is not given; add --network {absent[0]}=FOLDER"
        )
    return method_of(settings).build(reid, settings, identities=num_identities, width=dim, networks=networks, seed=seed)


def build_optimiser(model: TrainedModel, settings: Settings) -> torch.optim.Optimizer:
    """Adam or SGD with L2 decay on everything that trains, each part at its multiple of the learning rate."""
    groups = []
    for part, multiplier in model.rated(settings):
        trained = [parameter for parameter in part.parameters() if parameter.requires_grad]
        if trained:
            groups.append({"params": trained, "multiplier": multiplier})
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=settings.sgd_momentum, weight_decay=decay, fused=True)
    betas = (settings.adam_beta1, settings.adam_beta2)
    return torch.optim.Adam(groups, lr=rate, betas=betas, weight_decay=decay, fused=True)


def load_data(settings: Settings, stores: Sequence[Path]) -> TrainingSet:
    """Read and decode the training images of all sources."""
    size = {"height": settings.image_height, "width": settings.image_width}
    return load_training_set(stores, train_splits=settings.train_splits, **size)


def load_latents(settings: Settings, inputs: Inputs) -> Latents:
    """Read the cached moments of all sources, in the order of their training images."""
    if len(inputs.latents) != len(inputs.stores):
        raise ValueError(
            f"{len(inputs.latents)} files of latents for {len(inputs.stores)} sources; give --latents once for every --store"
        )
    train, query = [], []
    for path, store in zip(inputs.latents, inputs.stores, strict=True):
        learnt = learnt_splits(store, settings.train_splits)
        held_out = held_out_splits(store, settings)
        moments, scaling_factor = load_moments(
            path, (*learnt, *held_out), store=store, prior=inputs.prior, size=settings.diffusion_image_size
        )
        rows = torch.tensor(training_rows(store, settings.train_splits, images=False).index.to_numpy())
        train.append(torch.cat([moments[split] for split in learnt])[rows])
        query += [moments[split] for split in held_out]
    return Latents(torch.cat(train), torch.cat(query) if query else None, scaling_factor)


def held_out_splits(store: Path, settings: Settings) -> tuple[str, ...]:
    """Name the split of a source whose people a run never sees: query, unless it has none or the run learns from it."""
    return ("query",) if settings.train_splits == "train" and "query" in stored_splits(store) else ()


def load_held_out(
    settings: Settings, stores: Sequence[Path], latents: Latents, num_steps: int, seed: int
) -> HeldOut | None:
    """Take evenly spaced query images of the sources: their people are never trained on.

    Returns:
        None where nothing is held out: with `train_splits: all` the query images are trained on, and CUHK-SYSU has none.
    """
    if latents.query is None:
        return None
    rows = [
        row for path in stores for split in held_out_splits(path, settings) for row in read_split(path, split)["data"]
    ]
    chosen = np.unique(np.linspace(0, len(rows) - 1, settings.diagnostic_images).round().astype(int))
    images = decode([rows[i] for i in chosen], height=settings.image_height, width=settings.image_width)
    generator = torch_generator(seed, "held-out")
    moments = latents.query[torch.from_numpy(chosen)]
    draws = tuple(draw(moments, latents.scaling_factor, num_steps, generator) for _ in range(settings.diagnostic_draws))
    return HeldOut(test_view(torch.from_numpy(images), settings), draws)
