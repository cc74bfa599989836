"""DCAC: a latent diffusion prior, conditioned on what the Re-ID model sees, sends its denoising loss back into the features.

Source:
    Li and Gong, Sensors 2025, 25(2), 552; method.md section 3.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dcac.methods.dcac.noise import NOISE
from dcac.methods.method import Method

if TYPE_CHECKING:
    from dcac.methods.trained import TrainedModel
    from dcac.model.encoder import ReIDModel
    from dcac.settings import Settings


def covers(settings: "Settings") -> bool:
    """Tell whether a run is one of DCAC."""
    return settings.method == "dcac" and settings.diffusion != "none"


def build(
    reid: "ReIDModel", settings: "Settings", *, identities: int, width: int, networks: Mapping[str, Path], seed: int
) -> "TrainedModel":
    """Build prompts and prior around the Re-ID model."""
    from dcac.methods.dcac.model import start

    return start(reid, settings, identities=identities, width=width, prior=networks.get("prior"), seed=seed)


def facts(settings: "Settings") -> str:
    """Say which prior, how it trains and under which condition."""
    return f"diffusion prior: {settings.diffusion_weights}, mode {settings.diffusion}, condition {settings.condition}"


DCAC = Method(
    "dcac",
    covers,
    build,
    facts,
    needs={"latents": "diffusion_weights", "prior": "diffusion_weights"},
    terms=(NOISE,),
    reports={
        "p_max": "mean max p",
        "p_entropy": "entropy of p (nats)",
        "noise_own": "noise loss, own",
        "noise_null": "noise loss, null",
        "noise_other": "noise loss, other",
        "noise_null_low": "null − own, low",
        "noise_null_high": "null − own, high",
        "noise_other_low": "other − null, low",
        "noise_other_high": "other − null, high",
    },
    conditioned=True,
)
