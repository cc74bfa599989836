"""Join features with the labels and the version of the normalised file that they came from."""

from pathlib import Path

import numpy as np
import pandas as pd

from dcac.data.store import read_manifest
from dcac.features.feature_file import write_features


def describe(store: Path) -> dict[str, object]:
    """Name the target and the version of its normalised file, as they travel into every result made from it."""
    sidecar = read_manifest(store)
    version = {key: sidecar.get(key) for key in ("dataset", "version", "variant", "standard", "sha256")}
    return {"target": store.stem, "data": version}


def write_rows(out: Path, features: np.ndarray, rows: pd.DataFrame, meta: dict) -> None:
    """Write features beside the labels of the rows they came from."""
    write_features(
        out,
        features=features,
        pids=rows["pid"].to_numpy(),
        camids=rows["camid"].to_numpy(),
        split=rows["split"].to_numpy(),
        paths=rows["path"].to_numpy(),
        meta=meta,
    )
