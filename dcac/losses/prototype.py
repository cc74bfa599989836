"""L_pcl: each image against the prototypes of all identities."""

from typing import TYPE_CHECKING

from dcac.losses.term import LossTerm

if TYPE_CHECKING:
    from torch import Tensor

    from dcac.model.encoder import Embedding
    from dcac.settings import Settings
    from dcac.training.batches import Batch


def prototype_loss(
    direction: "Tensor", labels: "Tensor", memory: "Tensor", *, temperature: float, logits_dtype: str
) -> "Tensor":
    """Contrast each image with all prototypes: cross-entropy of z_hat M^T / tau_m.

    Args:
        direction: z_hat [B, D], unit length.
        memory: M [N, D], unit rows, as it was before this step's update.
        temperature: tau_m.
        logits_dtype: see `prototype_logits`.

    Source:
        L_pcl of method.md section 2; section 10.1, number 5.
    """
    from torch.nn.functional import cross_entropy

    from dcac.model.similarity import prototype_logits

    logits = prototype_logits(direction, memory, temperature=temperature, logits_dtype=logits_dtype)
    return cross_entropy(logits, labels)


def of_batch(embedding: "Embedding", batch: "Batch", settings: "Settings") -> "Tensor":
    """L_pcl of a batch."""
    return prototype_loss(
        embedding.direction,
        batch.labels,
        batch.memory,
        temperature=settings.prototype_temperature,
        logits_dtype=settings.prototype_logits_dtype,
    )


PROTOTYPE = LossTerm(
    name="prototype",
    weight="prototype_weight",
    label="prototype",
    heading="‖∇ prototype‖",
    loss=of_batch,
)
