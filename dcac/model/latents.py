"""Cache the VAE's posterior of every image once per data set.

In: a normalised file and a VAE folder. Out: a safetensors file with the moments of the train and query splits.
"""

import json
import logging
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from dcac.data.images import decode
from dcac.data.store import read_manifest, read_split
from dcac.provenance import atomic, fingerprint

BATCH = 64  # images a forward pass
SPLITS = ("train", "query")  # query serves the held-out diagnostics only
log = logging.getLogger(__name__)


def run(*, store: Path, prior: Path, size: int, out: Path, device: str) -> None:
    """Encode the diffusion view of every train and query image.

    Args:
        store: normalised file.
        prior: folder in the diffusers layout, with `vae/`.
        size: pixels of the square diffusion view.
        out: safetensors with `train` and `query`, float32 [M, 2 C, h, w] (mean and log-variance), in store order.
    """
    from diffusers import AutoencoderKL

    vae = AutoencoderKL.from_pretrained(prior / "vae", use_safetensors=True).to(device).eval()
    tensors = {}
    for split in SPLITS:
        images = decode(read_split(store, split)["data"], height=size, width=size)  # squashed, never augmented
        tensors[split] = encode(vae, images, device)
        log.info("%s %s: moments %s", store.stem, split, tuple(tensors[split].shape))
    notes = {
        "scaling_factor": repr(float(vae.config.scaling_factor)),
        "data_sha256": read_manifest(store)["sha256"],
        "size": str(size),
        "code": fingerprint("latents"),
    }
    with atomic(out) as temporary:
        save_file(tensors, temporary, metadata=notes)


@torch.no_grad()
def encode(vae: torch.nn.Module, images: np.ndarray, device: str) -> Tensor:
    """Return the posterior's moments, mean and log-variance stacked: float32 [M, 2 C, h, w]."""
    chunks = []
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(images[start : start + BATCH]).to(device).float() / 127.5 - 1
        posterior = vae.encode(batch).latent_dist
        chunks.append(torch.cat([posterior.mean, posterior.logvar], dim=1).float().cpu())
    return torch.cat(chunks)


def sample(moments: Tensor, noise: Tensor, scaling_factor: float) -> Tensor:
    """Draw F_0 = scale (mean + std n) from cached moments [B, 2 C, h, w] with noise n [B, C, h, w]."""
    mean, logvar = moments.chunk(2, dim=1)
    return scaling_factor * (mean + (0.5 * logvar).exp() * noise)


def load_moments(path: Path, *, store: Path) -> tuple[dict[str, Tensor], float]:
    """Read cached moments and the VAE's scaling factor.

    Raises:
        ValueError: the cache belongs to another version of the data.
    """
    with safe_open(path, framework="pt") as archive:
        notes = archive.metadata()
        if notes["data_sha256"] != read_manifest(store)["sha256"]:
            raise ValueError(f"{path} was made from another version of {store}; delete it and run the step again")
        return {split: archive.get_tensor(split) for split in SPLITS}, float(json.loads(notes["scaling_factor"]))
