"""The two Re-ID losses."""

import torch.nn.functional as F
from torch import Tensor

from dcac.model.conditioning import prototype_logits


def id_loss(logits: Tensor, labels: Tensor, *, smoothing: float) -> Tensor:
    """Cross-entropy against smoothed labels q = (1 - eps) [j = y] + eps / N.

    Args:
        logits: s [B, N].
        labels: int64 [B].
        smoothing: eps, share.

    Source:
        method.md section 2.
    """
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def prototype_loss(
    direction: Tensor, labels: Tensor, memory: Tensor, *, temperature: float, logits_dtype: str
) -> Tensor:
    """Contrast each image with all prototypes: cross-entropy of z_hat M^T / tau_m.

    Args:
        direction: z_hat [B, D], unit length.
        memory: M [N, D], unit rows, as it was before this step's update.
        temperature: tau_m.
        logits_dtype: see `prototype_logits`.

    Source:
        L_pcl of method.md section 2; section 10.1, number 5.
    """
    logits = prototype_logits(direction, memory, temperature=temperature, logits_dtype=logits_dtype)
    return F.cross_entropy(logits, labels)
