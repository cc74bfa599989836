"""The pictures of a data set at one size: decoded once, mapped by every process that trains or tests on them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL
from PIL import features

from dcac.data.images import decode
from dcac.data.store import iter_split, read_sidecar, read_split
from dcac.provenance.code import digest, statement
from dcac.provenance.shared import Wanted, shared_array


class View(NamedTuple):
    """How pictures are seen; see `decode`."""

    height: int
    width: int
    resize: str


class Pictures:
    """Images of several arrays as if they stood in one; they are read when rows are asked for."""

    def __init__(self, parts: Sequence[np.ndarray], places: np.ndarray):
        """Take arrays uint8 [M_i, 3, H, W], and int64 [M] places in their concatenation, in the order of the rows."""
        self._parts, self._places = tuple(parts), places
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: int | np.ndarray | slice) -> np.ndarray:
        """Copy rows into an array of their own: uint8 [B, 3, H, W], of a single row [3, H, W]."""
        places = self._places[rows]
        if np.ndim(places) == 0:
            return self[np.array([rows])][0]
        out = np.empty((len(places), *self._parts[0].shape[1:]), dtype=np.uint8)
        for part, start in zip(self._parts, self._starts, strict=False):
            own = np.flatnonzero((places >= start) & (places < start + len(part)))
            out[own] = part[places[own] - start]
        return out

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Copy all rows."""
        return self[:].astype(dtype or np.uint8, copy=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """M, 3, H, W."""
        return (len(self), *self._parts[0].shape[1:])

    def rows(self, chosen: np.ndarray | slice) -> "Pictures":
        """Choose rows without reading them."""
        return Pictures(self._parts, self._places[chosen])


def decoded(store: Path, split: str, view: View) -> np.ndarray:
    """Return all pictures of a split, in the order of the file: uint8 [M, 3, H, W], shared with other processes.

    Args:
        store: normalised file; below a folder `results` its pictures are cached there, in `.cache`.
    """
    depends_on = {
        "store": read_sidecar(store)["sha256"],
        "split": split,
        "view": view._asdict(),
        "decoder": digest(statement("dcac.data.images", "decode")),
        "pillow": [PIL.__version__, features.version("jpg"), features.version("zlib")],
    }
    name = f"{store.stem}-{split}-{view.height}x{view.width}-{view.resize}"
    shape = (len(read_split(store, split, images=False)), 3, view.height, view.width)

    def pieces() -> Iterator[np.ndarray]:
        for rows in iter_split(store, split):
            yield decode(list(rows["data"]), **view._asdict())

    return shared_array(Wanted(name, depends_on, shape, pieces), near=store)
