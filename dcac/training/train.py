"""Train one run: a source set, a variant, a seed.

In: settings, normalised files, cached latents, pre-trained networks. Out: weights.safetensors, log.jsonl, run.json.
Typing the same command again continues where it stopped.
"""

import logging
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from safetensors.torch import save_file

from dcac.locking import enter_when_free
from dcac.methods.trained import TrainedModel
from dcac.provenance import atomic, environment, make_readable, sha256, write_json
from dcac.provenance.code import digest
from dcac.provenance.keep import keep, kept_folder, put_back, read_index
from dcac.provenance.record import KEY, Asked, ask, read_record
from dcac.settings import Runtime, Settings, load_settings
from dcac.training import state
from dcac.training.card import model_card
from dcac.training.hardware import Hardware
from dcac.training.inputs import Inputs
from dcac.training.loop import Training

PAUSE, TELL = 5, 60  # seconds between two looks at a run that another process trains, and between two lines about it
log = logging.getLogger(__name__)


def run(
    *,
    config: Path,
    stores: Sequence[Path],
    latents: Sequence[Path],
    encoder: Path,
    prior: Path | None,
    seed: int,
    out: Path,
    device: str,
    runtime: Runtime = Runtime(),
    networks: Mapping[str, Path] | None = None,
) -> None:
    """Train to the last epoch, or continue a training that was interrupted.

    Args:
        config: merged settings of the run.
        stores: normalised files of the sources, in the order of their codes.
        latents: their cached moments; empty for the baseline.
        encoder: folder of the pre-trained encoder.
        prior: folder of the latent diffusion model; None for the baseline.
        seed: names every random draw of the run.
        out: folder of the results; the resume state lies beside it in `{out}.state`.
        device: `cpu` or `cuda`.
        runtime: speed and memory; under `accelerate launch` several processes share each batch.
        networks: folders of further networks that the method needs, by its names.

    Raises:
        Stopped: on SIGTERM or SIGUSR1, after saving.
    """
    settings = load_settings(config)
    inputs = Inputs(stores, encoder, latents, prior, networks or {})
    asked = asked_run(settings, inputs, seed)
    folder = out.with_name(out.name + ".state")
    hardware = Hardware(device, settings.precision)
    if _stands(asked, out, hardware):
        return
    inputs.verify()
    facts = _facts(asked, settings, inputs, seed)
    header = {**facts, "environment": environment(), **hardware.facts(), "runtime": runtime.model_dump()}
    with ExitStack() as stack:
        _hold(stack, folder, hardware)  # the run is made only once
        if _stands(asked, out, hardware):  # another process has trained it meanwhile
            return
        training = Training(settings, inputs, seed=seed, hardware=hardware, runtime=runtime)
        summary = training.fit(folder, asked.identity, header=header)
        if hardware.is_main:
            _publish(training.model, folder, out, {**facts, **summary}, asked)
    hardware.wait()


def asked_run(settings: Settings, inputs: Inputs, seed: int) -> Asked:
    """Say what a run is asked to be: settings that act, seed, code, and what it learns from."""
    return ask(__name__, {"seed": seed, **settings.trained()}, inputs.described(settings))


def _stands(asked: Asked, out: Path, hardware: Hardware) -> bool:
    """Tell whether the run is there, or lies kept and can be put back; all processes come to the same answer."""
    record = read_record(out / "run.json")
    if record is not None and record["identity"] == asked.identity and (out / "weights.safetensors").is_file():
        log.info("%s is complete already", out)
        return True
    kept = kept_folder(asked, out)
    if kept is None or not read_index(kept):
        return False
    hardware.wait()  # until all have looked
    return hardware.any(hardware.is_main and put_back(asked, out))


def _hold(stack: ExitStack, folder: Path, hardware: Hardware) -> None:
    """Hold the lock of a run in the main process; the others hear of each look, lest their patience with it ends."""
    if hardware.is_main:
        enter_when_free(stack, partial(state.locked, folder), pause=PAUSE, tell=TELL, looked=hardware.any)
        return
    while not hardware.any(False):
        continue


def _facts(asked: Asked, settings: Settings, inputs: Inputs, seed: int) -> dict:
    return {
        "identity": asked.identity,
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
        "data": {path.stem: asked.inputs[f"data {path.stem}"].meaning for path in inputs.stores},
        "weights": {folder.name: asked.inputs[name].meaning for name, folder in inputs.networks(settings).items()},
        "code": digest(asked.code),
    }


def _publish(model: TrainedModel, folder: Path, out: Path, report: dict, asked: Asked) -> None:
    """Write the run's files, the report last, and keep them; the state stays until a later step has used the run."""
    out.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.contiguous().cpu() for name, value in state.learnt_state(model).items()}
    names = ["weights.safetensors", "README.md", "log.jsonl"]
    with atomic(out / "weights.safetensors") as temporary:
        save_file(tensors, temporary, metadata={"identity": report["identity"]})
    for beside in model.publish(out):
        make_readable(beside)
        names += [path.relative_to(out).as_posix() for path in sorted(beside.rglob("*")) if path.is_file()]
    with atomic(out / "README.md") as temporary:
        temporary.write_text(model_card(report, model.settings), encoding="utf-8")
    with atomic(out / "log.jsonl") as temporary:
        shutil.copyfile(folder / "log.jsonl", temporary)
    write_json(out / "run.json", {**report, KEY: asked.record(meaning=sha256(out / "weights.safetensors"))})
    keep(asked, out, [*names, "run.json"])
