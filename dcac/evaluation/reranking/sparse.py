"""Rows of few values: what k-reciprocal re-ranking stores instead of an N x N matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Row = tuple[NDArray[np.int32], NDArray[np.float64]]  # ascending columns, their values


@dataclass(frozen=True)
class SparseRows:
    """A matrix [N, M] by its non-zero values."""

    start: NDArray[np.int64]  # [N + 1] where each row begins
    columns: NDArray[np.int32]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "SparseRows":
        """Collect rows."""
        start = np.cumsum([0, *(len(columns) for columns, _ in rows)])
        return cls(
            start,
            np.concatenate([columns for columns, _ in rows]).astype(np.int32),
            np.concatenate([values for _, values in rows]),
        )

    def __len__(self) -> int:
        return len(self.start) - 1

    def row(self, index: int) -> Row:
        """Return one row."""
        place = slice(self.start[index], self.start[index + 1])
        return self.columns[place], self.values[place]

    def transposed(self, rows: slice) -> "SparseRows":
        """Return a band of rows as columns: for each former column the rows (from 0) that use it."""
        first, last, _ = rows.indices(len(self))
        place = slice(self.start[first], self.start[last])
        columns = self.columns[place]
        order = np.argsort(columns, kind="stable")
        owners = np.repeat(np.arange(last - first, dtype=np.int32), np.diff(self.start[first : last + 1]))
        start = np.searchsorted(columns[order], np.arange(len(self) + 1))
        return SparseRows(start, owners[order], self.values[place][order])


def add_rows(matrix: SparseRows, chosen: NDArray[np.integer], *, scale: float) -> Row:
    """Add some rows and multiply the sum."""
    rows = [matrix.row(index) for index in chosen]
    columns, place = np.unique(np.concatenate([columns for columns, _ in rows]), return_inverse=True)
    return columns, _sums(place, np.concatenate([values for _, values in rows])) * scale


def overlap(row: Row, columns: SparseRows, *, length: int) -> NDArray[np.float64]:
    """Sum the element-wise minimum of a row with every row of a transposed band.

    Args:
        row: of the same width as the band.
        columns: the band, transposed.
        length: rows of the band.
    """
    own, values = row
    begin, sizes = columns.start[own], np.diff(columns.start)[own]
    ends = np.cumsum(sizes)
    place = np.arange(ends[-1]) + np.repeat(begin - (ends - sizes), sizes)
    smaller = np.minimum(np.repeat(values, sizes), columns.values[place])
    return _sums(columns.columns[place], smaller, length)


def _sums(place: NDArray[np.integer], weights: NDArray[np.float64], length: int = 0) -> NDArray[np.float64]:
    return np.bincount(place, weights=weights, minlength=length)  # type: ignore[return-value]  # stubs: always integers
