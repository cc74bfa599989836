"""Join features with the labels and the version of the normalised file that they came from."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dcac.data.store import read_sidecar, store_input, verified
from dcac.features.feature_file import write_features
from dcac.provenance import write_json
from dcac.provenance.keep import keep, put_back
from dcac.provenance.record import KEY, Asked, Input, ask, sidecar_of


def describe(store: Path) -> dict[str, object]:
    """Name the target and the version of its normalised file, as they travel into every result made from it."""
    sidecar = read_sidecar(store)
    version = {key: sidecar.get(key) for key in ("dataset", "version", "variant", "standard", "sha256")}
    return {"target": store.stem, "data": version}


def feature_names(store: Path) -> list[str]:
    """Name the feature file of a target, and its sidecar."""
    file = Path(f"{store.stem}.npz")
    return [file.name, sidecar_of(file).name]


def due_targets(
    step: str, settings: Mapping[str, object], inputs: Mapping[str, Input], stores: Sequence[Path], out: Path
) -> dict[Path, Asked]:
    """Say what is asked of each target, put back what was made before, and verify the files of the others.

    Args:
        step: full name of the step's module.
        inputs: what goes in beside the target.

    Returns:
        The targets whose features remain to be made, with what is asked.
    """
    asked = {store: ask(step, settings, {**inputs, "data": store_input(store)}) for store in stores}
    due = {store: asked[store] for store in stores if not put_back(asked[store], out, feature_names(store))}
    for store in due:
        verified(store)
    return due


def write_rows(out: Path, features: np.ndarray, rows: pd.DataFrame, meta: dict, asked: Asked) -> None:
    """Write features beside the labels of the rows they came from, with a sidecar, and keep both."""
    features = np.ascontiguousarray(features, dtype=np.float32)
    write_features(
        out,
        features=features,
        pids=rows["pid"].to_numpy(),
        camids=rows["camid"].to_numpy(),
        split=rows["split"].to_numpy(),
        paths=rows["path"].to_numpy(),
        meta=meta,
    )
    sidecar = sidecar_of(out)
    meaning = hashlib.sha256(f"{rows[['split', 'path', 'pid', 'camid']].to_csv()}".encode() + features.tobytes())
    write_json(sidecar, {"features": list(features.shape), KEY: asked.record(meaning=meaning.hexdigest())})
    keep(asked, out.parent, [out.name, sidecar.name])
