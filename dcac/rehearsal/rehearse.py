"""Rehearse one training before it starts: a canary at full batch on the real card, save and resume, and all that follows.

In: settings, data, latents and networks of a run, a target. Out: one JSON file that says card, memory and seconds.
"""

import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from dcac.data.store import store_input, verified
from dcac.provenance import environment, write_json
from dcac.provenance.outputs import require_output
from dcac.provenance.record import KEY, Asked, ask, hash_json
from dcac.rehearsal.canary import Walk, bands, resume_faults, walk
from dcac.rehearsal.trial import run_through
from dcac.settings import Runtime, Settings, load_settings
from dcac.suites import Suite, Variant
from dcac.training.hardware import Hardware
from dcac.training.inputs import Inputs
from dcac.training.loop import Training
from dcac.training.state import NEWEST

SEED = 0
COPIES = 3  # of a checkpoint that lie on the disk at one time: the newest, the one before, and one being written
log = logging.getLogger(__name__)


def run(
    *,
    config: Path,
    stores: Sequence[Path],
    latents: Sequence[Path],
    encoder: Path,
    prior: Path | None,
    target: Path,
    suite: str,
    variant: str,
    sources: str,
    whole: Suite,
    variants: Mapping[str, Variant],
    published: Path,
    out: Path,
    device: str,
    runtime: Runtime = Runtime(),
    networks: Mapping[str, Path] | None = None,
) -> None:
    """Try a training and what follows it; whatever would fail hours later fails now, with all its reasons.

    Args:
        config, stores, latents, encoder, prior, device, runtime, networks: as for training, also with several processes.
        target: normalised file of a target, of which a slice is scored.
        suite, variant, sources: names of the run.
        whole, variants, published: of the table that the slice goes into.
        out: file to write.

    Raises:
        ValueError: data or weights are not those of their records, there is no room, a loss leaves its band, a gradient
            is where none belongs or fails where one does, or a resumed training goes on otherwise.
    """
    require_output(out, ".json", inputs=[*stores, *latents, target])
    settings = load_settings(config)
    inputs = Inputs(stores, encoder, latents, prior, networks or {})
    asked = asked_rehearsal(settings, inputs, target, names=(suite, variant, sources), runtime=runtime)
    seconds: dict[str, float] = {}
    with timed(seconds, "hashes"):
        inputs.verify()
        verified(target)
    hardware = Hardware(device, settings.precision)
    with timed(seconds, "start"):
        training = Training(settings, inputs, seed=SEED, hardware=hardware, runtime=runtime)
    with timed(seconds, "canary"):
        seen, progress = walk(training)
    peak = hardware.peak_memory()
    folder = out.with_suffix(".state")
    try:
        with timed(seconds, "resume"):
            faults = [*seen.faults, *resume_faults(training, folder, progress)]
        checkpoint, free = (folder / NEWEST).stat().st_size, shutil.disk_usage(folder).free
        hardware.wait()  # until all processes have looked
    finally:
        if hardware.is_main:
            shutil.rmtree(folder, ignore_errors=True)
    faults += room_faults(checkpoint, free, out)
    if faults:
        raise ValueError(f"the rehearsal of {variant} on {sources} failed: {'; '.join(faults)}")
    if not hardware.is_main:
        return
    with timed(seconds, "trial"), tempfile.TemporaryDirectory() as scratch:
        names: dict[str, str | int] = {"suite": suite, "variant": variant, "sources": sources, "seed": SEED}
        trial = run_through(
            training,
            names=names,
            target=target,
            config=config,
            encoder=encoder,
            suite=whole,
            variants=variants,
            published=published,
            folder=Path(scratch),
        )
    content = {
        "suite": suite,
        "variant": variant,
        "sources": sources,
        "target": target.stem,
        **trial,
        **hardware.facts(),
        "batch": settings.identities_per_batch * settings.images_per_identity,
        "losses": described(seen, training),
        "seconds_per_step": median(seen.seconds),
        "seconds_expected": expected(seen, training),
        "peak_memory_bytes": peak,
        "checkpoint_bytes": checkpoint,
        "free_bytes": free,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "runtime": runtime.model_dump(),
        "environment": environment(),
    }
    write_json(out, {**content, KEY: asked.record(meaning=hash_json(content))})
    log.info("%s on %s may start: %s", variant, sources, " ".join(f"{n} {s:.1f} s" for n, s in seconds.items()))


def asked_rehearsal(
    settings: Settings, inputs: Inputs, target: Path, *, names: tuple[str, str, str], runtime: Runtime
) -> Asked:
    """Say what a rehearsal is asked to be."""
    acting = dict(zip(("suite", "variant", "sources"), names, strict=True)) | {"runtime": runtime.model_dump()}
    given = {**inputs.described(settings), "target": store_input(target)}
    return ask(__name__, {**acting, **settings.trained(), **settings.tested()}, given)


def room_faults(checkpoint: int, free: int, out: Path) -> list[str]:
    """Say where the checkpoints of a training do not fit on the disk.

    Args:
        checkpoint: bytes of one.
        free: bytes that are free beside it.
    """
    if free >= (COPIES - 1) * checkpoint:
        return []
    return [
        f"the disk of {out.parent} has {free / 1e9:.2f} GB free beside one checkpoint of {checkpoint / 1e9:.2f} GB, and "
        f"{COPIES} lie there at one time; make room"
    ]


def described(seen: Walk, training: Training) -> dict[str, dict]:
    """Describe the losses of the canary, each with its band and where that comes from."""
    known = bands(training.settings, training.data.num_identities)
    return {
        term: {"first": values[0], "last": values[-1], "low": min(values), "high": max(values)}
        | ({"band": list(known[term][:2]), "band_source": known[term].source} if term in known else {})
        for term, values in seen.losses.items()
    }


def expected(seen: Walk, training: Training) -> float:
    """Reckon the seconds of the whole training's steps from the canary's median step; its memory and diagnostics come on top."""
    return median(seen.seconds) * len(training.batches.of_epoch(1)) * training.settings.epochs


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long something took."""
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started
