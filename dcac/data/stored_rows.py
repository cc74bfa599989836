"""The rows of a normalised file, whoever wrote its Parquet: columns and order are checked, rows chosen by their split."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas
    import pyarrow
    from pyarrow import parquet

SPLITS = ("train", "query", "gallery")
LABELS = {"pid": "int32", "camid": "int16"}  # and the type to which others are cast
TEXTS = ("split", "domain")
WANTED = {
    "image": "a struct of bytes and path",
    "image.bytes": "binary",
    "image.path": "string",
    "caption": "a list of floats",
}
WANTED |= dict.fromkeys(TEXTS, "string") | LABELS
BUFFER = 1 << 20  # bytes read at a time, so that a file in one row group is streamed too
REMEDY = "it is no normalised file of this project; import the data set again, or write the file as docs/datasets.md section 4.3 says"


class ForeignStore(ValueError):
    """A Parquet file that is not as a normalised file must be; the message names the file, the fault and the remedy."""

    def __init__(self, path: Path, fault: str):
        super().__init__(f"{path} {fault}; {REMEDY}")


@contextmanager
def open_store(path: Path) -> "Iterator[parquet.ParquetFile]":
    """Open a normalised file, its columns checked.

    Raises:
        ForeignStore: it is no Parquet file, is damaged, or lacks a column or has one of another type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise ValueError(f"{path} does not exist; import the data set, or correct the path")
    try:
        with pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as file:
            _check_columns(file.schema_arrow, path)
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ForeignStore(path, f"is no readable Parquet file, or damaged ({reason})") from None


def split_ranges(file: "parquet.ParquetFile", path: Path) -> dict[str, range]:
    """Return the rows of each split, in the order of the file, by their column `split` and not by the file's layout.

    Raises:
        ForeignStore: a split is unknown, or the splits do not follow each other as train, query, gallery.
    """
    column = file.read(columns=["split"]).column("split").combine_chunks()
    if column.null_count:
        raise ForeignStore(path, "has rows without a split")
    values = column.to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]]) if len(values) else np.array([], dtype=np.int64)
    names = [str(values[start]) for start in starts]
    unknown = sorted(set(names) - set(SPLITS))
    if unknown:
        raise ForeignStore(path, f"has the split {unknown[0]!r}, not one of {', '.join(SPLITS)}")
    if names != sorted(set(names), key=SPLITS.index):
        raise ForeignStore(path, "is not sorted by split (train, query, gallery)")
    ends = [*starts[1:], len(values)]
    return {name: range(int(start), int(end)) for name, start, end in zip(names, starts, ends, strict=True)}


def iter_rows(
    file: "parquet.ParquetFile", path: Path, rows: range, *, images: bool, most: int
) -> "Iterator[pandas.DataFrame]":
    """Yield a range of rows in frames of at most `most`, reading only the row groups that hold them.

    Raises:
        ForeignStore: a cell is empty, a label does not fit its type, or paths are not sorted, each once.
    """
    before: str | None = None
    start = 0
    for group in range(file.num_row_groups):
        end = start + file.metadata.row_group(group).num_rows
        wanted = range(max(start, rows.start), min(end, rows.stop))
        if wanted:
            for batch in _batches(
                file, group, range(wanted.start - start, wanted.stop - start), images=images, most=most
            ):
                frame = _frame(batch, path, images=images)
                before = _check_order(frame["path"], before, path)
                yield frame
        start = end


def iter_group(file: "parquet.ParquetFile", path: Path, group: int, *, most: int) -> "Iterator[pandas.DataFrame]":
    """Yield one row group with its images, in frames of at most `most` rows, in whatever order they are."""
    rows = range(file.metadata.row_group(group).num_rows)
    for batch in _batches(file, group, rows, images=True, most=most):
        yield _frame(batch, path, images=True)


def _batches(
    file: "parquet.ParquetFile", group: int, rows: range, *, images: bool, most: int
) -> "Iterator[pyarrow.RecordBatch]":
    columns = ["image.path", *TEXTS, *LABELS] + ["image.bytes"] * images
    columns += ["caption"] * ("caption" in file.schema_arrow.names)
    start = 0
    for batch in file.iter_batches(batch_size=most, row_groups=[group], columns=columns):
        first, last = max(rows.start - start, 0), min(rows.stop - start, len(batch))
        if first < last:
            yield batch.slice(first, last - first)
        start += len(batch)
        if start >= rows.stop:
            return


def _frame(batch: "pyarrow.RecordBatch", path: Path, *, images: bool) -> "pandas.DataFrame":
    import pandas as pd
    import pyarrow as pa

    image = batch.column("image")
    columns = {"image": image, "image.path": image.field("path")}
    columns |= {"image.bytes": image.field("bytes")} if images else {}
    columns |= {name: batch.column(name) for name in (*TEXTS, *LABELS)}
    for name, column in columns.items():
        if column.null_count:
            raise ForeignStore(path, f"has rows without a value of {name}")
    frame = pd.DataFrame({"path": image.field("path").to_pylist()})
    for name, kind in LABELS.items():
        try:
            frame[name] = columns[name].cast(kind).to_pandas()
        except pa.ArrowInvalid as error:
            raise ForeignStore(path, f"has a {name} that is no {kind} ({error})") from None
        if len(frame) and frame[name].min() < 0:
            raise ForeignStore(path, f"has the {name} {frame[name].min()}, where 0 is the least; leave junk out")
    for name in ("domain", "split"):
        frame[name] = columns[name].cast("string").to_pandas()
    if images:
        frame["data"] = pd.Series(image.field("bytes").to_pylist(), dtype=object)
    if "caption" in batch.schema.names:
        frame["caption"] = pd.Series(batch.column("caption").to_pylist(), dtype=object)
    return frame


def _check_order(paths: "pandas.Series", before: str | None, path: Path) -> str:
    """Refuse paths that are not sorted, each once, and return the last."""
    ordered = paths.tolist() if before is None else [before, *paths]
    fault = next((place for place in range(1, len(ordered)) if not ordered[place - 1] < ordered[place]), None)
    if fault is not None:
        raise ForeignStore(path, f"is not sorted by path within its splits, or {ordered[fault]!r} occurs twice")
    return ordered[-1]


def _check_columns(schema: "pyarrow.Schema", path: Path) -> None:
    from pyarrow import types

    def is_text(kind: "pyarrow.DataType") -> bool:
        return (
            types.is_string(kind)
            or types.is_large_string(kind)
            or (types.is_dictionary(kind) and is_text(kind.value_type))
        )

    def is_bytes(kind: "pyarrow.DataType") -> bool:
        return types.is_binary(kind) or types.is_large_binary(kind)

    def is_numbers(kind: "pyarrow.DataType") -> bool:
        return (types.is_list(kind) or types.is_large_list(kind)) and types.is_floating(kind.value_type)

    kinds = {name: schema.field(name).type for name in schema.names}
    image = kinds.get("image")
    if image is not None and types.is_struct(image):
        kinds |= {f"image.{image.field(at).name}": image.field(at).type for at in range(image.num_fields)}
    fits = {"image": types.is_struct, "image.bytes": is_bytes, "image.path": is_text}
    fits |= dict.fromkeys(TEXTS, is_text) | dict.fromkeys(LABELS, types.is_integer)
    fits |= {"caption": is_numbers} if "caption" in kinds else {}
    for name, fit in fits.items():
        if name not in kinds:
            raise ForeignStore(path, f"lacks the column {name!r}")
        if not fit(kinds[name]):
            raise ForeignStore(path, f"has a column {name!r} of the type {kinds[name]}, not {WANTED[name]}")
