"""Checkpoint and exact resume: what a run needs to continue as if it had never stopped.

All random draws derive from (seed, purpose, epoch or step), so no generator state is kept: weights, optimiser, memory,
gradient scaler, the epoch's sums of losses and two counters are everything.
"""

import logging
import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from dcac import locking
from dcac.disk import naming_full_disk
from dcac.methods.trained import TrainedModel

NEWEST, BEFORE = "checkpoint.pt", "checkpoint.before.pt"
PARTS = {"identity", "model", "optimiser", "progress"}  # of a checkpoint
log = logging.getLogger(__name__)


@dataclass
class RunState:
    """How far a run has come."""

    epoch: int = 1  # the epoch under way, 1..epochs
    batch: int = 0  # batches of that epoch already done
    memory: Tensor | None = None  # M [N, D]
    sums: dict[str, Tensor] = field(default_factory=dict)  # of each loss term over the epoch's batches done
    seconds: float = 0.0  # spent on the epochs and batches done, in all processes that trained this run
    scaler: dict = field(default_factory=dict)  # state of the gradient scaler; empty without one
    log_bytes: int = 0  # length of log.jsonl at the checkpoint

    def built(self) -> Tensor:
        """Return the memory M [N, D], which the first epoch builds before its first step."""
        if self.memory is None:
            raise ValueError("the run has no memory yet; build it before the first step")
        return self.memory


def locked(folder: Path) -> AbstractContextManager[None]:
    """Hold a run's state directory against a second writer, as far as the file system knows locks.

    Raises:
        InUse: another process trains this run.
    """
    return locking.locked(folder / "lock", "trains this run")


def save(
    folder: Path, identity: str, model: TrainedModel, optimiser: torch.optim.Optimizer, progress: RunState
) -> None:
    """Write a checkpoint under a temporary name, flush it to disk, rename it; the one before is kept.

    Raises:
        DiskFull: there is no room; the checkpoints that are there stay.
    """
    content = {
        "identity": identity,
        "model": learnt_state(model),
        "optimiser": optimiser.state_dict(),
        "progress": vars(progress),
    }
    temporary, path = folder / ".checkpoint.tmp", folder / NEWEST
    with naming_full_disk(path, needed=_bytes(content)):
        try:
            with temporary.open("wb") as stream:
                torch.save(content, stream)
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    if path.is_file():
        os.replace(path, folder / BEFORE)
    os.replace(temporary, path)


def load(folder: Path, identity: str, model: TrainedModel, optimiser: torch.optim.Optimizer) -> RunState:
    """Restore the newest checkpoint that can be read; without one of these settings, data and code, start from scratch.

    A damaged checkpoint and one of another run are set aside, with a line in the log.
    """
    for path in (folder / NEWEST, folder / BEFORE):
        content = _read(path) if path.is_file() else None
        if content is None:
            continue
        if content["identity"] != identity:
            previous = folder.with_name(folder.name + ".previous")
            log.warning("%s was made with other settings, data or code; it is kept in %s", path, previous)
            previous.mkdir(exist_ok=True)
            shutil.move(path, previous / path.name)
            continue
        missing, unexpected = model.load_state_dict(content["model"], strict=False)
        if unexpected or set(missing) & set(learnt_state(model)):
            raise RuntimeError(f"{path} does not fit the model; delete it to train from the beginning")
        optimiser.load_state_dict(content["optimiser"])
        return RunState(**content["progress"])
    return RunState()


def _read(path: Path) -> dict | None:
    """Read a checkpoint; set a damaged one aside and return None."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if set(content) != PARTS:
            raise ValueError("parts are missing")
        return content
    except (
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        LookupError,
        TypeError,
        AttributeError,
        UnpicklingError,
    ) as error:
        aside = path.with_name(f"{path.name}.damaged")
        os.replace(path, aside)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        log.warning(
            "checkpoint %s is damaged (%s); it is kept as %s, and training goes on from the one before, or from the start",
            path,
            reason,
            aside.name,
        )
        return None


def _bytes(content: object) -> int:
    """Add up the tensors within nested dictionaries and lists."""
    if isinstance(content, Tensor):
        return content.nbytes
    parts = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return sum(map(_bytes, parts))


def learnt_state(model: TrainedModel) -> dict[str, Tensor]:
    """Collect what training changes or inference needs: everything but frozen networks."""
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {
        name: value
        for name, value in model.state_dict().items()
        if name in trained or not name.startswith(model.frozen)
    }
