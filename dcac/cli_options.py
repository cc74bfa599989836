"""What the options of a step may be; a wrong one is named before anything is read."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

DEVICE = re.compile(r"cpu|auto|cuda(:\d+)?")


class Step(TyperCommand):
    """A command that refuses an option given twice, of which the first would be forgotten."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for place, parameter in enumerate(order):
            if parameter in order[:place] and isinstance(parameter, TyperOption) and not parameter.multiple:
                raise typer.BadParameter(f"{parameter.opts[0]} is given twice; give one of them", ctx=ctx)
        return super().parse_args(ctx, args)


class Steps(typer.Typer):
    """An application of such commands."""

    def command(self, name: str | None = None, *, cls: type[TyperCommand] = Step, **options: Any) -> Callable:
        """Register a step."""
        return super().command(name, cls=cls, **options)


def once_each(paths: Sequence[Path] | None) -> Sequence[Path] | None:
    """Refuse a file that is given twice, also by another way to write its path."""
    return _once(paths, lambda path: str(path.resolve()))


def named_once(paths: Sequence[Path] | None) -> Sequence[Path] | None:
    """Refuse two files of one name, by which their results are called."""
    return _once(paths, lambda path: path.stem)


def _once(paths: Sequence[Path] | None, key: Callable[[Path], str]) -> Sequence[Path] | None:
    seen: dict[str, Path] = {}
    for path in paths or ():
        other = seen.setdefault(key(path), path)
        if other is not path:
            same = "is given twice" if other.resolve() == path.resolve() else f"has the name of {other}"
            raise typer.BadParameter(f"{path} {same}; give one of them")
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
