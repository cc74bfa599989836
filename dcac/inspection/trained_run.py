"""A finished run looked at with its own training images: its Re-ID model, its memory, and files that say whose they are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dcac.data.store import store_input
from dcac.data.training_set import TrainingSet
from dcac.features.extract import embed
from dcac.features.opened import OpenRun, open_run
from dcac.model.latents import latents_input
from dcac.provenance import atomic, environment
from dcac.provenance.code import digest
from dcac.provenance.networks import network_input
from dcac.provenance.record import Asked, Input, sidecar_of, write_record
from dcac.provenance.runs import run_input
from dcac.training import memory
from dcac.training.setup import load_data


@dataclass(frozen=True)
class TrainedRun(OpenRun):
    """A finished run and the images it learnt from."""

    data: TrainingSet

    def encode(self, rows: np.ndarray | slice) -> Tensor:
        """Encode training images in the test view: f float32 [B, D]."""
        images = self.data.images.rows(rows)
        feature = embed(
            lambda batch: self.reid.backbone(batch).float(), images, settings=self.settings, device=self.device
        )
        return torch.from_numpy(feature).to(self.device)

    @torch.no_grad()
    def prototypes(self, feature: Tensor) -> Tensor:
        """Build the memory M [N, D] anew from f [M, D] of the whole training set, as it is when an epoch starts."""
        labels = torch.from_numpy(self.data.labels).to(self.device)
        directions = F.normalize(self.reid.bnneck(feature), dim=1)  # head() would make scores [M, N] too
        return memory.build(directions, labels, self.data.num_identities)


def open_trained(run_folder: Path, config: Path, *, encoder: Path, stores: Sequence[Path], device: str) -> TrainedRun:
    """Open a finished run with its training images.

    Args:
        config: merged settings of the run.
        stores: normalised files of its sources.

    Raises:
        ValueError: the run learnt from other files than these, or with other settings.
    """
    opened = open_run(run_folder, config, encoder=encoder, device=device)
    learnt = opened.report["data"]
    given = {path.stem: store_input(path).meaning for path in stores}
    if learnt and given != learnt:  # a converted run does not know its data
        raise ValueError(
            f"{run_folder} learnt from {', '.join(learnt)}, not from these versions of "
            f"{', '.join(given)}; give the normalised files it was trained on"
        )
    data = load_data(opened.settings, stores)
    if opened.reid.classifier.out_features != data.num_identities:
        raise ValueError(
            f"{run_folder} tells {opened.reid.classifier.out_features} identities apart, the given sources hold "
            f"{data.num_identities}; give all sources of the run and no other"
        )
    return TrainedRun(**vars(opened), data=data)


def first_images(labels: np.ndarray) -> np.ndarray:
    """Return the row of each identity's first image: int64 [N], for dense labels int64 [M]."""
    return np.unique(labels, return_index=True)[1]


def inputs_of(
    run_folder: Path,
    *,
    encoder: Path,
    stores: Sequence[Path],
    prior: Path | None = None,
    latents: Sequence[Path] = (),
) -> dict[str, Input]:
    """Describe what a look into a run is made from: the run, its networks, its data and their latents."""
    inputs = {"run": run_input(run_folder), "encoder": network_input(encoder)}
    inputs |= {f"data {path.stem}": store_input(path) for path in stores}
    if prior is not None:
        inputs["prior"] = network_input(prior)
    return inputs | {f"latents {store.stem}": latents_input(path) for store, path in zip(stores, latents, strict=False)}


def write_arrays(out: Path, run: TrainedRun, *, asked: Asked, arrays: Mapping[str, object]) -> None:
    """Write named arrays of a step as a compressed .npz with the run's facts as JSON in `meta`, and its record beside it."""
    write_looked(out, run.report, asked=asked, arrays=arrays)


def write_looked(out: Path, report: Mapping[str, object], *, asked: Asked, arrays: Mapping[str, object]) -> None:
    """Write named arrays that were made of a run with this report."""
    facts = {
        "run": report["identity"],
        "seed": report["seed"],
        "settings": report["settings"],
        "code": {"train": report["code"], asked.word: digest(asked.code)},
        "environment": environment(),
    }
    plain = {name: np.asarray(values) for name, values in arrays.items()}
    with atomic(out) as temporary, temporary.open("wb") as stream:
        meta = np.asarray(json.dumps(facts, ensure_ascii=False, allow_nan=False))
        np.savez_compressed(stream, allow_pickle=False, **plain, meta=meta)
    write_record(sidecar_of(out), asked)
