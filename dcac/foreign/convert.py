"""Convert the authors' released checkpoints into run folders, and runs of ours into their format.

In: a released `.pth` and settings, or a run folder and its prior. Out: a run folder that `extract` reads, or a `.pth`.
"""

import hashlib
import json
import logging
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from dcac import declared
from dcac.foreign import released_names as names
from dcac.foreign.compvis import vae_to_compvis
from dcac.foreign.schedule_buffers import schedule_buffers
from dcac.foreign.stable_diffusion import UNET
from dcac.foreign.tensor_file import read_tensors
from dcac.model.diffusion import restore_prior
from dcac.provenance import atomic, fingerprint, sha256, write_json
from dcac.provenance.outputs import require_output
from dcac.provenance.runs import require_own_weights
from dcac.reading import load_tensors, naming_damaged_part
from dcac.settings import Settings, load_settings, parse_settings

SEED = 0  # of a converted run: it draws nothing, but the seed is part of a run's name
log = logging.getLogger(__name__)


def run(*, source: Path, out: Path, config: Path | None, prior: Path | None) -> None:
    """Convert in the direction that the source tells: a file into a run folder, a run folder into a file.

    Args:
        source: released `.pth`, or folder of a trained run.
        config: merged settings of the run to be; for a file only.
        prior: folder of the latent diffusion model the run started from; for a folder only, not for a baseline.

    Raises:
        ValueError: the source is refused, or does not fit the settings; an argument is missing.
    """
    if source.is_dir():
        require_output(out, ".pth", inputs=[source])
        write_released(source, out, prior)
    elif config is None:
        raise ValueError(f"{source} is read as a released checkpoint, which holds no settings; add --config FILE")
    else:
        read_released(source, out, load_settings(config))


def read_released(source: Path, out: Path, settings: Settings) -> None:
    """Write weights and report of a run from a released checkpoint."""
    tensors = names.to_ours(read_tensors(source), settings, UNET["sd-1"])
    facts = {
        "settings": settings.model_dump(mode="json"),
        "seed": SEED,
        "data": {},
        "weights": {source.name: sha256(source)},
        "code": fingerprint("convert"),
    }
    identity = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    with atomic(out / "weights.safetensors") as temporary:
        save_file({n: v.contiguous() for n, v in tensors.items()}, temporary, metadata={"identity": identity})
    write_json(out / "run.json", {**facts, "identity": identity, "epoch": {}})


def write_released(folder: Path, out: Path, prior: Path | None) -> None:
    """Write a run as one flat tensor file under the released names, complete for a strict load.

    Raises:
        ValueError: the run is not finished or damaged, its weights are not its own, or `prior` is not the one it had.
    """
    remedy = f"delete {folder} and train the run again"
    report = require_own_weights(folder)
    settings = parse_settings(report["settings"], f"{folder}/run.json")
    tensors = load_tensors(folder / "weights.safetensors", remedy=remedy)
    released = names.reid_to_released(tensors)
    if declared.needed(settings, "prior") is not None:
        if prior is None:
            raise ValueError(
                f"the frozen U-Net is not kept in {folder}; add --prior FOLDER, the one it was trained with"
            )
        released |= names.prompts_to_released(tensors) | _denoiser(tensors, settings, report["seed"], prior)
    with atomic(out) as temporary:
        torch.save({name: value.contiguous() for name, value in released.items()}, temporary)
    log.info("%s: %d tensors, %.2e values", out, len(released), sum(value.numel() for value in released.values()))


def _denoiser(tensors: dict[str, Tensor], settings: Settings, seed: int, folder: Path) -> dict[str, Tensor]:
    from diffusers import AutoencoderKL, DDPMScheduler

    if settings.lora_ffn_output:
        raise ValueError("lora_ffn_output is true; the released network has no place for those adapters")
    unet = restore_prior(tensors, settings, seed, folder).unet
    released = names.unet_to_released(unet.state_dict(), unet.config, adapted=settings.diffusion == "lora")
    with naming_damaged_part(folder / "vae"):
        vae = AutoencoderKL.from_pretrained(folder / "vae", use_safetensors=True)
    autoencoder = vae_to_compvis(vae.state_dict(), vae.config)
    released |= {names.AUTOENCODER + name: value for name, value in autoencoder.items()}
    with naming_damaged_part(folder / "scheduler"):
        scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
    buffers = schedule_buffers(scheduler.betas)
    return released | {f"denoiser.{name}": value for name, value in buffers.items()}
