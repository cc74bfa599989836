"""How like the prototypes of all identities an image is."""

from contextlib import nullcontext

import torch
from torch import Tensor


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
