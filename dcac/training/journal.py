"""The run's log, and the signal that asks it to stop."""

import json
import logging
import signal
from pathlib import Path
from types import FrameType

COST = ("seconds", "images_per_second", "peak_memory_bytes")  # of an epoch's line: differ from run to run
log = logging.getLogger(__name__)


class Journal:
    """The run's log: one JSON object a line, cut back to the last checkpoint on resume."""

    def __init__(self, path: Path | None, size: int):
        self.path = path  # None in processes that do not write
        self.size = size
        if path is None:
            return
        with path.open("a") as stream:
            stream.truncate(size)
        self.size = size

    def write(self, line: dict) -> None:
        """Append one line and flush it."""
        if self.path is None:
            return
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.size = self.path.stat().st_size
        log.info("%s", " ".join(f"{key}={_short(value)}" for key, value in line.items() if not isinstance(value, dict)))

    def epochs(self) -> list[dict]:
        """Return the line of every epoch, without its times; none in processes that do not write."""
        if self.path is None:
            return []
        lines = [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]
        return [
            {k: v for k, v in line.items() if k not in ("event", *COST)} for line in lines if line["event"] == "epoch"
        ]


class Stopped(RuntimeError):
    """The run was asked to stop; its state is saved."""

    exit_code = 128 + signal.SIGTERM  # for whoever gave the command: not finished


class StopSignal:
    """Remember that SIGTERM or SIGUSR1 came, so that the step under way can end and be saved."""

    def __init__(self) -> None:
        self.asked = ""
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.asked = signal.Signals(number).name


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
