"""Checks of what a ranking is computed from: each error names the row or the field, and the remedy."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROWS_AT_A_TIME = 4096  # rows converted to float64 at once, so that a check needs little memory


def checked_features(features: ArrayLike, name: str) -> tuple[NDArray, NDArray[np.float64]]:
    """Return finite features as a NumPy array [N, D] with the squared length of every row [N].

    Args:
        features: [N, D] floats or integers of any precision, as an array, a memory map or a torch tensor.
        name: what an error calls them.
    """
    array = _as_numpy(features)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} has dtype {array.dtype}: give floating point numbers")
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}: give a table [rows, feature size]")
    if 0 in array.shape:
        raise ValueError(f"{name} is empty (shape {array.shape}): give at least one row and one column")
    return array, _squared_lengths(array, name)


def checked_ids(ids: ArrayLike, name: str, *, rows: int) -> NDArray[np.int64]:
    """Return identities or cameras as int64 [rows]."""
    array = _as_numpy(ids)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} has dtype {array.dtype}: give integers that fit 64 bits")
    if array.shape != (rows,):
        raise ValueError(f"{name} has shape {array.shape}, but there are {rows} rows of features: give one a row")
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        row = int(np.argmax(array))
        raise ValueError(f"{name} row {row} is {array[row]}, above the largest int64: number the identities anew")
    return array.astype(np.int64)


def checked_pids(pids: ArrayLike, name: str, *, rows: int) -> NDArray[np.int64]:
    """Return identities as int64 [rows], none of them junk (-1)."""
    array = checked_ids(pids, name, rows=rows)
    if array.size and array.min() < 0:
        row = int(np.flatnonzero(array < 0)[0])
        raise ValueError(f"{name} row {row} is {array[row]}: remove junk images (pid below 0) before scoring")
    return array


def checked_max_rank(max_rank: int) -> int:
    """Return the length of the CMC curve, at least 1."""
    if isinstance(max_rank, bool) or not isinstance(max_rank, (int, np.integer)) or max_rank < 1:
        raise ValueError(f"max_rank is {max_rank!r}: give a whole number of at least 1")
    return int(max_rank)


def _as_numpy(values: Any) -> NDArray:
    if hasattr(values, "detach"):  # a torch tensor; bfloat16 has no NumPy type and fits float32 exactly
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values
    return np.asarray(values)


def _squared_lengths(features: NDArray, name: str) -> NDArray[np.float64]:
    """Sum the squares of every row in float64, in NumPy's pairwise order, and refuse what is not finite."""
    lengths = np.empty(len(features))
    for start in range(0, len(features), ROWS_AT_A_TIME):
        block = features[start : start + ROWS_AT_A_TIME].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            lengths[start : start + len(block)] = (block * block).sum(axis=1)
    bad = np.flatnonzero(~np.isfinite(lengths))
    if bad.size:
        row = int(bad[0])
        values = features[row]
        found = "NaN" if np.isnan(values).any() else "an infinity" if np.isinf(values).any() else "values above 1e150"
        raise ValueError(f"{name} row {row} holds {found} ({bad.size} such rows): extract the features again")
    return lengths
