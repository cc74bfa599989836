"""Small archives in every accepted layout, drawn here: no real image is needed."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from dcac.data.catalog import SetVariant


@pytest.fixture(scope="session")
def picture():
    """Return a function that draws a small image of its own for each number."""

    def draw(number: int = 0, *, kind: str = "JPEG", size: tuple[int, int] = (8, 16)) -> bytes:
        pixels = np.random.default_rng(number).integers(0, 256, size=(size[1], size[0], 3), dtype=np.uint8)
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, format=kind)
        return encoded.getvalue()

    return draw


@pytest.fixture(scope="session")
def fill(picture):
    """Return a function that gives every name of a list an image of its own, in the format of its extension."""
    kinds = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "bmp": "BMP"}

    def draw(names):
        return {name: picture(number, kind=kinds[name.rpartition(".")[2].lower()]) for number, name in enumerate(names)}

    return draw


@pytest.fixture
def pack(tmp_path):
    """Return a function that packs files (name -> bytes) as a folder or an archive and returns its path."""

    def write(files, kind="folder", name="set"):
        path = tmp_path / (name if kind == "folder" else f"{name}.{kind}")
        if kind == "folder":
            for member, data in files.items():
                (path / member).parent.mkdir(parents=True, exist_ok=True)
                (path / member).write_bytes(data)
        elif kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for member, data in files.items():
                    archive.writestr(member, data)
        else:
            with tarfile.open(path, {"tar": "w", "tgz": "w:gz", "tar.gz": "w:gz", "tar.xz": "w:xz"}[kind]) as archive:
                for member, data in files.items():
                    info = tarfile.TarInfo(member)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
        return path

    return write


@pytest.fixture
def shrink(catalog):
    """Return a function that gives a card other counts to expect: {split: (ids, images, cameras)}."""

    def change(code, *, dropped=None, variant=None, **splits):
        card = catalog[code]
        name, _ = card.variant(variant)
        counts = {
            split: dict(zip(("ids", "images", "cameras"), numbers, strict=True)) for split, numbers in splits.items()
        }
        small = SetVariant.model_validate({**counts, "dropped": dropped or {}})
        return card.model_copy(update={"variants": {name: small}})

    return change
