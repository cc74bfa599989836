"""The feature file: one .npz of features, labels and paths that scoring reads by memory map."""

import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from dcac.provenance import atomic
from dcac.reading import DAMAGE

FIELDS = ("features", "pids", "camids", "split", "paths", "meta")
SPLITS = ("query", "gallery")
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGE, ValueError, OSError, RuntimeError, MemoryError)
LOCAL_SIGNATURE = b"PK\x03\x04"
LOCAL_HEADER = struct.Struct("<4s22xHH")  # zip: signature, then the lengths of name and extra field


@dataclass(frozen=True)
class Part:
    """The rows of one split."""

    features: NDArray  # [N, D] float32, a memory map where the file allows it
    pids: NDArray[np.int64]
    camids: NDArray[np.int64]
    paths: NDArray[np.str_]


@dataclass(frozen=True)
class FeatureFile:
    """Features of a target's query and gallery images, and what made them."""

    query: Part
    gallery: Part
    meta: dict[str, object]


def write_features(
    path: Path,
    *,
    features: ArrayLike,
    pids: ArrayLike,
    camids: ArrayLike,
    split: Sequence[str],
    paths: Sequence[str],
    meta: Mapping[str, object],
) -> None:
    """Write a feature file under a temporary name, then rename; the same content gives the same bytes.

    Args:
        path: ends in .npz.
        features: [N, D].
        pids: [N] identities as on disk.
        camids: [N] cameras from 0.
        split: [N] 'query' or 'gallery'.
        paths: [N] image paths inside the data set.
        meta: data set, version, run, code and environment; plain JSON values.
    """
    arrays: dict[str, NDArray] = {
        "features": np.ascontiguousarray(features, dtype=np.float32),
        "pids": np.asarray(pids, dtype=np.int64),
        "camids": np.asarray(camids, dtype=np.int64),
        "split": np.asarray(split, dtype=np.str_),
        "paths": np.asarray(paths, dtype=np.str_),
        "meta": np.asarray(json.dumps(dict(meta), ensure_ascii=False, allow_nan=False)),
    }
    _check(arrays, path)
    _require_finite(arrays, path)
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def read_features(path: Path) -> FeatureFile:
    """Open a feature file; the features stay on disk until they are used.

    Raises:
        ValueError: the file is missing, is no .npz, or breaks the contract; the message names the field.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist: extract the features first (`dcac extract`)")
    try:
        arrays = _read_members(path)
    except UNREADABLE as error:
        if str(error).startswith(str(path)):  # named already
            raise
        raise ValueError(f"{path} is not a complete .npz file ({error}): extract the features again") from error
    _check(arrays, path)
    return FeatureFile(_part(arrays, "query"), _part(arrays, "gallery"), json.loads(str(arrays["meta"])))


def _read_members(path: Path) -> dict[str, NDArray]:
    with zipfile.ZipFile(path) as archive:
        members = [name.removesuffix(".npy") for name in archive.namelist()]
        names = set(members)
        if len(members) > len(names):
            raise ValueError(f"{path} holds a field twice, of which one would be forgotten: write it anew")
        missing = [field for field in FIELDS if field not in names]
        if missing:
            raise ValueError(f"{path} lacks the field {missing[0]!r}: a feature file holds {', '.join(FIELDS)}")
        found = {field: archive.getinfo(f"{field}.npy") for field in FIELDS}
        arrays = {field: _read_member(archive, found[field]) for field in FIELDS if field != "features"}
        stored = found["features"].compress_type == zipfile.ZIP_STORED
        read = _map_member(path, found["features"]) if stored else _read_member(archive, found["features"])
    return arrays | {"features": read}


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray:
    with archive.open(member) as stream:
        try:
            return npy.read_array(stream, allow_pickle=False)
        except ValueError as error:
            raise ValueError(
                f"{archive.filename}: field {member.filename}: {error}; write it without pickles"
            ) from error


def _map_member(path: Path, member: zipfile.ZipInfo) -> NDArray:
    with path.open("rb") as stream:
        stream.seek(member.header_offset)
        signature, name_length, extra_length = LOCAL_HEADER.unpack(stream.read(LOCAL_HEADER.size))
        if signature != LOCAL_SIGNATURE:
            raise zipfile.BadZipFile(f"no member at byte {member.header_offset}")
        stream.seek(name_length + extra_length, 1)
        version = npy.read_magic(stream)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = read_header(stream)
        if dtype.hasobject:
            raise ValueError(f"{path}: field {member.filename} holds Python objects: write it without pickles")
        if 0 in shape:
            return np.empty(shape, dtype)
        order: Literal["F", "C"] = "F" if fortran_order else "C"
        return np.memmap(path, dtype=dtype, mode="r", offset=stream.tell(), shape=shape, order=order)


def _check(arrays: Mapping[str, NDArray], path: Path) -> None:
    features, split = arrays["features"], arrays["split"]
    if features.ndim != 2 or features.dtype.kind != "f":
        raise ValueError(f"{path}: features are {features.dtype} {features.shape}: give floats [images, feature size]")
    for field, kinds in {"pids": "iu", "camids": "iu", "split": "U", "paths": "U"}.items():
        values = arrays[field]
        if values.shape != (len(features),) or values.dtype.kind not in kinds:
            wanted = "integers" if kinds == "iu" else "text"
            found = f"{values.dtype} {values.shape}"
            raise ValueError(f"{path}: {field} are {found}: give {wanted} for each of the {len(features)} images")
    unknown = np.flatnonzero(~np.isin(split, SPLITS))
    if unknown.size:
        row = int(unknown[0])
        raise ValueError(f"{path}: split of row {row} is {str(split[row])!r}: give 'query' or 'gallery'")
    for name in SPLITS:
        if not (split == name).any():
            raise ValueError(f"{path} holds no {name} image: extract both query and gallery")
    _check_meta(arrays["meta"], path)


def _require_finite(arrays: Mapping[str, NDArray], path: Path) -> None:
    bad = np.flatnonzero(~np.isfinite(arrays["features"]).all(axis=1))
    if bad.size:
        raise ValueError(
            f"{path} is not written: the feature of {str(arrays['paths'][bad[0]])!r} holds NaN or infinities ({bad.size} such "
            "images); the network is damaged, or its training has diverged: look at its log"
        )


def _check_meta(meta: NDArray, path: Path) -> None:
    try:
        content = json.loads(str(meta), parse_constant=_no_number)
    except ValueError as error:
        raise ValueError(f"{path}: meta is no JSON text ({error}): write it with json.dumps") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: meta is a JSON {type(content).__name__}: give an object with the run's facts")
    if not isinstance(content.get("data") or {}, dict):
        raise ValueError(f'{path}: data of meta is {content["data"]!r}: give an object, such as {{"dataset": "MA"}}')


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _part(arrays: Mapping[str, NDArray], name: str) -> Part:
    rows = np.flatnonzero(arrays["split"] == name)
    consecutive = rows[-1] - rows[0] + 1 == len(rows)
    index = slice(rows[0], rows[-1] + 1) if consecutive else rows  # a slice keeps the memory map
    return Part(*(arrays[field][index] for field in ("features", "pids", "camids", "paths")))
