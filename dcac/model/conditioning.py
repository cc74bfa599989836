"""Correlation-aware conditioning: how what a scheme says of a batch becomes one context token, c = p E."""

import torch
from torch import Tensor, nn

BOTTLENECK_REDUCTION = 8  # condition_net narrows the token to an eighth; 768 -> 96 in the released code


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
    layers: dict[str, list[nn.Module]] = {
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
