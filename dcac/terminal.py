"""What a step says, and where: a progress bar at a terminal, a log file under the workflow."""

import fcntl
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

DELAY = 1  # seconds before a bar appears, so that short work shows none
ATTEMPTS = (
    ".attempts"  # folder of the logs of a job's attempts, which no rule declares and so Snakemake does not delete
)
NARROWEST = 40  # columns that tables are drawn for at least, whatever COLUMNS says
KEPT = 10  # attempts whose logs stay


class _Console:
    """Where errors are shown beside the log file: standard error as it was when the step began."""

    stream: TextIO | None = None


def screen() -> "Console":
    """Return what draws tables on standard output, never too narrow to show them."""
    from rich.console import Console

    found = Console()
    return found if found.width >= NARROWEST else Console(width=NARROWEST)


def speak_into(log: Path) -> None:
    """Append what this process and its children say, from here on, to a log file; errors are also shown where they were.

    Snakemake deletes a job's log before each attempt: the file has a second name in `.attempts`, under which it stays.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    is_new = not log.exists()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    if is_new:
        _keep(log)
    with suppress(OSError):  # who looks at the log sees by this lock that we live; the kernel gives it back
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    _Console.stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1)
    sys.stdout.flush()
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)


def say(what: str) -> None:
    """Say one line on standard error, and where errors are shown if that is elsewhere."""
    for stream in (sys.stderr, _Console.stream):
        if stream is not None:
            print(what, file=stream)


def show(error: BaseException) -> None:
    """Show the last line of an unforeseen error where errors are shown, if its traceback goes elsewhere."""
    if _Console.stream is not None:
        print(f"dcac: {type(error).__name__}: {error}; its traceback is in the log", file=_Console.stream)


def terminal_bar(what: str) -> Callable[[int, int | None], None] | None:
    """Return a function that draws how many of how many are done, or None where nobody watches.

    Args:
        what: the step's name, shown before the bar.
    """
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    bar: tqdm | None = None

    def show(done: int, total: int | None) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(desc=what, total=total, delay=DELAY, leave=False)
        bar.update(done - bar.n)
        if done == total:
            bar.close()
            bar = None

    return show


def _keep(log: Path) -> None:
    """Give a log a second name, numbered; the oldest ones go."""
    folder = log.parent / ATTEMPTS
    folder.mkdir(exist_ok=True)
    numbers = sorted(int(path.suffix[1:]) for path in folder.glob(f"{log.stem}.*") if path.suffix[1:].isdigit())
    for number in numbers[: -(KEPT - 1)]:
        (folder / f"{log.stem}.{number}").unlink(missing_ok=True)
    try:
        os.link(log, folder / f"{log.stem}.{numbers[-1] + 1 if numbers else 1}")
    except OSError:  # a file system without hard links: then Snakemake's rule holds
        return


def duration(seconds: float) -> str:
    """Write a duration in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    shown = [(number, unit) for number, unit in units if number]
    return " ".join(f"{number} {unit}" for number, unit in shown[:2]) or "0 s"
