"""Checkpoint and exact resume: what a run needs to continue as if it had never stopped.

All random draws derive from (seed, purpose, epoch or step), so no generator state is kept: weights, optimiser, memory,
gradient scaler, the epoch's sums of losses and two counters are everything.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)


class InUse(RuntimeError):
    """Another process trains this run."""


@dataclass
class Progress:
    """How far a run has come."""

    epoch: int = 1  # the epoch under way, 1..epochs
    batch: int = 0  # batches of that epoch already done
    memory: Tensor | None = None  # M [N, D]
    sums: dict[str, Tensor] = field(default_factory=dict)  # of each loss term over the epoch's batches done
    seconds: float = 0.0  # spent on the epochs and batches done, in all processes that trained this run
    scaler: dict = field(default_factory=dict)  # state of the gradient scaler; empty without one
    log_bytes: int = 0  # length of log.jsonl at the checkpoint


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's state directory against a second writer.

    Raises:
        InUse: another process trains this run.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InUse(f"{folder} is in use: another process trains this run; wait for it or stop it") from None
        yield


def save(folder: Path, identity: str, model: nn.Module, optimiser: torch.optim.Optimizer, progress: Progress) -> None:
    """Write a checkpoint under a temporary name, flush it to disk, rename it."""
    content = {
        "identity": identity,
        "model": learnt_state(model),
        "optimiser": optimiser.state_dict(),
        "progress": vars(progress),
    }
    temporary = folder / ".checkpoint.tmp"
    with temporary.open("wb") as stream:
        torch.save(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, folder / "checkpoint.pt")


def load(folder: Path, identity: str, model: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
    """Restore the last checkpoint; without one, or with one of other settings, data or code, start from scratch."""
    path = folder / "checkpoint.pt"
    if not path.is_file():
        return Progress()
    content = torch.load(path, map_location="cpu", weights_only=True)
    if content["identity"] != identity:
        previous = folder.with_name(folder.name + ".previous")
        log.warning("%s was made with other settings, data or code; it is kept in %s", path, previous)
        previous.mkdir(exist_ok=True)
        shutil.copy2(path, previous / path.name)
        path.unlink()
        return Progress()
    missing, unexpected = model.load_state_dict(content["model"], strict=False)
    if unexpected or set(missing) & set(learnt_state(model)):
        raise RuntimeError(f"{path} does not fit the model; delete it to train from the beginning")
    optimiser.load_state_dict(content["optimiser"])
    return Progress(**content["progress"])


def learnt_state(model: nn.Module) -> dict[str, Tensor]:
    """Collect what training changes or inference needs: everything but the frozen U-Net."""
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {
        name: value for name, value in model.state_dict().items() if name in trained or not name.startswith("prior.")
    }
