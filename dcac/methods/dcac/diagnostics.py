"""Does the prior speak? Sharpness of p, and the noise loss of people never trained on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dcac.methods.trained import HeldOut
from dcac.model.latents import DiffusionBatch

NORMAL_95 = 1.96  # standard errors on either side of a mean that hold 95 % of a normal distribution

if TYPE_CHECKING:
    from dcac.methods.dcac.model import DCAC


def sharpness(p: Tensor) -> dict[str, float]:
    """Mean largest probability and mean entropy (nats) of class correlations p [B, N]."""
    entropy = torch.special.entr(p).sum(dim=1)
    return {"p_max": p.max(dim=1).values.mean().item(), "p_entropy": entropy.mean().item()}


@torch.no_grad()
def held_out_noise_loss(model: "DCAC", held_out: HeldOut, memory: Tensor, *, size: int) -> dict[str, float]:
    """Noise loss of unseen images under their own condition, none, and another image's.

    `null` mixes all prompts equally (p = 1 / N; a zero token for the `feature` scheme): a token without information.
    `other` takes the condition of an image half the set away. The same noise and steps serve all three, so that the
    differences are paired over images; an image's loss is the mean over its draws.

    Args:
        size: images a forward pass.

    Returns:
        `noise_own`, `noise_null`, `noise_other`; with two images or more also the 95 % intervals of null minus own,
        `noise_null_low` and `noise_null_high`, and of other minus null, `noise_other_low` and `noise_other_high`.
        Empty where the condition needs a label.
    """
    if model.scheme.by_label:
        return {}
    training = model.training
    model.eval()
    chunks = [model.reid(images) for images in held_out.images.split(size)]
    own = torch.cat([model.context(embedding, labels=torch.zeros(0), memory=memory) for embedding in chunks])
    contexts = {"own": own, "null": model.uninformed_context(len(own)), "other": own.roll(len(own) // 2, dims=0)}
    losses = {name: _noise_losses(model, held_out.draws, context, size) for name, context in contexts.items()}
    model.train(training)
    report = {f"noise_{name}": loss.mean().item() for name, loss in losses.items()}
    if len(own) > 1:
        report |= _interval("noise_null", losses["null"] - losses["own"])
        report |= _interval("noise_other", losses["other"] - losses["null"])
    return report


def _interval(name: str, differences: Tensor) -> dict[str, float]:
    """Bound the mean of paired differences [H] by its normal interval."""
    mean, reach = differences.mean().item(), NORMAL_95 * differences.std().item() / len(differences) ** 0.5
    return {f"{name}_low": mean - reach, f"{name}_high": mean + reach}


def _noise_losses(model: "DCAC", draws: Sequence[DiffusionBatch], context: Tensor, size: int) -> Tensor:
    """Noise loss of each image [H], the mean over its draws."""
    return torch.stack([_noise_loss(model, batch, context, size) for batch in draws]).mean(dim=0)


def _noise_loss(model: "DCAC", batch: DiffusionBatch, context: Tensor, size: int) -> Tensor:
    parts = zip(*(part.split(size) for part in (*batch, context)), strict=True)
    losses = [
        model.prior.loss_per_image(latents=latents, context=token, noise=noise, steps=steps)
        for latents, noise, steps, token in parts
    ]
    return torch.cat(losses)
