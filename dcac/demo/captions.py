"""The captions of a normalised file, where it has any."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor


def captions_of(rows: pd.DataFrame, store: Path) -> Tensor:
    """Return the captions of rows as float32 [M, A]; A is 0 where the set has none.

    Args:
        store: the file that the rows come from, for messages.

    Raises:
        ValueError: some rows have no caption, captions are of several lengths, or a number is none.
    """
    told = [caption for caption in rows.get("caption", ()) if caption is not None and len(caption)]
    if not told:
        return torch.zeros(len(rows), 0)
    lengths = sorted({len(caption) for caption in told})
    if len(told) < len(rows) or len(lengths) > 1:
        raise ValueError(
            f"{store} has captions of {' and '.join(map(str, lengths))} attributes for {len(told)} of {len(rows)} images; "
            "give each image one, of equal length, or none at all"
        )
    captions = np.array(told, dtype=np.float32)
    if not np.isfinite(captions).all():
        raise ValueError(f"{store} has captions that are no finite numbers; write shares in 0..1")
    return torch.from_numpy(captions)
