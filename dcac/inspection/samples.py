"""Denoise training images of a finished run under their own, no and another image's condition.

In: a DCAC run, its sources, their cached latents, its prior. Out: pictures and errors, for a figure.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from dcac import declared
from dcac.data.images import decode
from dcac.data.training_set import training_rows
from dcac.inspection.trained_run import TrainedRun, first_images, inputs_of, open_trained, write_arrays
from dcac.methods.dcac.model import DCAC
from dcac.model.conditioning import Prompts
from dcac.model.diffusion import DiffusionPrior, restore_prior
from dcac.model.encoder import Embedding
from dcac.provenance.outputs import require_output
from dcac.provenance.record import ask
from dcac.reading import load_tensors, naming_damage, naming_damaged_part
from dcac.seeding import torch_generator
from dcac.settings import load_settings
from dcac.training.inputs import Inputs
from dcac.training.setup import load_latents

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, DDIMScheduler

IMAGES = 6  # to denoise, unless a person asks for another number
STEPS = 50  # denoising steps from either start; ours, usual for DDIM
STARTS = (499, 999)  # of t in 0..999, half-way and the end; ours: 50 equal steps (of 10, of 20) end in the image itself
CONDITIONS = ("own", "null", "other")
log = logging.getLogger(__name__)


@torch.no_grad()
def run(
    *,
    run_folder: Path,
    config: Path,
    encoder: Path,
    prior: Path,
    stores: Sequence[Path],
    latents: Sequence[Path],
    out: Path,
    device: str,
    count: int = IMAGES,
) -> None:
    """Noise the first image of some identities, denoise it under three conditions, and write what comes back.

    Args:
        run_folder: output of the train step.
        encoder: folder of the pre-trained encoder, for its architecture.
        prior: folder of the latent diffusion model that the run started from.
        stores: normalised files of the run's sources.
        latents: their cached moments, in the same order.
        count: K, evenly spaced identities, at least 2.
        out: .npz with `keys` [K], `p_max` float64 [K] (largest p; NaN for scheme `feature`, which has none),
            `pictures` uint8 [K, 3, S, S], `decoded` (the same, to the latent and back), `starts` int64 [2],
            `signal` float64 [2] (amplitude of F_0 in F_t), `conditions` [3], `samples` uint8 [2, 3, K, 3, S, S],
            `error` float64 [2, 3, K] (mean square against F_0, in scaled latents), `meta`.

    Raises:
        ValueError: the run has no prior, or another one; the sources are not its own; `count` does not fit them.
    """
    require_output(out, ".npz", inputs=[*stores, *latents])
    settings = load_settings(config)
    if not declared.can_sample(settings):
        raise ValueError(
            f"{run_folder} has no prior to sample from under a condition (method {settings.method}); choose a variant that has one"
        )
    inputs = inputs_of(run_folder, encoder=encoder, stores=stores, prior=prior, latents=latents)
    asked = ask(__name__, {} if count == IMAGES else {"count": count}, inputs)
    trained = open_trained(run_folder, config, encoder=encoder, stores=stores, device=device)
    chosen = spaced_images(trained.data.labels, count)
    model = restore_model(trained, prior)
    vae = load_autoencoder(prior, device)
    cached = load_latents(settings, Inputs(stores, encoder, latents, prior))
    clean = cached.scaling_factor * cached.train[chosen].chunk(2, dim=1)[0].to(device)  # the posterior's mean
    tokens, p_max = condition(model, trained, chosen)
    denoised = denoise_all(model.prior, load_ddim(prior), clean, tokens, seed=trained.report["seed"])
    error = (denoised - clean).double().square().mean(dim=(3, 4, 5))
    samples = [[to_pixels(vae, latent) for latent in start] for start in denoised]
    for start, means in zip(STARTS, error.mean(dim=2).tolist(), strict=True):
        log.info("from t = %d: %s", start, ", ".join(f"{n} {v:.4g}" for n, v in zip(CONDITIONS, means, strict=True)))
    arrays = {
        "keys": [trained.data.keys[label] for label in trained.data.labels[chosen]],
        "p_max": p_max,
        "pictures": read_pictures(trained, stores, chosen),
        "decoded": to_pixels(vae, clean),
        "starts": STARTS,
        "signal": model.prior.alphas_cumprod[list(STARTS)].double().sqrt().cpu(),
        "conditions": CONDITIONS,
        "samples": samples,
        "error": error.cpu(),
    }
    write_arrays(out, trained, asked=asked, arrays=arrays)


def spaced_images(labels: np.ndarray, count: int) -> np.ndarray:
    """Choose evenly spaced identities and return the row of each one's first image: int64 [count].

    Raises:
        ValueError: fewer than two are asked for, so that none is another's, or more than there are.
    """
    first = first_images(labels)
    if not 2 <= count <= len(first):
        raise ValueError(f"count {count} is not within 2..{len(first)}, the identities of the run; choose another")
    return first[np.linspace(0, len(first) - 1, count).round().astype(int)]


def restore_model(trained: TrainedRun, prior: Path) -> DCAC:
    """Put Re-ID model, prompts and prior of a run together again, in eval mode."""
    settings, remedy = trained.settings, f"delete {trained.folder} and train the run again"
    tensors = load_tensors(trained.folder / "weights.safetensors", remedy=remedy)
    learnt = {name.removeprefix("prompts."): value for name, value in tensors.items() if name.startswith("prompts.")}
    diffusion = restore_prior(tensors, settings, trained.report["seed"], prior)
    with naming_damage(trained.folder / "weights.safetensors", remedy, also=(RuntimeError,)):
        rows, width = learnt["table"].shape
        prompts = Prompts(rows, width, settings.bottleneck)
        prompts.load_state_dict(learnt)
    return DCAC(trained.reid, settings, diffusion, prompts).to(trained.device).eval()


def condition(model: DCAC, trained: TrainedRun, chosen: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """Return the tokens of the chosen training images, [3, K, 1, width], and their largest p, float64 [K]."""
    embedding = model.reid.head(trained.encode(chosen))
    labels = torch.from_numpy(trained.data.labels[chosen]).to(trained.device)
    memory = trained.prototypes(trained.encode(slice(None))) if model.scheme.by_memory else torch.zeros(0)
    tokens = condition_tokens(model, embedding, labels, memory)
    if not model.scheme.has_p:
        return tokens, np.full(len(chosen), np.nan)
    p = model.scheme.weights(embedding, labels, memory, trained.settings)
    return tokens, p.amax(dim=1).double().cpu().numpy()


def condition_tokens(model: DCAC, embedding: Embedding, labels: Tensor, memory: Tensor) -> Tensor:
    """Stack, in the order of CONDITIONS, the images' own tokens, a token without information, and the next image's.

    Without information is p = 1 / N, or a zero token for the `feature` scheme; the last image takes the first's.

    Returns:
        [3, B, 1, width].
    """
    own = model.context(embedding, labels, memory)
    return torch.stack([own, model.uninformed_context(len(own)), own.roll(-1, dims=0)])


def load_ddim(folder: Path) -> "DDIMScheduler":
    """Load the deterministic sampler of a prior: its last step ends at abar = 1, nothing is clipped."""
    from diffusers import DDIMScheduler

    choices = {"timestep_spacing": "trailing", "set_alpha_to_one": True, "clip_sample": False, "thresholding": False}
    with naming_damaged_part(folder / "scheduler"):
        return DDIMScheduler.from_pretrained(folder / "scheduler", **choices)


def denoise_all(
    prior: DiffusionPrior, scheduler: "DDIMScheduler", clean: Tensor, tokens: Tensor, *, seed: int
) -> Tensor:
    """Denoise from each of STARTS under each condition.

    Args:
        clean: F_0 [B, C, h, w], scaled; noised by one draw an image, shared by starts and conditions.
        tokens: [3, B, 1, width].
        seed: of the run; names the draw.

    Returns:
        [2, 3, B, C, h, w].
    """
    noise = torch.randn(clean.shape, generator=torch_generator(seed, "samples")).to(clean.device)
    denoised = []
    for start in STARTS:
        noisy = prior.add_noise(clean, noise, torch.full((len(clean),), start, device=clean.device))
        denoised.append(torch.stack([denoise(prior, scheduler, noisy, context, start=start) for context in tokens]))
    return torch.stack(denoised)


def denoise(prior: DiffusionPrior, scheduler: "DDIMScheduler", noisy: Tensor, context: Tensor, *, start: int) -> Tensor:
    """Walk from F_start [B, C, h, w] to F_0 under a fixed condition [B, 1, width], by DDIM with eta = 0."""
    scheduler.set_timesteps(len(prior.alphas_cumprod) * STEPS // (start + 1))
    for step in scheduler.timesteps[-STEPS:]:
        steps = step.to(noisy.device).expand(len(noisy))
        predicted = prior.unet(noisy, steps, encoder_hidden_states=context, return_dict=False)[0]
        noisy = scheduler.step(predicted.float(), step, noisy, return_dict=False)[0]
    return noisy


def load_autoencoder(folder: Path, device: str) -> nn.Module:
    """Load the autoencoder of a prior."""
    from diffusers import AutoencoderKL

    with naming_damaged_part(folder / "vae"):
        return AutoencoderKL.from_pretrained(folder / "vae", use_safetensors=True).to(device).eval()


def to_pixels(vae: "AutoencoderKL", latents: Tensor) -> np.ndarray:
    """Decode scaled latents [B, C, h, w] to pictures uint8 [B, 3, S, S]."""
    images = vae.decode(latents / vae.config.scaling_factor).sample
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).byte().cpu().numpy()


def read_pictures(trained: TrainedRun, stores: Sequence[Path], rows: np.ndarray) -> np.ndarray:
    """Read the diffusion view of some training images: uint8 [B, 3, S, S]."""
    splits, size = trained.settings.train_splits, trained.settings.diffusion_image_size
    encoded = pd.concat([training_rows(path, splits)["data"] for path in stores], ignore_index=True)
    return decode(list(encoded[rows]), height=size, width=size)
