"""Train one run: a source set, a variant, a seed.

In: settings, normalised files, cached latents, pre-trained networks. Out: weights.safetensors, log.jsonl, run.json.
Typing the same command again continues where it stopped.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from safetensors.torch import save_file

from dcac.data.store import read_manifest
from dcac.model.dcac import DCAC
from dcac.provenance import atomic, environment, fingerprint, make_readable, write_json
from dcac.reading import read_json
from dcac.settings import Runtime, Settings, load_settings
from dcac.training import state
from dcac.training.card import model_card
from dcac.training.hardware import Hardware
from dcac.training.trainer import Trainer

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

    Raises:
        Stopped: on SIGTERM or SIGUSR1, after saving.
    """
    settings = load_settings(config)
    facts = _facts(settings, stores, encoder, prior, seed)
    identity = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    folder = out.with_name(out.name + ".state")
    hardware = Hardware(device, settings.precision)
    if _finished(out, identity):
        log.info("%s is complete already", out)
        if hardware.is_main:
            shutil.rmtree(folder, ignore_errors=True)  # a run that was killed on its last line leaves it
        return
    header = {**facts, "environment": environment(), **hardware.facts(), "runtime": runtime.model_dump()}
    with state.locked(folder) if hardware.is_main else nullcontext():
        trainer = Trainer(settings, stores, latents, encoder, prior, seed=seed, hardware=hardware, runtime=runtime)
        summary = trainer.fit(folder, identity, header=header)
        if hardware.is_main:
            _publish(trainer.model, folder, out, {**facts, "identity": identity, **summary})
    hardware.wait()
    if hardware.is_main:
        shutil.rmtree(folder)


def _facts(settings: Settings, stores: Sequence[Path], encoder: Path, prior: Path | None, seed: int) -> dict:
    data = {path.stem: read_manifest(path)["sha256"] for path in stores}
    networks = {folder.name: _weights_hash(folder) for folder in (encoder, prior) if folder is not None}
    return {
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
        "data": data,
        "weights": networks,
        "code": fingerprint("train"),
    }


def _weights_hash(folder: Path) -> str:
    path = folder / "manifest.json"
    read_json(path, keys=("files",), remedy=f"delete {folder} and run `snakemake {path}` to make these weights again")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _finished(out: Path, identity: str) -> bool:
    report = out / "run.json"
    if not report.is_file():
        return False
    return read_json(report, keys=("identity",), remedy=f"delete {out} to train the run again")["identity"] == identity


def _publish(model: DCAC, folder: Path, out: Path, report: dict) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.contiguous().cpu() for name, value in state.learnt_state(model).items()}
    with atomic(out / "weights.safetensors") as temporary:
        save_file(tensors, temporary, metadata={"identity": report["identity"]})
    if model.settings.diffusion == "lora":
        model.prior.unet.save_lora_adapter(out / "lora")
        make_readable(out / "lora")
    with atomic(out / "README.md") as temporary:
        temporary.write_text(model_card(report, model.settings), encoding="utf-8")
    shutil.copyfile(folder / "log.jsonl", out / "log.jsonl")
    write_json(out / "run.json", report)
