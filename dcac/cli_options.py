"""What the options of a step may be; a wrong one is named before anything is read."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

DEVICE = re.compile(r"cpu|auto|cuda(:\d+)?")


def once_each(paths: Sequence[Path] | None) -> Sequence[Path] | None:
    """Refuse a file that is given twice, also by another way to write its path, or two data sets of one name."""
    seen: dict[str, Path] = {}
    for path in paths or ():
        key = path.stem if path.suffix == ".parquet" else str(path.resolve())
        if key in seen:
            same = "is given twice" if seen[key].resolve() == path.resolve() else f"has the name of {seen[key]}"
            raise typer.BadParameter(f"{path} {same}; give one of them")
        seen[key] = path
    return paths


def suffixed(*suffixes: str) -> Callable[[Path | Sequence[Path]], Path | Sequence[Path]]:
    """Return a check of outputs: another suffix might be that of an input, which would be overwritten."""

    def check(given: Path | Sequence[Path]) -> Path | Sequence[Path]:
        for path in [given] if isinstance(given, Path) else given:
            if path.suffix not in suffixes:
                raise typer.BadParameter(f"{path} does not end in {' or '.join(suffixes)}; give such a name")
        return given if isinstance(given, Path) else once_each(given)

    return check


def known_device(device: str | None) -> str | None:
    """Refuse a device of another name."""
    if device is not None and not DEVICE.fullmatch(device):
        raise typer.BadParameter(f"{device!r} is no device; write cpu, cuda or auto")
    return device


Device = Annotated[str, typer.Option(callback=known_device, help="cpu, cuda, or auto")]
