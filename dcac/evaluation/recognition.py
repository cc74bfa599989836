"""Which data set a feature file shows: VIPeR, PRID, GRID and i-LIDS are ranked on their shipped splits, others whole."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcac.data.splits import NUM_SPLITS, PEOPLE
from dcac.data.store import read_sidecar, read_split
from dcac.features.feature_file import SPLITS, FeatureFile

OTHER = "other"  # the user's word for a data set without shipped splits


@dataclass(frozen=True)
class Shown:
    """The data set of a feature file.

    Args:
        code: of the data set; None is not known.
        known_by: `meta`, `store`, `option`, or `nothing`.
    """

    code: str | None
    known_by: str

    def protocol(self) -> dict[str, str | None]:
        """Say for the record how the target is ranked, and how that was decided."""
        ranked = f"mean over {NUM_SPLITS} shipped splits" if self.code in PEOPLE else "one ranking"
        return {"data_set": self.code, "known_by": self.known_by, "ranked": ranked}


def recognise(file: FeatureFile, path: Path, *, dataset: str | None = None, store: Path | None = None) -> Shown:
    """Find out which data set a feature file shows.

    Args:
        path: of the file, for messages.
        dataset: its code as the user says it, or `other`.
        store: the target's normalised file, whose query and gallery images must be those of the feature file.

    Raises:
        ValueError: what is said of the data set disagrees, or nothing is said and the file has as many people as a
            target with shipped splits.
    """
    if dataset not in (None, OTHER, *PEOPLE):
        raise ValueError(f"{dataset!r} has no shipped splits; give {', '.join(PEOPLE)}, or {OTHER} for one ranking")
    said = {
        "meta": _named(file),
        "store": _of_store(file, path, store) if store is not None else None,
        "option": dataset,
    }
    known = {by: code for by, code in said.items() if code is not None}
    for by, code in known.items():
        first, one = next(iter(known.items()))
        if code != one and not (code == OTHER and one not in PEOPLE):
            raise ValueError(f"{path} shows {one} by its {first}, {code} by the {by}; correct one of them")
    if known:
        by, code = next(iter(known.items()))
        return Shown(None if code == OTHER else code, by)
    like = [code for code, (people, _) in PEOPLE.items() if people == _people(file)]
    if like:
        raise ValueError(
            f"{path} names no data set and has {_people(file)} people in query and gallery, as {like[0]} has, whose scores "
            f"are means over {NUM_SPLITS} splits; say --dataset {like[0]}, or --dataset {OTHER} for one ranking"
        )
    return Shown(None, "nothing")


def require_same(other: FeatureFile, against: Path, shown: Shown) -> None:
    """Refuse to compare with features of another data set, as far as both are known.

    Raises:
        ValueError: the other file names another data set.
    """
    code = _named(other)
    if code is not None and code != shown.code and (shown.code is not None or code in PEOPLE):
        raise ValueError(
            f"{against} shows {code}, the other file {shown.code or OTHER}: compare runs on the same target"
        )


def _named(file: FeatureFile) -> str | None:
    data = file.meta.get("data")
    code = data.get("dataset") if isinstance(data, dict) else None
    return str(code) if code else None


def _people(file: FeatureFile) -> int:
    return len(np.intersect1d(file.query.pids, file.gallery.pids))


def _of_store(file: FeatureFile, path: Path, store: Path) -> str:
    """Return the data set of a normalised file that holds the very images of the feature file."""
    rows = read_split(store, SPLITS, images=False)
    stored = Counter(zip(rows["split"], map(_base, rows["path"]), rows["pid"], rows["camid"], strict=True))
    shown = Counter(
        (split, _base(name), int(pid), int(camid))
        for split, part in zip(SPLITS, (file.query, file.gallery), strict=True)
        for name, pid, camid in zip(part.paths, part.pids, part.camids, strict=True)
    )
    if stored != shown:
        split, name, pid, camid = min((stored - shown) or (shown - stored))
        where, lacking = (store, path) if stored - shown else (path, store)
        raise ValueError(
            f"{path} does not show the images of {store}: {split} image {name!r} of pid {pid} and camid {camid} of {where} "
            f"is not in {lacking}; give the features of all its images, with the file's own names, pids and camids"
        )
    return str(read_sidecar(store).get("dataset"))


def _base(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]
