"""Correlation-aware conditioning: how a batch's class correlation p becomes one context token c = p E."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from dcac.model.encoder import Embedding
from dcac.settings import Settings

BOTTLENECK_REDUCTION = 8  # condition_net narrows the token to an eighth; 768 -> 96 in the released code


def correlation(embedding: Embedding, labels: Tensor, memory: Tensor, settings: Settings) -> Tensor:
    """Return p [B, N], how much each image resembles each training identity.

    Args:
        embedding: the batch, from the Re-ID branch; gradients flow back into it.
        labels: int64 [B], used by the hard-label control only.
        memory: unit prototypes [N, D], used by `pcl`.

    Source:
        method.md section 4: fc = softmax(s / tau); pcl = softmax(z_hat M^T / tau_m); fc+pcl = their mean.
    """
    if settings.condition == "hard":
        return torch.zeros_like(embedding.logits).scatter_(1, labels[:, None], 1.0)
    by_class = (embedding.logits / settings.condition_temperature).softmax(dim=1)
    if settings.condition == "fc":
        return by_class
    by_prototype = prototype_logits(
        embedding.direction,
        memory,
        temperature=settings.prototype_temperature,
        logits_dtype=settings.prototype_logits_dtype,
    ).softmax(dim=1)
    return by_prototype if settings.condition == "pcl" else (by_class + by_prototype) / 2


def prototype_logits(direction: Tensor, memory: Tensor, *, temperature: float, logits_dtype: str) -> Tensor:
    """Compare each image with all prototypes: z_hat M^T / tau_m, float32 [B, N].

    Args:
        direction: z_hat [B, D], unit length.
        memory: M [N, D], unit rows.
        temperature: tau_m.
        logits_dtype: `fp32` under autocast too, because tau_m magnifies the rounding; `autocast` as the released code.

    Source:
        method.md section 2; section 10.1, number 5.
    """
    half = logits_dtype == "autocast"
    with nullcontext() if half else torch.autocast(direction.device.type, enabled=False):
        logits = direction.float() @ memory.T / temperature
    return logits.float()


class Prompts(nn.Module):
    """Learnable ID-wise prompts E and the bottleneck behind p E."""

    def __init__(self, rows: int, width: int, bottleneck: str):
        super().__init__()
        self.table = nn.Parameter(torch.empty(rows, width))
        self.bottleneck = build_bottleneck(bottleneck, width)

    def initialise(self, std: float, generator: torch.Generator) -> None:
        """Draw E, and the bottleneck's linear layers, from N(0, std^2)."""
        with torch.no_grad():
            for weight in [self.table, *(m.weight for m in self.bottleneck.modules() if isinstance(m, nn.Linear))]:
                weight.copy_(torch.randn(weight.shape, generator=generator) * std)

    def forward(self, weights: Tensor) -> Tensor:
        """Mix the prompts: weights [B, rows] -> one context token [B, 1, width]."""
        return self.bottleneck(weights @ self.table).unsqueeze(1)


def build_bottleneck(name: str, width: int) -> nn.Module:
    """Build the module between p E and the token; `embedding` is the identity (published setting)."""
    narrow = max(1, width // BOTTLENECK_REDUCTION)
    layers = {
        "embedding": [],
        "silu": [nn.SiLU()],
        "bn": [nn.BatchNorm1d(width)],
        "bn+silu": [nn.BatchNorm1d(width), nn.SiLU()],
        "condition_net": [
            nn.BatchNorm1d(width),
            nn.SiLU(),
            nn.Linear(width, narrow, bias=False),
            nn.BatchNorm1d(narrow),
            nn.SiLU(),
            nn.Linear(narrow, width, bias=False),
        ],
    }
    return nn.Sequential(*layers[name])
