"""What a training under way says of itself between two epochs: a line of the log, and `progress.json` for `dcac status`."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from dcac.provenance import write_json
from dcac.terminal import duration

INTERVAL = 30.0  # seconds between two accounts; source: ours
FILE = "progress.json"
log = logging.getLogger(__name__)


class Pulse:
    """A clock that is due at most once an interval."""

    def __init__(self, interval: float, clock: Callable[[], float] = time.perf_counter):
        self.interval, self.clock = interval, clock
        self.last = clock()

    def due(self) -> bool:
        """Tell whether the interval has passed since this was last true."""
        if self.clock() - self.last < self.interval:
            return False
        self.last = self.clock()
        return True


class Account:
    """How far a training has come, how fast it is, and how long it will still take."""

    def __init__(
        self, folder: Path | None, *, epochs: int, images: int, clock: Callable[[], float] = time.perf_counter
    ):
        """Start the clock.

        Args:
            folder: state directory of the run; None in processes that do not write.
            epochs: of the run.
            images: a batch.
        """
        self.folder, self.epochs, self.images, self.clock = folder, epochs, images, clock
        self.pulse = Pulse(INTERVAL, clock)
        self.started, self.first = clock(), 0  # of the steps of this epoch, in this process
        self.epoch_seconds: float | None = None  # of the last epoch that this process did whole

    def begin(self, first: int) -> None:
        """Note that the steps of an epoch begin, after `first` that are done already."""
        self.started, self.first = self.clock(), first

    def step(self, epoch: int, done: int, batches: int, sums: Mapping[str, Tensor]) -> None:
        """Give an account, if one is due: only then are the losses read from the device.

        Args:
            done: batches of this epoch.
            sums: of each loss term over them.
        """
        if self.folder is None or not self.pulse.due():
            return
        losses = {term: float(total) / done for term, total in sums.items()}
        pace = (self.clock() - self.started) / max(1, done - self.first)
        whole = self.epoch_seconds or pace * batches
        left = pace * (batches - done) + whole * (self.epochs - epoch)
        self._write(self.folder, epoch, done, batches, losses, self.images / pace if pace else 0.0, left)
        log.info(
            "epoch %d of %d, batch %d of %d, %s, %.1f images/s, %s left",
            epoch,
            self.epochs,
            done,
            batches,
            ", ".join(f"{term} {value:.4g}" for term, value in losses.items()),
            self.images / pace if pace else 0.0,
            duration(left),
        )

    def end(self, epoch: int, batches: int, line: Mapping[str, float]) -> None:
        """Note that an epoch ended, by its line of the log."""
        if self.folder is None:
            return
        if self.first == 0:
            self.epoch_seconds = line["seconds"]
        losses = {name.removeprefix("loss_"): value for name, value in line.items() if name.startswith("loss_")}
        left = (self.epoch_seconds or line["seconds"]) * (self.epochs - epoch)
        self._write(self.folder, epoch, batches, batches, losses, line["images_per_second"], left)

    def _write(
        self, folder: Path, epoch: int, done: int, batches: int, losses: Mapping[str, float], rate: float, left: float
    ) -> None:
        content = {
            "epoch": epoch,
            "epochs": self.epochs,
            "batch": done,
            "batches": batches,
            "losses": dict(losses),
            "images_per_second": round(rate, 1),
            "eta_seconds": round(left, 1),
            "time": round(time.time()),
        }
        write_json(folder / FILE, content)
