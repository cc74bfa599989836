"""Time the training steps of one run, and count what it trains and keeps.

In: a run's settings, data and networks. Out: one JSON file; nothing is trained to an end.
"""

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dcac.methods.trained import TrainedModel
from dcac.provenance import environment, write_json
from dcac.provenance.code import digest
from dcac.provenance.outputs import require_output
from dcac.provenance.record import KEY, Asked, ask, hash_json
from dcac.settings import Runtime, Settings, load_settings
from dcac.training.hardware import Hardware
from dcac.training.inputs import Inputs
from dcac.training.loop import Training
from dcac.training.state import RunState

SEED = 0
STEPS = 20  # timed, unless a person asks for another number
WARM_UP = 3  # steps before the clock counts; source: ours


def run(
    *,
    config: Path,
    stores: Sequence[Path],
    latents: Sequence[Path],
    encoder: Path,
    prior: Path | None,
    variant: str,
    sources: str,
    out: Path,
    device: str,
    steps: int = STEPS,
    runtime: Runtime = Runtime(),
    networks: Mapping[str, Path] | None = None,
) -> None:
    """Measure the training step of a run: parameters, seconds, images per second, peak memory.

    Args:
        config, stores, latents, encoder, prior, device, runtime, networks: as for training.
        variant, sources: names of the run, for the table.
        steps: how many steps are timed, each alone.
        out: file to write.

    Raises:
        ValueError: fewer than one step is asked for.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}, and nothing would be timed; ask for 1 or more")
    require_output(out, ".json", inputs=[*stores, *latents])
    settings = load_settings(config)
    inputs = Inputs(stores, encoder, latents, prior, networks or {})
    asked = asked_overhead(settings, inputs, variant=variant, sources=sources, steps=steps, runtime=runtime)
    hardware = Hardware(device, settings.precision)
    training = Training(settings, inputs, seed=SEED, hardware=hardware, runtime=runtime)
    seconds = time_steps(training, steps)
    low, median, high = np.percentile(seconds, [25, 50, 75]).tolist()
    batch = settings.identities_per_batch * settings.images_per_identity
    content = {
        "variant": variant,
        "sources": sources,
        "parameters": count_parameters(training.model),
        "batch": batch,
        "steps": steps,
        "seconds": {"median": median, "low": low, "high": high},
        "images_per_second": batch / median,
        "peak_memory_bytes": hardware.peak_memory(),
        **hardware.facts(),
        "runtime": runtime.model_dump(),
        "environment": environment(),
        "settings": settings.model_dump(mode="json"),
        "code": digest(asked.code),
    }
    if hardware.is_main:
        write_json(out, {**content, KEY: asked.record(meaning=hash_json(content))})


def asked_overhead(
    settings: Settings, inputs: Inputs, *, variant: str, sources: str, steps: int, runtime: Runtime
) -> Asked:
    """Say what a measurement is asked to be; the number of steps only where it is not the workflow's."""
    acting = {"variant": variant, "sources": sources, "runtime": runtime.model_dump(), **settings.trained()}
    return ask(__name__, acting if steps == STEPS else {**acting, "steps": steps}, inputs.described(settings))


def time_steps(training: Training, steps: int) -> list[float]:
    """Return the seconds of each step after the warm-up; on CUDA the peak of memory starts anew after it too."""
    on_gpu = training.device.type == "cuda"
    progress = RunState(memory=training.build_memory())
    training.model.train()
    seconds = []
    for number, rows in enumerate(islice(training.batches.of_all_epochs(), WARM_UP + steps)):
        if on_gpu and number == WARM_UP:
            torch.cuda.reset_peak_memory_stats(training.device)
        _wait(on_gpu)
        started = time.perf_counter()
        training.step(rows, str(number), progress, diagnose=False)
        _wait(on_gpu)
        seconds.append(time.perf_counter() - started)
    return seconds[WARM_UP:]


def count_parameters(model: TrainedModel) -> dict[str, int]:
    """Count scalars: total (a frozen U-Net included), trained, and tested (encoder and BNNeck, all that testing needs)."""
    return {
        "total": _size(model),
        "trained": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        "tested": _size(model.reid.backbone) + _size(model.reid.bnneck),
    }


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _wait(on_gpu: bool) -> None:
    if on_gpu:
        torch.cuda.synchronize()
