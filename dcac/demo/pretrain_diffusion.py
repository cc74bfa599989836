"""Pre-train the demo's latent diffusion model on the broad synthetic domain: a stand-in for Stable Diffusion.

In: a normalised file. Out: a folder in the diffusers layout (vae, unet, scheduler). Like Stable Diffusion, the U-Net is
conditioned on captions with drop-out; here a caption is one token, made from the renderer's attributes. On pictures
without captions it learns the unconditional model: its only token is the one that stands for no caption.
"""

import logging
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn

from dcac.data.images import decode
from dcac.data.store import read_split, store_input
from dcac.demo.captions import captions_of
from dcac.demo.recipes import DiffusionPretraining
from dcac.model.diffusion import DiffusionPrior, use_single_token
from dcac.model.latents import draw, encode, sample
from dcac.provenance import environment
from dcac.provenance.code import digest
from dcac.provenance.networks import finish_network, put_back_network, require_network_folder
from dcac.provenance.record import ask
from dcac.seeding import torch_generator

KL_WEIGHT = 1.0e-4  # of the autoencoder's prior; latent-diffusion practice: small, so that latents stay informative
CAPTION_DROPOUT = 0.2  # share of captions replaced by the learnt null token; demo.md section 3
TIME_STEPS = 1000  # of Stable Diffusion's noise schedule
HELD_OUT_SHARE = 0.05  # of the images are never trained on, for the reported losses
log = logging.getLogger(__name__)


def build_autoencoder() -> AutoencoderKL:
    """Make the small VAE: a factor of 4 in each direction, 4 channels."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 16, 32),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=32,
    )


def build_unet(*, sample_size: int, channels: tuple[int, int], context: int) -> UNet2DConditionModel:
    """Make the small U-Net with cross-attention at both levels."""
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=channels,
        layers_per_block=1,
        cross_attention_dim=context,
        attention_head_dim=8,
        norm_num_groups=8,
    )


def build_scheduler() -> DDPMScheduler:
    """Make Stable Diffusion's noise schedule."""
    return DDPMScheduler(
        beta_start=8.5e-4,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        num_train_timesteps=TIME_STEPS,
        clip_sample=False,
    )


class CaptionEncoder(nn.Module):
    """Turn attributes [B, A] into one context token [B, 1, width]; a learnt token stands for no caption."""

    def __init__(self, attributes: int, width: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(attributes, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
        self.null = nn.Parameter(torch.randn(width))

    def forward(self, captions: Tensor, dropped: Tensor) -> Tensor:
        """Encode captions; `dropped` bool [B] marks those replaced by the null token."""
        return torch.where(dropped[:, None], self.null, F.layer_norm(self.layers(captions), self.null.shape))[:, None]


class EmptyPrompt(nn.Module):
    """The learnt token of no caption, whatever the picture."""

    def __init__(self, width: int):
        super().__init__()
        self.null = nn.Parameter(torch.randn(width))

    def forward(self, captions: Tensor, dropped: Tensor) -> Tensor:
        """Return the token for each of [B, 0] captions: [B, 1, width]."""
        return self.null.expand(len(captions), 1, -1)


def train_autoencoder(images: Tensor, settings: DiffusionPretraining, device: str) -> AutoencoderKL:
    """Fit the VAE on images in -1..1 [M, 3, S, S]; afterwards its latents have unit variance under `scaling_factor`."""
    vae = build_autoencoder().to(device)
    optimiser = torch.optim.AdamW(vae.parameters(), lr=settings.autoencoder_learning_rate, fused=True)
    rate, steps = settings.autoencoder_learning_rate, settings.autoencoder_steps
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.05)
    generator = torch_generator(settings.seed, "autoencoder")
    for step in range(steps):
        chosen = torch.randint(len(images), (settings.batch,), generator=generator)
        batch = images[chosen].to(device)
        posterior = vae.encode(batch).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(device)
        rebuilt = vae.decode(posterior.mean + posterior.std * noise).sample
        error = F.mse_loss(rebuilt, batch)
        loss = error + KL_WEIGHT * posterior.kl().mean() / batch[0].numel() * 100
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if (step + 1) % 50 == 0:
            log.info("autoencoder step %d of %d: squared error %.4f", step + 1, steps, error.item())
    return vae.eval()


def train_unet(
    moments: Tensor, captions: Tensor, scale: float, settings: DiffusionPretraining, device: str
) -> tuple[DiffusionPrior, dict]:
    """Fit the U-Net to predict noise under captions [M, A]; return it with its held-out losses.

    These are under own, null and other captions; without captions (A = 0) under none.
    """
    size, held_out = moments.shape[-1], max(1, round(HELD_OUT_SHARE * len(moments)))
    unet = build_unet(sample_size=size, channels=settings.unet_channels, context=settings.context_width)
    prior = DiffusionPrior(use_single_token(unet), build_scheduler().alphas_cumprod).to(device)
    width, attributes = settings.context_width, captions.shape[1]
    text = (CaptionEncoder(attributes, width) if attributes else EmptyPrompt(width)).to(device)
    optimiser = torch.optim.AdamW([*prior.parameters(), *text.parameters()], lr=settings.unet_learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.unet_learning_rate, total_steps=settings.unet_steps, pct_start=0.05
    )
    generator, sum_loss = torch_generator(settings.seed, "unet"), 0.0
    for step in range(settings.unet_steps):
        chosen = torch.randint(held_out, len(moments), (settings.batch,), generator=generator)
        dropped = torch.rand(settings.batch, generator=generator) < CAPTION_DROPOUT
        loss = prior.loss_per_image(
            **_draw(moments[chosen], scale, generator, device),
            context=text(captions[chosen].to(device), dropped.to(device)),
        ).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        sum_loss += loss.item()
        if (step + 1) % 50 == 0:
            log.info("U-Net step %d of %d: noise loss %.4f", step + 1, settings.unet_steps, sum_loss / 50)
            sum_loss = 0.0
    return prior, _held_out(prior, text, moments[:held_out], captions[:held_out], scale, device)


@torch.no_grad()
def _held_out(
    prior: DiffusionPrior, text: nn.Module, moments: Tensor, captions: Tensor, scale: float, device: str
) -> dict:
    drawn = _draw(moments, scale, torch_generator(0, "held-out"), device)
    none, captions = torch.zeros(len(moments), dtype=torch.bool, device=device), captions.to(device)
    contexts = {"null": text(captions, ~none)}
    if captions.shape[1]:
        contexts |= {"own": text(captions, none), "other": text(captions.roll(len(captions) // 2, 0), none)}
    return {
        f"noise_{name}": prior.loss_per_image(**drawn, context=token).mean().item() for name, token in contexts.items()
    }


def _draw(moments: Tensor, scale: float, generator: torch.Generator, device: str) -> dict[str, Tensor]:
    drawn = draw(moments, scale, TIME_STEPS, generator)
    return {name: part.to(device) for name, part in drawn._asdict().items()}


def run(*, store: Path, settings: DiffusionPretraining, out: Path, device: str) -> None:
    """Train the demo's autoencoder and U-Net and save them as a diffusers folder with a manifest.

    Raises:
        ValueError: the train split holds fewer than two images, or captions for a part of them only.
    """
    require_network_folder(out)
    asked = ask(__name__, settings.model_dump(mode="json"), {"data": store_input(store)})
    if put_back_network(asked, out):
        return
    rows = read_split(store, "train")
    if len(rows) < 2:
        raise ValueError(f"{store} holds {len(rows)} train image; a prior learns from two or more, one is held out")
    captions = captions_of(rows, store)
    if captions.shape[1] == 0:
        log.info("%s has no captions: an unconditional prior is trained, with one token for all pictures", store)
    pixels = decode(list(rows["data"]), height=settings.image_size, width=settings.image_size)
    images = torch.from_numpy(pixels)
    order = torch.randperm(len(images), generator=torch_generator(settings.seed, "order"))
    images, captions = images[order], captions[order]
    torch.manual_seed(settings.seed)
    vae = train_autoencoder(images.float() / 127.5 - 1, settings, device)
    moments = encode(vae, images.numpy(), device)
    scale = 1 / sample(moments, torch.randn(moments[:, :4].shape), 1.0).std().item()
    vae.register_to_config(scaling_factor=scale)
    prior, held_out = train_unet(moments, captions, scale, settings, device)
    log.info("held-out noise loss: %s", held_out)
    vae.save_pretrained(out / "vae", safe_serialization=True)
    prior.unet.save_pretrained(out / "unet", safe_serialization=True)
    build_scheduler().save_pretrained(out / "scheduler")
    notes = {"code": digest(asked.code), "settings": settings.model_dump(mode="json"), **held_out}
    finish_network(out, asked, {**notes, "environment": environment()})
