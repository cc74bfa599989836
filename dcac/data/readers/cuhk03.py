"""Readers of CUHK03 in the new protocol: the package cuhk03-np and the raw cuhk-03.mat."""

import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dcac.data.archives import Source
from dcac.data.readers.layout import MARKET_FOLDERS, LayoutError, Reading, find_root, read_folders
from dcac.data.readers.matlab import load_mat
from dcac.data.store import Record

if TYPE_CHECKING:
    import h5py

PACKAGED = re.compile(r"(\d{4})_c([12])_\d+\.png")
EXTRACTED = re.compile(
    r"([1-5])_(\d{3})_([12])_(\d{2})\.png"
)  # pair, number in the pair, view, column of the cell array
INDEX_FIELDS = {"train_idx": "train", "query_idx": "query", "gallery_idx": "gallery"}
MOST_BYTES = 64_000_000  # of one picture, or of one table of references; ours
CONFIG_FIELDS = (*INDEX_FIELDS, "filelist", "labels", "camId")


@dataclass(frozen=True)
class Cell:
    """Reads one image out of cuhk-03.mat when called, as PNG."""

    path: Path
    variant: str
    pair: int
    row: int
    column: int

    def __call__(self) -> bytes:
        import h5py
        from PIL import Image

        file = _open(self.path)
        if not isinstance(file.get(self.variant, getlink=True), h5py.HardLink):
            raise ValueError(
                f"{self.variant} of {self.path} is absent or a link out of the file; get the original archive"
            )
        cells = own_data(self._follow(file, file[self.variant], 0, self.pair))
        image = np.asarray(own_data(self._follow(file, cells, self.column, self.row)))
        if image.ndim != 3 or image.dtype != np.uint8:
            raise ValueError(f"{self} is no image (shape {image.shape}); the split names an empty cell of {self.path}")
        encoded = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(image.transpose(2, 1, 0))).save(encoded, format="PNG", compress_level=6)
        return encoded.getvalue()

    def _follow(self, file: "h5py.File", table: "h5py.Dataset", *place: int) -> Any:
        """Return what one place of a table of references refers to."""
        references = own_data(table)
        try:
            return file[references[place]]
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(f"{self} refers to nothing ({error}); get the original archive") from None


def own_data(dataset: "h5py.Dataset") -> "h5py.Dataset":
    """Return a data set of an HDF5 file once it is seen to hold bytes of its own, and not more than a picture can have.

    Raises:
        ValueError: its bytes lie in another file of this machine, in none, or would not fit a picture.
    """
    import h5py

    where = f"{dataset.name} of {dataset.file.filename}"
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{where} is a group or a type, where an array is expected; get the original archive")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{where} takes its bytes from another file; get the original archive")
    asked = max(dataset.nbytes, math.prod(dataset.chunks or ()) * dataset.dtype.itemsize)  # a chunk is unpacked whole
    if asked > MOST_BYTES:
        raise ValueError(f"{where} would take {asked / 1e6:.0f} MB, more than any picture; get the original archive")
    if dataset.size and not dataset.id.get_storage_size():
        raise ValueError(f"{where} holds no bytes, only a value to fill in; get the original archive")
    return dataset


def read_cuhk03(source: Source, variant: str) -> Reading:
    """Read CUHK03 in the new protocol.

    Args:
        variant: "detected" or "labeled".

    Raises:
        LayoutError: No layout has this variant, or the split files of the raw archive are missing or inconsistent.
    """
    root = find_root(source.names, *(f"{variant}/{folder}" for folder in MARKET_FOLDERS))
    if root is not None:
        folders = {f"{root}{variant}/{folder}": split for folder, split in MARKET_FOLDERS.items()}
        return read_folders(source, Reading("new-protocol", "NP"), domain="C3", folders=folders, read_name=read_name)
    raw = find_root(source.names, "cuhk-03.mat")
    if raw is None:
        raise LayoutError(f"neither {variant}/bounding_box_train, query, bounding_box_test nor cuhk-03.mat are there")
    return _read_raw(source, raw + "cuhk-03.mat", variant)


def read_name(base: str) -> tuple[int, int] | None:
    """Return pid and camid of `0003_c1_21.png`."""
    match = PACKAGED.fullmatch(base)
    return (int(match[1]), int(match[2]) - 1) if match else None


def _read_raw(source: Source, name: str, variant: str) -> Reading:
    config = _config(source, variant)
    mat = source.local_copy(name)
    reading = Reading("raw", "NP")
    pids: dict[tuple[str, str], int] = {}
    for split, image, pid, camera in _entries(config):
        match = EXTRACTED.fullmatch(image)
        if match is None or int(match[3]) != camera:
            raise LayoutError(f"the new-protocol config names {image!r} of camera {camera}; expected P_NNN_V_II.png")
        if pids.setdefault((match[1], match[2]), pid) != pid:
            raise LayoutError(f"the new-protocol config gives {image!r} two labels, {pid} and another; get it again")
        cell = Cell(mat, variant, int(match[1]) - 1, int(match[2]) - 1, int(match[4]) - 1)
        reading.records.append(Record(split, pid, camera - 1, "C3", f"{split}/{image}", cell))
    if len(set(pids.values())) != len(pids):
        raise LayoutError("the new-protocol config gives two people one label; get it again")
    return reading


def _config(source: Source, variant: str) -> dict:
    """Load the new-protocol split, which lies in the source or beside it."""
    base = f"cuhk03_new_protocol_config_{variant}.mat"
    inside = [name for name in source.names if name.rpartition("/")[2] == base]
    beside = source.path.parent / base
    if inside:
        return load_mat(source.read(inside[0]), base, *CONFIG_FIELDS)
    if beside.is_file():
        return load_mat(beside.read_bytes(), base, *CONFIG_FIELDS)
    raise LayoutError(
        f"cuhk-03.mat needs the new-protocol split {base}, which is neither in {source.path} nor beside it"
    )


def _entries(config: dict) -> Iterator[tuple[str, str, int, int]]:
    """Yield split, file name, pid and camera (1, 2) of every image of the split; MATLAB counts from 1."""
    names, labels, cameras = (np.atleast_1d(config[field]) for field in ("filelist", "labels", "camId"))
    for field, split in INDEX_FIELDS.items():
        for index in np.atleast_1d(config[field]).astype(int) - 1:
            yield split, str(names[index]), int(labels[index]), int(cameras[index])


@lru_cache(maxsize=1)
def _open(path: Path) -> "h5py.File":
    import h5py

    return h5py.File(path, "r")
