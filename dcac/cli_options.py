"""What the options of a step may be; a wrong one is named before anything is read."""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

FORMER = ("--store", "--latents", "--features", "--records")  # options until 0.3.0, whose files are arguments since
DEVICE = re.compile(r"cpu|auto|cuda(:\d+)?")
Paths = TypeVar("Paths", bound=Sequence[Path] | None)


class Step(TyperCommand):
    """A command that refuses an option given twice, of which the first would be forgotten; files may come as before 0.4.0."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        args = as_arguments(args, {option for parameter in self.params for option in parameter.opts})
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for place, parameter in enumerate(order):
            if parameter in order[:place] and isinstance(parameter, TyperOption) and not parameter.multiple:
                raise typer.BadParameter(f"{parameter.opts[0]} is given twice; give one of them", ctx=ctx)
        return super().parse_args(ctx, args)


def as_arguments(args: Sequence[str], known: Collection[str]) -> list[str]:
    """Put files that a former option names behind the other words, as the arguments that they are now.

    Args:
        args: words of a command line after the command.
        known: options that the command has.
    """
    kept: list[str] = []
    files: list[str] = []
    words = iter(args)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in FORMER or name in known:
            kept.append(word)
        elif equals:
            files.append(value)
        elif (following := next(words, None)) is not None:
            files.append(following)
        else:
            kept.append(word)
    return kept + files


class Panels(TyperGroup):
    """A group whose help shows its commands in the order of the data."""

    ORDER = ("Data", "Networks", "Train", "Score", "Look inside", "Report", "Workflow")

    def list_commands(self, ctx: Any) -> list[str]:
        """List the commands panel by panel, those of one panel as they were registered; then those of no panel."""
        return sorted(super().list_commands(ctx), key=self._place)

    def _place(self, name: str) -> int:
        panel = getattr(self.commands[name], "rich_help_panel", None)
        return self.ORDER.index(panel) if panel in self.ORDER else len(self.ORDER)


class Steps(typer.Typer):
    """An application of such commands."""

    def command(  # type: ignore[override]  # the other options are those of Typer, by name
        self, name: str | None = None, *, cls: type[TyperCommand] = Step, **options: Any
    ) -> Callable:
        """Register a step."""
        return super().command(name, cls=cls, **options)


def once_each(paths: Paths) -> Paths:
    """Refuse a file that is given twice, also by another way to write its path."""
    return _once(paths, lambda path: str(path.resolve()))


def named_once(paths: Paths) -> Paths:
    """Refuse two files of one name, by which their results are called."""
    return _once(paths, lambda path: path.stem)


def _once(paths: Paths, key: Callable[[Path], str]) -> Paths:
    seen: dict[str, Path] = {}
    if paths is None:
        return paths
    for path in paths:
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


def stores_and_latents(paths: Sequence[Path]) -> Sequence[Path]:
    """Refuse among the files of sources what is neither a normalised file nor latents, and what is given twice."""
    odd = [path for path in paths if path.suffix not in (".parquet", ".safetensors")]
    if odd:
        raise typer.BadParameter(f"{odd[0]} is neither a normalised file (.parquet) nor latents (.safetensors)")
    if not named_once([path for path in paths if path.suffix == ".parquet"]):
        raise typer.BadParameter("there is no normalised file (.parquet) among them; give those of the run's sources")
    return once_each(paths)


def folder_of(path: Path | None) -> Path | None:
    """Return the folder of a run or network that is named by its folder, its report or its manifest."""
    return path.parent if path is not None and path.name in ("manifest.json", "run.json") else path


def known_device(device: str | None) -> str | None:
    """Refuse a device of another name."""
    if device is not None and not DEVICE.fullmatch(device):
        raise typer.BadParameter(f"{device!r} is no device; write cpu, cuda or auto")
    return device


Device = Annotated[str, typer.Option(callback=known_device, help="cpu, cuda, or auto")]
