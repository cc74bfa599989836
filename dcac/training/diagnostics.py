"""Does the prior speak? Gradient of each loss at the encoder's features, sharpness of p, and held-out noise loss."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dcac.model.dcac import DCAC
from dcac.model.latents import DiffusionBatch


@dataclass(frozen=True)
class HeldOut:
    """Images of people never trained on, with fixed noise and time steps, so that epochs compare."""

    images: Tensor  # float [H, 3, height, width], test view
    batch: DiffusionBatch

    def to(self, device: torch.device) -> "HeldOut":
        """Copy it to a device."""
        return HeldOut(self.images.to(device), DiffusionBatch(*(part.to(device) for part in self.batch)))


def gradients(terms: dict[str, Tensor], feature: Tensor, *, scale: float) -> dict[str, float]:
    """Norm of each unweighted loss term's gradient at the encoder's features, and the cosine with the other terms.

    Args:
        terms: scalar losses of one batch, graph still alive: `id`, `prototype` and, with a prior, `noise`.
        feature: f [B, D], the features the terms were computed from.
        scale: multiplies the terms on their way back and is divided out again: half precision loses small gradients.

    Returns:
        `gradient_{term}` for every term; `cosine_noise` between the noise term and the sum of the others, when both
        have a gradient. A value that overflows under the scale is left out.
    """
    found = {
        name: torch.autograd.grad(scale * term, feature, retain_graph=True, allow_unused=True)[0]
        for name, term in terms.items()
    }
    report = {f"gradient_{name}": 0.0 if grad is None else grad.norm().item() / scale for name, grad in found.items()}
    noise = found.pop("noise", None)
    if noise is not None and noise.any():
        others = sum(grad for grad in found.values() if grad is not None)
        report["cosine_noise"] = torch.nn.functional.cosine_similarity(noise.flatten(), others.flatten(), dim=0).item()
    return {name: value for name, value in report.items() if math.isfinite(value)}


def sharpness(p: Tensor) -> dict[str, float]:
    """Mean largest probability and mean entropy (nats) of class correlations p [B, N]."""
    entropy = torch.special.entr(p).sum(dim=1)
    return {"p_max": p.max(dim=1).values.mean().item(), "p_entropy": entropy.mean().item()}


@torch.no_grad()
def held_out_noise_loss(model: DCAC, held_out: HeldOut, memory: Tensor, *, size: int) -> dict[str, float]:
    """Noise loss of unseen images under their own condition, none, and another image's.

    `null` mixes all prompts equally (p = 1 / N; a zero token for the `feature` scheme): a token without information.
    `other` takes the condition of an image half the set away. The same noise and steps serve all three, so that the
    differences are paired.

    Args:
        size: images a forward pass.

    Returns:
        `noise_own`, `noise_null`, `noise_other`; empty where the condition needs a label.
    """
    if model.scheme.by_label:
        return {}
    training = model.training
    model.eval()
    chunks = [model.reid(images) for images in held_out.images.split(size)]
    own = torch.cat([model.context(embedding, labels=torch.zeros(0), memory=memory) for embedding in chunks])
    contexts = {"own": own, "null": model.uninformed_context(len(own)), "other": own.roll(len(own) // 2, dims=0)}
    losses = {f"noise_{name}": _noise_loss(model, held_out.batch, context, size) for name, context in contexts.items()}
    model.train(training)
    return losses


def _noise_loss(model: DCAC, batch: DiffusionBatch, context: Tensor, size: int) -> float:
    parts = zip(*(part.split(size) for part in (*batch, context)), strict=True)
    losses = [
        model.prior.loss_per_image(latents=latents, context=token, noise=noise, steps=steps)
        for latents, noise, steps, token in parts
    ]
    return torch.cat(losses).mean().item()
