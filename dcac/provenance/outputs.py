"""What a step may write: files of its own kind, never those that it reads or their records."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from dcac.provenance.record import sidecar_of

SHARING = (".parquet", ".csv")  # whose record has their name with another suffix


def require_output(out: Path, *suffixes: str, beside: Sequence[Path] = (), inputs: Iterable[Path | None] = ()) -> None:
    """Refuse an output of another suffix, and one that would take the place of something else.

    Args:
        suffixes: that the output may have, the first being the usual one.
        beside: further files that the step writes.
        inputs: files and folders that the step reads; None stands for one that is not given.

    Raises:
        ValueError: the message names the output, and what it would overwrite.
    """
    if out.suffix not in suffixes:
        raise ValueError(f"{out} does not end in {' or '.join(suffixes)}; give such a name")
    read = {path: other for other in inputs if other is not None for path in _with_records(other)}
    for path in (out, *beside):
        other = read.get(path.resolve()) or _store_of(path)
        if other is not None:
            raise ValueError(f"{out} would overwrite {path}, which belongs to {other}; give another name or folder")


def require_outputs(out: Sequence[Path], *suffixes: str, inputs: Iterable[Path | None] = ()) -> None:
    """The same for each of several outputs.

    Raises:
        ValueError: the message names the output, and what it would overwrite.
    """
    inputs = list(inputs)
    for path in out:
        require_output(path, *suffixes, inputs=inputs)


def _with_records(path: Path) -> list[Path]:
    """List a file and where its record may lie; a feature file's score may well have its name with .json."""
    shared = [path.with_suffix(".json")] if path.suffix in SHARING else []
    return [entry.resolve() for entry in (path, sidecar_of(path), *shared)]


def _store_of(path: Path) -> Path | None:
    """Name the normalised file whose sidecar a path is."""
    store = path.with_suffix(".parquet")
    return store if path.suffix == ".json" and store.is_file() else None
