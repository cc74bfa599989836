"""The training images of one or several sources, with dense labels that never merge two people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dcac.data.pictures import Pictures, View, decoded
from dcac.data.store import read_sidecar, read_split, stored_splits
from dcac.settings import TrainSplits

RESIZE = "bicubic"  # of training images; source: authors' released code


@dataclass(frozen=True)
class TrainingSet:
    """Images decoded once for all runs, and their labels."""

    images: Pictures  # M images; rows of them are uint8 [B, 3, H, W]
    labels: np.ndarray  # int64 [M], dense 0..N-1
    keys: tuple[str, ...]  # N names "data set/train/pid" or "data set/test/pid", the label is the index

    @property
    def num_identities(self) -> int:
        """N, the number of training identities."""
        return len(self.keys)


def identity_labels(
    domains: Sequence[str], splits: Sequence[str], pids: Sequence[int]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Give each person a dense label, in sorted order.

    A pid names one person within train, and one within query and gallery: test pids of MSMT17 restart at 0.

    Returns:
        labels int64 [M], and the N keys "data set/train/pid" or "data set/test/pid" in label order.
    """
    halves = ("train" if split == "train" else "test" for split in splits)
    people = list(zip(domains, halves, (int(pid) for pid in pids), strict=True))
    ordered = sorted(set(people))
    index = {person: label for label, person in enumerate(ordered)}
    labels = np.array([index[person] for person in people], dtype=np.int64)
    return labels, tuple(f"{domain}/{half}/{pid}" for domain, half, pid in ordered)


def learnt_splits(store: Path, train_splits: TrainSplits) -> tuple[str, ...]:
    """Name the splits of a source that a run learns from, in the order of the file."""
    return ("train",) if train_splits == "train" else stored_splits(store)


def training_rows(store: Path, train_splits: TrainSplits, *, images: bool = True) -> pd.DataFrame:
    """Read the rows of a source that a run learns from.

    Distractors, which share a pid but are nobody in particular (pid 0 of Market-1501), are left out.

    Args:
        store: normalised file.
        train_splits: "train", or "all" for query and gallery too.
        images: whether to read the encoded images.

    Returns:
        Rows as of `read_split`; the index counts all rows of these splits, distractors included.
    """
    rows = read_split(store, learnt_splits(store, train_splits), images=images)
    distractor = read_sidecar(store).get("distractor_pid")
    return rows if distractor is None else rows[rows["pid"] != distractor]


def load_training_set(stores: Sequence[Path], *, train_splits: TrainSplits, height: int, width: int) -> TrainingSet:
    """Decode, or map, and label what a run learns from in the given normalised files, in the given order."""
    view = View(height, width, RESIZE)
    parts, places, rows, start = [], [], [], 0
    for path in stores:
        learnt = training_rows(path, train_splits, images=False)
        arrays = [decoded(path, split, view) for split in learnt_splits(path, train_splits)]
        places.append(start + learnt.index.to_numpy())
        start += sum(map(len, arrays))
        parts += arrays
        rows.append(learnt)
    told = pd.concat(rows, ignore_index=True)
    labels, keys = identity_labels(told["domain"], told["split"], told["pid"])
    return TrainingSet(Pictures(parts, np.concatenate(places)), labels, keys)
