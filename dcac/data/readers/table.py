"""Reader of a table, CSV or Parquet, with the columns path, pid and, where it has them, camid, split and others."""

import datetime
import io
from pathlib import Path
from typing import TYPE_CHECKING

from dcac.data.archives import Source
from dcac.data.catalog import Own
from dcac.data.readers.entries import SPLIT_FOLDERS, TEST, Entry, cameras_in, some
from dcac.data.readers.layout import LayoutError
from dcac.data.store import OWN_COLUMNS

if TYPE_CHECKING:
    import pandas

LABELS = ("path", "pid", "camid", "split")
PLAIN = (str, int, float, datetime.datetime)  # values that a further column keeps as they are
SEPARATORS = ",;\t"


def read_table(source: Source, own: Own) -> list[Entry]:
    """Read the pictures that a table lists; paths are below the table's folder, or below the set's.

    Raises:
        LayoutError: The table is missing, lacks a column or a value, or names a picture that is not there, or twice.
    """
    name = str(own.table)
    table = load_table(source, name)
    paths = _resolved(source, name, table["path"].tolist())
    splits: list[str | None] = (
        [None] * len(table) if "split" not in table else [_split(value, name) for value in table["split"]]
    )
    if own.split == "keep" and "split" not in table:
        raise LayoutError(f"{name} has no column split; say --split half or --split test")
    _check_once(paths, splits, name, cameras=own.cameras)
    if not own.cameras:
        cameras = dict.fromkeys(paths)
    elif own.camera is None:
        cameras = dict(zip(paths, _filled(table, "camid", name), strict=True))
    else:
        cameras = cameras_in({path: path for path in paths}, own.camera)
    others = [column for column in table if column not in LABELS]
    columns = [
        dict(zip(others, row, strict=True)) for row in zip(*(_values(table[each]) for each in others), strict=True)
    ]
    people = _filled(table, "pid", name)
    return [
        Entry(path, path, split, person, cameras[path], extra)
        for path, split, person, extra in zip(paths, splits, people, columns or [{}] * len(table), strict=True)
    ]


def is_table(name: str) -> bool:
    """Tell whether a file may be a table by its name."""
    return name.lower().endswith((".csv", ".tsv", ".parquet"))


def load_table(source: Source, name: str) -> "pandas.DataFrame":
    """Load a table of the set, or of its own beside the set; labels are text, other columns what they are.

    Raises:
        LayoutError: It is not there, cannot be read, or lacks the columns path and pid.
    """
    import pandas as pd

    if name in source.names:
        data = source.read(name)
    elif (source.path.parent / name).is_file():
        data = (source.path.parent / name).read_bytes()
    else:
        raise LayoutError(f"the table {name} is neither in {source.path} nor beside it; put it there")
    try:
        if Path(name).suffix.lower() == ".parquet":
            table = pd.read_parquet(io.BytesIO(data))
        else:
            head = data.decode("utf-8-sig").partition("\n")[0]
            separator = max(SEPARATORS, key=head.count)
            options = {"sep": separator, "dtype": dict.fromkeys(LABELS, str), "encoding": "utf-8-sig"}
            columns = [column.strip('"\r ') for column in head.split(separator)]
            empty = {column: [""] for column in columns}
            table = pd.read_csv(io.BytesIO(data), keep_default_na=False, na_values=empty, **options)
    except (ValueError, OSError) as error:
        raise LayoutError(f"the table {name} cannot be read ({error}); write it as CSV or Parquet") from None
    absent = [column for column in ("path", "pid") if column not in table]
    if absent:
        raise LayoutError(
            f"the table {name} has no column {absent[0]!r}, but {', '.join(map(str, table))}; rename or add it"
        )
    taken = [column for column in table if column in OWN_COLUMNS and column not in LABELS]
    if taken:
        raise LayoutError(f"the table {name} has a column {taken[0]!r}, a word of the normalised file; rename it")
    if table.empty:
        raise LayoutError(f"the table {name} lists no picture")
    return table.assign(path=_filled(table, "path", name))


def _filled(table: "pandas.DataFrame", column: str, name: str) -> list[str]:
    """Return a column as text, once every row is seen to have a value."""
    if column not in table:
        raise LayoutError(f"{name} has no column {column!r}; add it, give --camera a pattern, or say --no-cameras")
    empty = table[column].isna()
    if empty.any():
        row = int(empty.to_numpy().argmax())
        remedy = "; fill it in, or say --no-cameras" if column == "camid" else "; fill it in, or remove the row"
        raise LayoutError(
            f"{name}: row {row + 1} has no {column} ({empty.sum()} of {len(table)} rows have none){remedy}"
        )
    return [
        str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        for value in table[column].tolist()
    ]


def _values(column: "pandas.Series") -> list:
    """Return plain values of a column, None where there is none; what is neither word, number nor time becomes text."""
    values = column.astype(object).where(column.notna(), None).tolist()
    return [value if isinstance(value, PLAIN) or value is None else str(value) for value in values]


def _split(value: object, name: str) -> str:
    known = [word for word in SPLIT_FOLDERS if "_" not in word]
    if value not in known:
        raise LayoutError(f"{name}: split {value!r} is none of {', '.join(known)}; correct the column")
    return SPLIT_FOLDERS[str(value)]


def _resolved(source: Source, name: str, paths: list[str]) -> list[str]:
    """Return the names of the listed pictures in their source."""
    known, beside = set(source.names), name.rpartition("/")[0]
    found: list[str] = []
    missing: list[str] = []
    for path in paths:
        plain = path.replace("\\", "/").removeprefix("./")
        candidates = (f"{beside}/{plain}" if beside else plain, plain, plain.removeprefix(f"{source.path.as_posix()}/"))
        chosen = next((candidate for candidate in candidates if candidate in known), None)
        (missing if chosen is None else found).append(chosen or path)
    if missing:
        raise LayoutError(
            f"{name} lists {some(missing, 'picture')} not in {source.path.name}; correct the paths, or add the files"
        )
    return found


def _check_once(paths: list[str], splits: list[str | None], name: str, *, cameras: bool) -> None:
    """Refuse a picture that is listed twice; without cameras it may be query and gallery, as no row meets itself."""
    seen: dict[str, str | None] = {}
    for path, split in zip(paths, splits, strict=True):
        if path not in seen:
            seen[path] = split
        elif split == seen[path]:
            raise LayoutError(f"{name} lists {path} twice; remove one row")
        elif cameras or {split, seen[path]} != {"query", "gallery"}:
            raise LayoutError(f"{name} lists {path} as {seen[path]} and as {split or TEST}; remove one row")
