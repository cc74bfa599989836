"""Time the training steps of one run, and count what it trains and keeps.

In: a run's settings, data and networks. Out: one JSON file; nothing is trained to an end.
"""

import time
from collections.abc import Sequence
from itertools import chain, count, islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dcac.model.dcac import DCAC
from dcac.provenance import environment, write_json
from dcac.provenance.code import digest
from dcac.provenance.record import KEY, Asked, ask, hash_json
from dcac.settings import Runtime, Settings, load_settings
from dcac.training.hardware import Hardware
from dcac.training.state import Progress
from dcac.training.train import learnt_from
from dcac.training.trainer import Trainer

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
) -> None:
    """Measure the training step of a run: parameters, seconds, images per second, peak memory.

    Args:
        config, stores, latents, encoder, prior, device, runtime: as for training.
        variant, sources: names of the run, for the table.
        steps: how many steps are timed, each alone.
        out: file to write.

    Raises:
        ValueError: fewer than one step is asked for.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}, and nothing would be timed; ask for 1 or more")
    settings = load_settings(config)
    asked = asked_overhead(settings, variant, sources, steps, runtime, stores, latents, encoder, prior)
    hardware = Hardware(device, settings.precision)
    trainer = Trainer(settings, stores, latents, encoder, prior, seed=SEED, hardware=hardware, runtime=runtime)
    seconds = time_steps(trainer, steps)
    low, median, high = np.percentile(seconds, [25, 50, 75]).tolist()
    batch = settings.identities_per_batch * settings.images_per_identity
    content = {
        "variant": variant,
        "sources": sources,
        "parameters": count_parameters(trainer.model),
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
    settings: Settings,
    variant: str,
    sources: str,
    steps: int,
    runtime: Runtime,
    stores: Sequence[Path],
    latents: Sequence[Path],
    encoder: Path,
    prior: Path | None,
) -> Asked:
    """Say what a measurement is asked to be; the number of steps only where it is not the workflow's."""
    acting = {"variant": variant, "sources": sources, "runtime": runtime.model_dump(), **settings.trained()}
    inputs = learnt_from(settings, stores=stores, latents=latents, encoder=encoder, prior=prior)
    return ask(__name__, acting if steps == STEPS else {**acting, "steps": steps}, inputs)


def time_steps(trainer: Trainer, steps: int) -> list[float]:
    """Return the seconds of each step after the warm-up; on CUDA the peak of memory starts anew after it too."""
    on_gpu = trainer.device.type == "cuda"
    progress = Progress(memory=trainer.build_memory())
    trainer.model.train()
    seconds, epochs = [], chain.from_iterable(map(trainer.batches, count(1)))
    for number, batch in enumerate(islice(epochs, WARM_UP + steps)):
        if on_gpu and number == WARM_UP:
            torch.cuda.reset_peak_memory_stats(trainer.device)
        _wait(on_gpu)
        started = time.perf_counter()
        trainer.step(batch, str(number), progress, diagnose=False)
        _wait(on_gpu)
        seconds.append(time.perf_counter() - started)
    return seconds[WARM_UP:]


def count_parameters(model: DCAC) -> dict[str, int]:
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
