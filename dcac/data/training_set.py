"""The training images of one or several sources, with dense labels that never merge two people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dcac.data.images import decode
from dcac.data.store import read_split


@dataclass(frozen=True)
class TrainingSet:
    """Images decoded once, and their labels."""

    images: np.ndarray  # uint8 [M, 3, H, W]
    labels: np.ndarray  # int64 [M], dense 0..N-1
    keys: tuple[str, ...]  # N names "data set/pid", the label is the index

    @property
    def num_identities(self) -> int:
        """N, the number of training identities."""
        return len(self.keys)


def identity_labels(domains: Sequence[str], pids: Sequence[int]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Give each (data set, pid) pair a dense label, in sorted order.

    Returns:
        labels int64 [M], and the N keys "data set/pid" in label order.
    """
    pairs = list(zip(domains, (int(pid) for pid in pids), strict=True))
    ordered = sorted(set(pairs))
    index = {pair: label for label, pair in enumerate(ordered)}
    labels = np.array([index[pair] for pair in pairs], dtype=np.int64)
    return labels, tuple(f"{domain}/{pid}" for domain, pid in ordered)


def load_training_set(stores: Sequence[Path], *, height: int, width: int) -> TrainingSet:
    """Read, decode and label the train splits of the given normalised files, in the given order."""
    rows = pd.concat([read_split(path, "train") for path in stores], ignore_index=True)
    labels, keys = identity_labels(rows["domain"], rows["pid"])
    return TrainingSet(decode(rows["data"], height=height, width=width), labels, keys)
