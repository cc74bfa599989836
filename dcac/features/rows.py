"""Join features with the labels and the version of the normalised file that they came from."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from dcac.data.store import read_manifest
from dcac.features.feature_file import write_features
from dcac.provenance import write_json
from dcac.provenance.keep import keep
from dcac.provenance.record import KEY, Asked, sidecar_of


def describe(store: Path) -> dict[str, object]:
    """Name the target and the version of its normalised file, as they travel into every result made from it."""
    sidecar = read_manifest(store)
    version = {key: sidecar.get(key) for key in ("dataset", "version", "variant", "standard", "sha256")}
    return {"target": store.stem, "data": version}


def feature_names(store: Path) -> list[str]:
    """Name the feature file of a target, and its sidecar."""
    file = Path(f"{store.stem}.npz")
    return [file.name, sidecar_of(file).name]


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
