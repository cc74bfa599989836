"""Every way in which a step can end, turned into its exit code and one line on standard error.

0 success, 1 an error, 2 wrong usage, 130 after SIGINT, 143 after SIGTERM, 141 when the reader of the output has gone.
"""

import ctypes
import os
import signal
import sys
from typing import Any

import typer

from dcac.disk import is_full
from dcac.terminal import say, show

FAILED, USAGE = 1, 2
PARENT_DEATH_SIGNAL = 1  # of prctl(2)
INTERRUPTED, READER_GONE, TERMINATED = (128 + number for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM))


class Terminated(BaseException):
    """SIGTERM came; what is open is closed and temporary files go."""


def end_with_parent() -> None:
    """Have the kernel send SIGTERM when the parent of this process dies, where it is Linux's: nobody else would then end it."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)


def run(app: typer.Typer) -> int | None:
    """Run the command line; return None after a step that succeeded, else the exit code (0 after `--help`)."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt, SystemExit, Terminated) as error:
        return _explain(error)
    if code == INTERRUPTED:  # typer's answer to Ctrl-C
        _say("interrupted")
    return code


def _explain(error: BaseException) -> int:
    """Say on standard error why a step ended; an error that nobody foresaw keeps its traceback."""
    if _reader_is_gone(error):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still held back goes nowhere, in silence
        return READER_GONE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAILED
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        _say("interrupted")
        return INTERRUPTED
    if isinstance(error, Terminated):
        _say("terminated")
        return TERMINATED
    if hasattr(error, "show"):  # a usage error of the command line
        error.show()
        return getattr(error, "exit_code", USAGE)
    foreseen = isinstance(error, (ValueError, RuntimeError, OSError, MemoryError)) or is_full(error)
    if os.environ.get("DCAC_DEBUG") or not foreseen:
        show(error)
        raise error
    _say(f"error: {_sentence(error)}")
    return getattr(error, "exit_code", FAILED)


def _sentence(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"the memory of this machine is used up ({error}); close other programs, or ask for less at a time"
    if is_full(error):
        return f"the disk, or your quota of it, is full ({error}); make room and give the same command again"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror.lower()}; correct the path, or its permissions"
    return str(error) or f"{type(error).__name__} without a reason; set DCAC_DEBUG=1 to see where"


def _reader_is_gone(error: BaseException) -> bool:
    """Tell a broken pipe, also behind typer's answer to it."""
    return isinstance(error.__context__ if isinstance(error, SystemExit) else error, BrokenPipeError)


def _say(what: str) -> None:
    say(f"dcac: {what}")


def _terminate(_number: int, _frame: Any) -> None:
    raise Terminated
