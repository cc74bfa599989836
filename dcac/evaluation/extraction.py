"""The place of `dcac.features.extract` and of `embed_pictures` before version 0.3.0, for scripts of others."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcac.features.extract import *  # noqa: F403
from dcac.features.opened import *  # noqa: F403


def embed_pictures(
    pictures: Sequence[Path], *, run_folder: Path, config: Path, encoder: Path, device: str
) -> np.ndarray:
    """Embed image files with a trained run: float32 [Q, D], unit rows; today `dcac.load(run).embed(pictures)` does it.

    Raises:
        ValueError: the settings are not the run's, or a picture cannot be used; the message names it.
    """
    from dcac.features.opened import load_own_settings
    from dcac.networks.load import load

    load_own_settings(run_folder, config)
    return load(run_folder, encoder=encoder, device=device).embed(pictures)
