"""Show a training's log elsewhere while it grows: TensorBoard's event files, or Weights & Biases.

Nothing of training knows of it: the log (log.jsonl) is read again and again, and each of its lines is passed on once. Where a resumed
training has cut its log back, what was shown is begun anew, so that no step is shown twice.
"""

import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import wandb
    from torch.utils.tensorboard import SummaryWriter

Place = Literal["tensorboard", "wandb"]
INTERVAL = 2.0  # seconds between two looks at the log
ASIDE = ("event", "epoch")  # of an epoch's line: no quantities
GROUPS = ("loss", "gradient", "noise")  # quantities of one beginning are shown together
log = logging.getLogger(__name__)


class Follower(Protocol):
    """Where the lines of a log are shown."""

    def begin(self, start: Mapping[str, Any]) -> None:
        """Begin anew with the first line of a log: settings, data, machine."""

    def epoch(self, number: int, values: Mapping[str, float]) -> None:
        """Show the quantities of an epoch."""

    def close(self) -> None:
        """Write out what is left."""


class TensorBoard:
    """Event files in the folder `tensorboard` of the run."""

    def __init__(self, out: Path):
        self.folder = out / "tensorboard"
        self.writer: SummaryWriter | None = None

    def begin(self, start: Mapping[str, Any]) -> None:
        """Take the place of the files of earlier attempts, whose steps may be others."""
        from torch.utils.tensorboard import SummaryWriter

        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.writer = SummaryWriter(str(self.folder))
        self.writer.add_text("run", f"```\n{json.dumps(start, indent=1, ensure_ascii=False)}\n```", 0)

    def epoch(self, number: int, values: Mapping[str, float]) -> None:
        """Write a scalar a quantity."""
        if self.writer is None:
            raise ValueError("an epoch came before the first line of its log; begin first")
        for name, value in values.items():
            self.writer.add_scalar(name, value, number)
        self.writer.flush()

    def close(self) -> None:
        """End the file."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class WeightsAndBiases:
    """A run of the project `dcac`, known by its identity: a resumed training goes on in it, and sends no epoch again.

    Without a network (WANDB_MODE=offline) nobody tells a resumed training what earlier attempts wrote: it writes all epochs again, in the
    place of theirs, so that `wandb sync` finds one run.
    """

    def __init__(self, out: Path):
        self.out = out
        self.run: wandb.Run | None = None

    def begin(self, start: Mapping[str, Any]) -> None:
        """Open the run, or the same one again."""
        import wandb

        self.close()
        self.out.mkdir(parents=True, exist_ok=True)
        names = {"project": "dcac", "name": "/".join(self.out.parts[-3:]), "id": start["identity"][:32]}
        for earlier in self.out.glob(f"wandb/offline-run-*-{names['id']}"):
            shutil.rmtree(earlier, ignore_errors=True)
        self.run = wandb.init(**names, resume="allow", dir=str(self.out), config=dict(start))

    def epoch(self, number: int, values: Mapping[str, float]) -> None:
        """Send the quantities, unless an earlier attempt has."""
        if self.run is None:
            raise ValueError("an epoch came before the first line of its log; begin first")
        if number >= self.run.step:
            self.run.log(dict(values), step=number)

    def close(self) -> None:
        """End the run."""
        if self.run is not None:
            self.run.finish()
            self.run = None


FOLLOWERS: Mapping[str, Callable[[Path], Follower]] = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases}


class Reader:
    """Passes each line of a run's log on once; of a log that was cut back, everything anew."""

    def __init__(self, out: Path, follower: Follower):
        self.places = (out.with_name(f"{out.name}.state") / "log.jsonl", out / "log.jsonl")  # under way; finished
        self.follower = follower
        self.told: list[str] = []

    def look(self) -> None:
        """Pass on what is new."""
        lines = self._lines()
        if lines[: len(self.told)] != self.told:
            self.told = []
        for line in lines[len(self.told) :]:
            content = json.loads(line)
            if content["event"] == "start":
                self.follower.begin(content)
            elif content["event"] == "epoch":
                self.follower.epoch(content["epoch"], quantities(content))
            self.told.append(line)

    def _lines(self) -> list[str]:
        """Read the whole lines of the log, wherever it lies; none where there is none yet."""
        for place in self.places:
            try:
                text = place.read_text(encoding="utf-8")
            except OSError:
                continue
            return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return self.told


def quantities(line: Mapping[str, Any]) -> dict[str, float]:
    """Name the numbers of an epoch's line, in groups."""
    found = {}
    for key, value in line.items():
        if key not in ASIDE and isinstance(value, int | float):
            group, _, rest = key.partition("_")
            found[f"{group}/{rest}" if group in GROUPS else key] = float(value)
    return found


@contextmanager
def followed(place: Place | None, out: Path, *, interval: float = INTERVAL) -> Iterator[None]:
    """Show the log of a run while it is trained.

    Args:
        place: where; None: nowhere.
        out: folder of the run.
        interval: seconds between two looks.

    Raises:
        ValueError: what shows it is not installed.
    """
    if place is None or os.environ.get("RANK", "0") != "0":  # the first of several processes is enough
        yield
        return
    if find_spec(place) is None:
        raise ValueError(
            f"follow is '{place}' under `runtime:` of config/config.yaml, which is not installed: "
            f"pip install 'dcac[{place}]', or write null"
        )
    reader, ended = Reader(out, FOLLOWERS[place](out)), threading.Event()
    thread = threading.Thread(target=_keep_looking, args=(reader, ended, interval), name="follow", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _keep_looking(reader: Reader, ended: threading.Event, interval: float) -> None:
    """Look until the training ends, and once more; what fails here never stops a training."""
    try:
        while not ended.wait(interval):
            reader.look()
        reader.look()
        reader.follower.close()
    except Exception:
        log.warning("the log is no longer shown elsewhere; training goes on", exc_info=True)
