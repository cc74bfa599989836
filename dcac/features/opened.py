"""A finished run, opened in one way for all that look at it: its own settings, its report and its Re-ID model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dcac.model.encoder import ReIDModel, load_backbone, resolve_normalisation
from dcac.provenance.runs import read_report, require_own_weights
from dcac.reading import naming_damage, open_tensors
from dcac.settings import Settings, load_settings, parse_settings


@dataclass(frozen=True)
class OpenRun:
    """A finished run, ready to embed images."""

    folder: Path
    settings: Settings  # its own, with the normalisation in numbers
    report: Mapping[str, Any]  # content of run.json
    reid: ReIDModel  # in eval mode: BNNeck uses its running statistics
    device: str


def open_run(folder: Path, config: Path | None, *, encoder: Path, device: str) -> OpenRun:
    """Open a finished run.

    Args:
        config: merged settings, which must be those of the run; None: those in its report.
        encoder: folder of the pre-trained encoder, for its architecture.

    Raises:
        ValueError: the run is not finished, is damaged, or was trained with other settings; its weights are not its own.
    """
    report = require_own_weights(folder)
    own = (
        parse_settings(report["settings"], f"{folder}/run.json")
        if config is None
        else load_own_settings(folder, config)
    )
    settings = resolve_normalisation(own, encoder)
    with torch.random.fork_rng(devices=[]):  # building a network draws weights, from a caller's generator
        reid = load_reid_model(folder / "weights.safetensors", encoder, settings)
    return OpenRun(folder, settings, report, reid.to(device), device)


def load_own_settings(run_folder: Path, config: Path) -> Settings:
    """Read merged settings that must be those the run was trained with.

    Raises:
        ValueError: a setting differs from that in the run's report.
    """
    settings = load_settings(config)
    asked, own = settings.trained() | settings.tested(), read_report(run_folder)["settings"]
    differing = [key for key in asked if key not in own or asked[key] != own[key]]
    if differing:
        key = differing[0]
        raise ValueError(
            f"{run_folder} was trained with {key} {own.get(key)!r}, {config} says {asked[key]!r}; give the settings of the run"
        )
    return settings


def load_reid_model(weights: Path, encoder: Path, settings: Settings) -> ReIDModel:
    """Load encoder, BNNeck and classifier of a trained run, in eval mode."""
    backbone, dim = load_backbone(encoder, height=settings.image_height, width=settings.image_width)
    remedy = f"delete {weights.parent} and train the run again"
    with open_tensors(weights, remedy=remedy) as archive:
        state = {
            name.removeprefix("reid."): archive.get_tensor(name) for name in archive.keys() if name.startswith("reid.")
        }
    with naming_damage(weights, remedy, also=(RuntimeError,)):
        model = ReIDModel(backbone, dim, len(state["classifier.weight"]))
        model.load_state_dict(state)
    return model.eval()
