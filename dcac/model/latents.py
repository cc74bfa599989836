"""Cache the VAE's posterior of every image once per data set.

In: a normalised file and a VAE folder. Out: a safetensors file with the moments of every split, and its sidecar.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from dcac.data.images import decode
from dcac.data.store import iter_split, store_input, stored_splits, verified
from dcac.provenance import atomic, sha256, write_json
from dcac.provenance.code import digest
from dcac.provenance.keep import keep, put_back
from dcac.provenance.networks import network_input
from dcac.provenance.outputs import require_output
from dcac.provenance.record import KEY, Input, ask, given, sidecar_of
from dcac.reading import naming_damaged_part, open_tensors, read_json

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

BATCH = 64  # images a forward pass
log = logging.getLogger(__name__)


class DiffusionBatch(NamedTuple):
    """The diffusion view of a batch and its draws."""

    latents: Tensor  # F_0 [B, C, h, w], scaled
    noise: Tensor  # eps [B, C, h, w]
    steps: Tensor  # t int64 [B]


def run(*, store: Path, prior: Path, size: int, out: Path, device: str) -> None:
    """Encode the diffusion view of every image.

    Args:
        store: normalised file.
        prior: folder in the diffusers layout, with `vae/` and its manifest.
        size: pixels of the square diffusion view.
        out: safetensors with a tensor a split (train, query, gallery), float32 [M, 2 C, h, w] (mean and log-variance),
            in store order. Beside it the sidecar, its name and `.json`.
    """
    require_output(out, ".safetensors", inputs=[store])
    asked = ask(__name__, {"size": size}, {"data": store_input(store), "autoencoder": network_input(prior, "vae/")})
    if put_back(asked, out.parent, [out.name, sidecar_of(out).name]):
        return
    verified(store)
    from diffusers import AutoencoderKL

    with naming_damaged_part(prior / "vae"):
        vae = AutoencoderKL.from_pretrained(prior / "vae", use_safetensors=True).to(device).eval()
    tensors = {}
    for split in stored_splits(store):
        parts = (decode(rows["data"], height=size, width=size) for rows in iter_split(store, split))  # squashed only
        tensors[split] = torch.cat([encode(vae, images, device) for images in parts])
        log.info("%s %s: moments %s", store.stem, split, tuple(tensors[split].shape))
    notes = {
        "scaling_factor": repr(float(vae.config.scaling_factor)),
        "data": asked.inputs["data"].meaning,
        "size": str(size),
        "autoencoder": asked.inputs["autoencoder"].meaning,
        "code": digest(asked.code),
    }
    with atomic(out) as temporary:
        save_file(tensors, temporary, metadata=notes)
    sidecar = sidecar_of(out)
    write_json(sidecar, {**notes, "sha256": sha256(out), KEY: asked.record()})
    keep(asked, out.parent, [out.name, sidecar.name])


@torch.no_grad()
def encode(vae: "AutoencoderKL", images: np.ndarray, device: str) -> Tensor:
    """Return the posterior's moments, mean and log-variance stacked: float32 [M, 2 C, h, w]."""
    chunks = []
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(images[start : start + BATCH]).to(device).float() / 127.5 - 1
        posterior = vae.encode(batch).latent_dist
        chunks.append(torch.cat([posterior.mean, posterior.logvar], dim=1).float().cpu())
    return torch.cat(chunks).contiguous()  # wide convolutions choose a channels-last layout, which safetensors refuses


def sample(moments: Tensor, noise: Tensor, scaling_factor: float) -> Tensor:
    """Draw F_0 = scale (mean + std n) from cached moments [B, 2 C, h, w] with noise n [B, C, h, w]."""
    mean, logvar = moments.chunk(2, dim=1)
    return scaling_factor * (mean + (0.5 * logvar).exp() * noise)


def draw(moments: Tensor, scaling_factor: float, num_steps: int, generator: torch.Generator) -> DiffusionBatch:
    """Draw F_0 from cached moments [B, 2 C, h, w], and noise and time steps for it, in this order, on the CPU."""
    shape = (len(moments), moments.shape[1] // 2, *moments.shape[2:])
    return DiffusionBatch(
        latents=sample(moments, torch.randn(shape, generator=generator), scaling_factor),
        noise=torch.randn(shape, generator=generator),
        steps=torch.randint(0, num_steps, (len(moments),), generator=generator),
    )


def load_moments(
    path: Path, splits: Sequence[str], *, store: Path, prior: Path | None, size: int
) -> tuple[dict[str, Tensor], float]:
    """Read the cached moments of some splits and the VAE's scaling factor.

    Args:
        store: normalised file they must come from.
        prior: folder whose autoencoder must have made them; None: any may have, of a method that needs no prior.
        size: pixels of the square diffusion view they must show.

    Raises:
        ValueError: the cache belongs to another version of the data, another autoencoder or another size.
    """
    wanted = {
        "data": (store_input(store).meaning, f"another version of {store}"),
        "size": (str(size), f"images of another size than {size} pixels"),
    }
    if prior is not None:
        wanted["autoencoder"] = (network_input(prior, "vae/").meaning, f"another autoencoder than that of {prior}")
    with open_tensors(path, remedy="delete it and run the latents step again") as archive:
        notes = archive.metadata() or {}
        for note, (value, what) in wanted.items():
            if notes.get(note) != value:
                raise ValueError(f"{path} was made from {what}; delete it and run the step again")
        return {split: archive.get_tensor(split) for split in splits}, float(json.loads(notes["scaling_factor"]))


def latents_input(path: Path) -> Input:
    """Describe cached latents as an input: by what they were made from, since a GPU makes them anew only up to rounding."""
    return given(sidecar_of(path), lambda: sha256(path))


def verify_latents(path: Path) -> None:
    """Refuse cached latents that are not those of their sidecar.

    Raises:
        ValueError: the file was damaged, replaced or changed.
    """
    sidecar = sidecar_of(path)
    remedy = f"delete {path} and run `latents` again"
    if sha256(path) != read_json(sidecar, keys=("sha256",), remedy=remedy)["sha256"]:
        raise ValueError(f"{path} is not the file of its sidecar (sha256 differs); delete it and run `latents` again")
