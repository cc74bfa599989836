"""Reading a small data set in one call."""

import pytest

from dcac.data.archives import open_source
from dcac.data.readers import READERS


@pytest.fixture
def read(pack, catalog):
    """Return a function that packs files and reads them with one data set's reader."""

    def open_and_read(code, files, variant="standard", *, kind="folder", name="set"):
        with open_source(pack(files, kind, name), max_bytes=1e8, max_ratio=100) as source:
            reading = READERS[code](source, variant)
        assert reading.layout in catalog[code].layouts
        assert reading.version in (*catalog[code].versions, "unknown")
        return reading

    return open_and_read


@pytest.fixture
def blank():
    """Return a function that makes empty files: labels come from names alone."""
    return lambda names: dict.fromkeys(names, b"")


@pytest.fixture
def labels():
    """Return a function that lists (split, path, pid, camid), sorted."""
    return lambda reading: sorted((r.split, r.path, r.pid, r.camid) for r in reading.records)
