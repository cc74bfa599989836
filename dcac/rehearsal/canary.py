"""A canary: the first steps of a training at full batch, whose losses and gradients are held against what they may be."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dcac.settings import Settings
from dcac.training.loop import Training
from dcac.training.state import RunState
from dcac.training.step import weight_of

STEPS = 20  # of the canary; source: ours, as many as `overhead` times
AGAIN = 2  # steps after the checkpoint, done straight on and once more after it was read: the second shows the optimiser's state
TOLERANCE = 0.02  # share that a loss may differ by after a resume on a GPU, whose kernels round freely; on a CPU 0


class Band(NamedTuple):
    """Between what values a loss of the first steps lies, and why."""

    low: float
    high: float
    source: str


@dataclass(frozen=True)
class Walk:
    """What the first steps of a training showed."""

    losses: Mapping[str, list[float]]  # of each term, a value a step
    seconds: list[float]  # of each step
    faults: list[str]  # sentences; empty where all is as it should be


def bands(settings: Settings, identities: int) -> dict[str, Band]:
    """Say between what values each loss term lies in the first steps; a term that is not named need only be finite.

    Args:
        identities: N, people that the run learns.

    Source:
        ours: bounds that follow from the formulas, and a margin where a network is pre-trained.
    """
    even, rest = math.log(identities), settings.label_smoothing / identities
    right = 1 - settings.label_smoothing + rest
    floor = -right * math.log(right) - (identities - 1) * (rest * math.log(rest) if rest else 0.0)
    return {
        "id": Band(
            floor,
            even + 1,
            "from the entropy of the smoothed labels to an even guess among all people, ln N, and one nat",
        ),
        "prototype": Band(
            0.0,
            even + 2 / settings.prototype_temperature,
            "a softmax over N cosines at its temperature costs at most ln N + 2 / tau",
        ),
        "noise": Band(
            0.0, 1.5, "predicting no noise at all costs 1, the variance of the noise; half of it is room for chance"
        ),
    }


def walk(training: Training, *, steps: int = STEPS) -> tuple[Walk, RunState]:
    """Do the first steps of a run, as its first epoch does them, and look at their losses and at the last gradients."""
    progress = RunState(memory=training.build_memory())
    training.set_rate(1)
    training.model.train()
    losses: dict[str, list[float]] = {}
    seconds = []
    for number in range(steps):
        started = time.perf_counter()
        for term, value in step(training, number, progress).items():
            losses.setdefault(term, []).append(value)
        seconds.append(time.perf_counter() - started)
    known = bands(training.settings, training.data.num_identities)
    faults = [*outside(losses, known), *gradient_faults(training)]
    return Walk(losses, seconds, faults), progress


def step(training: Training, number: int, progress: RunState) -> dict[str, float]:
    """Do one step of the canary and return its losses; reading them waits for the device."""
    losses, _ = training.step(_rows(training, number), f"canary/{number}", progress, diagnose=False)
    return {term: float(value) for term, value in losses.items()}


def outside(losses: Mapping[str, list[float]], known: Mapping[str, Band]) -> Iterator[str]:
    """Say which losses are not finite, or leave their band."""
    for term, values in losses.items():
        band = known.get(term, Band(-math.inf, math.inf, ""))
        for number, value in enumerate(values):
            if not math.isfinite(value):
                yield f"loss {term} is {value} in step {number + 1}; use precision fp32, or lower learning_rate"
                break
            if not band.low <= value <= band.high:
                yield (
                    f"loss {term} is {value:.4g} in step {number + 1}, not within {band.low:.4g} .. {band.high:.4g} "
                    f"({band.source}); look at the networks and the settings of the run"
                )
                break


def gradient_faults(training: Training) -> Iterator[str]:
    """Say where the gradients of the step just done are not as they should be."""
    model, settings = training.model, training.settings
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            continue
        if not parameter.requires_grad:
            yield f"{name} is frozen and has a gradient"
        elif not bool(torch.isfinite(parameter.grad).all()):
            yield f"the gradient of {name} is not finite; use precision fp32, or lower learning_rate"
    heard = any(weight_of(term, settings) > 0 for term in training.own_terms)
    for place, (part, _) in enumerate(model.rated(settings)):
        trained = [parameter for parameter in part.parameters() if parameter.requires_grad]
        reached = any(parameter.grad is not None and bool(parameter.grad.any()) for parameter in trained)
        if trained and not reached and (place == 0 or heard):
            yield f"no gradient reaches {type(part).__name__}, which is to learn"


def resume_faults(training: Training, folder: Path, progress: RunState, *, steps: int = STEPS) -> list[str]:
    """Save the training, go on, read what was saved and go on once more: both ways must give the same losses.

    Args:
        folder: of the checkpoint.
        progress: where the canary ended.
    """
    if training.hardware.is_main:
        folder.mkdir(parents=True, exist_ok=True)
    training.save(folder, "canary", progress)
    onward = replace(progress)
    straight = [step(training, steps + number, onward) for number in range(AGAIN)]
    resumed = training.restore(folder, "canary")
    if resumed.memory is None:
        return [f"the checkpoint in {folder} cannot be read back; look at the disk that it lies on"]
    resumed.memory = resumed.memory.to(training.device)
    again = [step(training, steps + number, resumed) for number in range(AGAIN)]
    allowed = 0.0 if training.device.type == "cpu" else TOLERANCE
    return [
        f"after a stop and resume loss {term} is {other[term]:.6g}, without them {value:.6g}; this training would not continue as it was"
        for one, other in zip(straight, again, strict=True)
        for term, value in one.items()
        if abs(other[term] - value) > allowed * abs(value)
    ]


def _rows(training: Training, number: int) -> np.ndarray:
    """Return the rows of a step's batch: those of the first epochs, one after another."""
    return next(islice(training.batches.of_all_epochs(), number, None))
