"""How like the prototypes of all identities an image is."""

from torch import Tensor

from dcac.model import as_released


def prototype_logits(direction: Tensor, memory: Tensor, *, temperature: float, logits_dtype: str) -> Tensor:
    """Compare each image with all prototypes: z_hat M^T / tau_m, float32 [B, N].

    Args:
        direction: z_hat [B, D], unit length.
        memory: M [N, D], unit rows.
        temperature: tau_m.
        logits_dtype: `fp32`, under autocast too, or `autocast`.

    Source:
        method.md section 2; section 10.1, number 5.
    """
    with as_released.prototype_precision(logits_dtype, direction.device):
        logits = direction.float() @ memory.T / temperature
    return logits.float()
