"""The normalised file: one Parquet file per data set, images as their original bytes, with a JSON sidecar."""

import hashlib
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcac.data.stored_rows import SPLITS, ForeignStore, iter_group, iter_rows, open_store, split_ranges
from dcac.provenance import atomic, sha256, write_json
from dcac.provenance.keep import keep
from dcac.provenance.record import KEY, Asked, Input, given

if TYPE_CHECKING:
    import pandas
    import pyarrow
    from pyarrow import parquet

ROWS_PER_GROUP = 2000  # images; a group of 25 kB images then costs 50 MB of memory while it is written or read
SCHEMA_VERSION = 1
OWN_COLUMNS = ("image", "split", "pid", "camid", "domain", "caption")  # others come from tables of one's own
HUB_NAMES = {"double": "float64", "float": "float32", "halffloat": "float16"}  # where `datasets` has words of its own
EMBEDDED = ("dataset", "version", "variant", "standard", "fingerprint")  # what no lost sidecar can make us forget


@dataclass(frozen=True)
class Record:
    """One image and its labels.

    Args:
        split: "train", "query" or "gallery".
        pid: Identity as on disk, 0 or more.
        camid: Camera, from 0.
        domain: Code of the data set.
        path: Relative POSIX path, unique within its split.
        data: The encoded image, or a function without arguments that reads it: large sets never lie in memory whole.
        caption: Attributes in 0..1; only the synthetic pre-training domain has them.
        columns: Whatever else a table of one's own says of it, kept as columns of the file; None is a missing value.
    """

    split: str
    pid: int
    camid: int
    domain: str
    path: str
    data: bytes | Callable[[], bytes]
    caption: tuple[float, ...] | None = None
    columns: Mapping[str, object] = field(default_factory=dict)

    def load(self) -> bytes:
        """Return the encoded image."""
        return self.data if isinstance(self.data, bytes) else self.data()


def write_store(
    records: Iterable[Record], out: Path, *, facts: Mapping[str, object], asked: Asked | None = None
) -> dict:
    """Write the normalised file and its sidecar; the same records give the same bytes.

    Args:
        records: In any order. With functions as `data` only one row group of images is held in memory.
        out: The Parquet file; the sidecar lies beside it with the suffix .json. Both appear complete or not at all.
        facts: Facts for the sidecar, such as dataset, version, variant, standard. The key `distractor_pid` names an
            identity that stands for nobody and is left out of the counted ids.
        asked: What the step was asked for; its record goes into the sidecar, and the files are kept under it.

    Returns:
        The sidecar.

    Raises:
        ValueError: A split, label or path breaks the contract.
    """
    ordered = sorted(records, key=lambda record: (_split_rank(record), record.path))
    _check_labels(ordered)
    with atomic(out) as temporary:
        content = _write_parquet(ordered, temporary, facts)
        sidecar = _sidecar(ordered, facts, sha256=sha256(temporary), content_sha256=content)
    if asked is not None:
        sidecar[KEY] = asked.record(meaning=content)
    write_json(out.with_suffix(".json"), sidecar)
    if asked is not None:
        keep(asked, out.parent, [out.name, out.with_suffix(".json").name])
    return sidecar


def read_split(path: Path, splits: str | Sequence[str], *, images: bool = True) -> "pandas.DataFrame":
    """Read some splits of a normalised file, touching only the row groups that hold them.

    Args:
        splits: One name or several of train, query, gallery.
        images: Whether to read the encoded images too (column `data`).

    Returns:
        Columns path, pid, camid, domain, split, then data and caption where present, in the order of the file.

    Raises:
        ValueError: A split is unknown, the file has no such split, or is not as a normalised file must be.
    """
    import pandas as pd

    return pd.concat(list(iter_split(path, splits, images=images)), ignore_index=True)


def iter_split(path: Path, splits: str | Sequence[str], *, images: bool = True) -> "Iterator[pandas.DataFrame]":
    """Yield `read_split` in parts of at most `ROWS_PER_GROUP` rows, for sets whose images do not fit in memory."""
    wanted = [splits] if isinstance(splits, str) else list(splits)
    with open_store(path) as file:
        _check_complete(file, path)
        rows = split_ranges(file, path)
        for split in wanted:
            if split not in rows:
                raise ValueError(f"{path} has no split {split!r}; it holds {', '.join(rows) or 'no images'}")
        for split in sorted(set(wanted), key=SPLITS.index):
            yield from iter_rows(file, path, rows[split], images=images, most=ROWS_PER_GROUP)


def stored_splits(path: Path) -> tuple[str, ...]:
    """Name the splits a normalised file holds, in the order train, query, gallery."""
    with open_store(path) as file:
        return tuple(split_ranges(file, path))


def read_group(path: Path, group: int) -> "Iterator[pandas.DataFrame]":
    """Yield the rows of one row group, counted from 0, with their images, in parts of at most `ROWS_PER_GROUP`."""
    with open_store(path) as file:
        yield from iter_group(file, path, group, most=ROWS_PER_GROUP)


def read_sidecar(path: Path) -> dict:
    """Read the sidecar of a normalised file.

    Raises:
        ValueError: The sidecar is missing or no JSON object.
    """
    sidecar = Path(path).with_suffix(".json")
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{sidecar} is missing; import the data set again to get both files") from None
    except ValueError as error:
        raise ValueError(f"{sidecar} is not valid JSON ({error}); import the data set again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{sidecar} holds {type(content).__name__}, not an object; import the data set again")
    if "sha256" not in content:
        raise ValueError(f"{sidecar} lacks 'sha256'; import the data set again")
    return content


def verified(path: Path) -> dict:
    """Read the sidecar of a normalised file, once its bytes are seen to be those that the sidecar speaks of.

    Raises:
        ValueError: the file was changed, damaged or replaced under its sidecar.
    """
    sidecar = read_sidecar(path)
    if not Path(path).is_file():
        raise ValueError(f"{path} does not exist, though its sidecar does; import the data set again")
    if sha256(Path(path)) != sidecar["sha256"]:
        raise ValueError(
            f"{path} is not the file that {Path(path).with_suffix('.json')} speaks of (sha256 differs); import the data set "
            "again, or render it again"
        )
    return sidecar


def store_input(path: Path) -> Input:
    """Describe a normalised file as an input: its meaning is its images and labels, whatever wrote the file."""
    return given(Path(path).with_suffix(".json"), lambda: read_sidecar(path)["sha256"])


def count(records: Iterable[Record], *, distractor_pid: int | None = None) -> dict[str, dict[str, int]]:
    """Count ids, images and cameras per split, in the order train, query, gallery; absent splits are left out."""
    pids: dict[str, set[int]] = {split: set() for split in SPLITS}
    camids: dict[str, set[int]] = {split: set() for split in SPLITS}
    images = dict.fromkeys(SPLITS, 0)
    for record in records:
        pids[record.split].add(record.pid)
        camids[record.split].add(record.camid)
        images[record.split] += 1
    return {
        split: {"ids": len(pids[split] - {distractor_pid}), "images": images[split], "cameras": len(camids[split])}
        for split in SPLITS
        if images[split]
    }


def content_line(
    split: str, path: str, pid: int, camid: int, domain: str, digest: str, caption: Sequence[float] | None = None
) -> bytes:
    """Return the line of one image in the content hash, which does not depend on the Parquet writer's version."""
    told = "" if caption is None else "\t" + struct.pack(f"<{len(caption)}f", *caption).hex()
    return f"{split}\t{path}\t{pid}\t{camid}\t{domain}\t{digest}{told}\n".encode()


def _split_rank(record: Record) -> int:
    if record.split not in SPLITS:
        raise ValueError(f"split {record.split!r} of {record.path!r} is unknown; use one of {', '.join(SPLITS)}")
    return SPLITS.index(record.split)


def _check_labels(ordered: Sequence[Record]) -> None:
    if not ordered:
        raise ValueError("no images to write; check that the reader found the data set's files")
    for before, record in zip([None, *ordered], ordered, strict=False):
        if not 0 <= record.pid < 2**31:
            raise ValueError(f"pid {record.pid} of {record.path!r} is outside 0..2^31-1; drop junk before writing")
        if not 0 <= record.camid < 2**15:
            raise ValueError(f"camid {record.camid} of {record.path!r} is outside 0..32767; number cameras from 0")
        if before is not None and (before.split, before.path) == (record.split, record.path):
            raise ValueError(f"path {record.path!r} occurs twice in {record.split}; every path is unique in its split")


def _write_parquet(ordered: Sequence[Record], partial: Path, facts: Mapping[str, object]) -> str:
    """Write row groups that never span two splits and return the content hash."""
    import pyarrow.parquet as pq

    content = hashlib.sha256()
    captions = any(record.caption is not None for record in ordered)
    schema = _schema(captions=captions, columns=_kinds(ordered), facts=facts)
    # Without compression and with statistics on labels only: image bytes do not shrink and have no useful minimum.
    options = {"compression": "NONE", "use_dictionary": ["split", "domain"], "version": "2.6"}
    with pq.ParquetWriter(partial, schema, write_statistics=["split", "pid", "camid", "domain"], **options) as writer:
        for group in _row_groups(ordered):
            images = [record.load() for record in group]
            for record, data in zip(group, images, strict=True):
                digest = hashlib.sha256(data).hexdigest()
                labels = (record.split, record.path, record.pid, record.camid, record.domain)
                content.update(content_line(*labels, digest, record.caption))
            writer.write_table(_table(group, images, schema), row_group_size=len(group))
    return content.hexdigest()


def _row_groups(ordered: Sequence[Record]) -> Iterator[Sequence[Record]]:
    start = 0
    for end in range(1, len(ordered) + 1):
        full = end - start == ROWS_PER_GROUP
        if end == len(ordered) or full or ordered[end].split != ordered[start].split:
            yield ordered[start:end]
            start = end


def _table(group: Sequence[Record], images: list[bytes], schema: "pyarrow.Schema") -> "pyarrow.Table":
    import pyarrow as pa

    paths = pa.array([record.path for record in group], pa.string())
    columns = {"image": pa.StructArray.from_arrays([pa.array(images, pa.binary()), paths], ["bytes", "path"])}
    for name in schema.names[1:]:
        own = name in OWN_COLUMNS
        values = [getattr(record, name) if own else record.columns.get(name) for record in group]
        columns[name] = pa.array(values, schema.field(name).type)
    return pa.table(columns, schema=schema)


def _kinds(records: Sequence[Record]) -> "dict[str, pyarrow.DataType]":
    """Find the type of each further column over all rows."""
    import pyarrow as pa

    names = dict.fromkeys(name for record in records for name in record.columns)
    kinds = {name: pa.array([record.columns.get(name) for record in records]).type for name in names}
    return {name: pa.string() if kind == pa.null() else kind for name, kind in kinds.items()}


def _schema(
    *, captions: bool, columns: "Mapping[str, pyarrow.DataType]", facts: Mapping[str, object]
) -> "pyarrow.Schema":
    import pyarrow as pa

    fields = [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("split", pa.string()),
        ("pid", pa.int32()),
        ("camid", pa.int16()),
        ("domain", pa.string()),
    ]
    fields += [("caption", pa.list_(pa.float32()))] * captions
    fields += columns.items()
    features: dict[str, dict[str, object]] = {
        name: {"dtype": HUB_NAMES.get(str(kind), str(kind)), "_type": "Value"} for name, kind in fields
    }
    features["image"] = {"_type": "Image"}
    if captions:
        features["caption"] = {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "List"}
    embedded = {key: facts[key] for key in EMBEDDED if key in facts}
    return pa.schema(
        fields, {"huggingface": json.dumps({"info": {"features": features}}), "dcac": json.dumps(embedded)}
    )


def _sidecar(ordered: Sequence[Record], facts: Mapping[str, Any], **hashes: str) -> dict:
    counts = count(ordered, distractor_pid=facts.get("distractor_pid"))
    own = {"images": len(ordered), "counts": counts, **hashes}
    taken = sorted({"schema", *own} & set(facts))
    if taken:
        raise ValueError(f"facts may not set {', '.join(taken)}: the store works these out itself")
    return {"schema": SCHEMA_VERSION, **facts, **own}


def _check_complete(file: "parquet.ParquetFile", path: Path) -> None:
    """Refuse a file with fewer or more rows than its sidecar, where it has one, speaks of."""
    if not path.with_suffix(".json").is_file():
        return
    images = read_sidecar(path).get("images")
    if file.metadata.num_rows != images:
        raise ForeignStore(path, f"holds {file.metadata.num_rows} images, its sidecar speaks of {images}")
