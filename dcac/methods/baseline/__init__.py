"""The baseline: the Re-ID model with the losses that every method has, and nothing beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dcac.methods.dcac.keys import OF_THE_PRIOR
from dcac.methods.method import Method

if TYPE_CHECKING:
    from dcac.methods.trained import TrainedModel
    from dcac.model.encoder import ReIDModel
    from dcac.settings import Settings


def covers(settings: "Settings") -> bool:
    """Tell whether a run is one of the baseline: by name, or as DCAC without diffusion."""
    return settings.method == "baseline" or (settings.method == "dcac" and settings.diffusion == "none")


def build(
    reid: "ReIDModel", settings: "Settings", *, identities: int, width: int, networks: Mapping[str, Path], seed: int
) -> "TrainedModel":
    """Build it around the Re-ID model."""
    from dcac.methods.trained import TrainedModel

    return TrainedModel(reid, settings)


def facts(settings: "Settings") -> str:
    """Say that there is no prior."""
    return "diffusion prior: none: this is a baseline"


BASELINE = Method("baseline", covers, build, facts, ignores=OF_THE_PRIOR)
