"""Where results lie: in the folder `results/` of a checkout, or in a storage from which Snakemake brings them."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol


class Stored(Protocol):
    """What is asked of a storage object of Snakemake's plugins."""

    def exists(self) -> bool:
        """Tell whether the storage has it."""

    def set_local_path(self, path: Path) -> None:
        """Say where it is to be brought."""

    def retrieve_object(self) -> None:
        """Bring it."""


class Here:
    """The folder `results/` itself."""

    def has(self, path: str) -> bool:
        """Tell whether a file is there."""
        return Path(path).is_file()

    def readable(self, path: str) -> Path:
        """Return where a file can be read; of one that is not there, a path that does not exist."""
        return Path(path)


class InStorage(Here):
    """A storage: what is read of it is fetched once, into a temporary folder, apart from the copies that jobs work with.

    Args:
        stored: gives the storage's object of a path `results/...`, a new one at each call.
    """

    def __init__(self, stored: Callable[[str], Stored]):
        self.stored = stored
        self.folder = TemporaryDirectory(prefix="dcac-")
        self.asked: set[str] = set()

    def has(self, path: str) -> bool:
        """Tell whether the storage has a file."""
        return self.stored(path).exists()

    def readable(self, path: str) -> Path:
        """Fetch a file, if the storage has it, and return its copy."""
        copy = Path(self.folder.name, path)
        if path not in self.asked and self.has(path):
            copy.parent.mkdir(parents=True, exist_ok=True)
            found = self.stored(path)
            found.set_local_path(copy)
            found.retrieve_object()
        self.asked.add(path)
        return copy
