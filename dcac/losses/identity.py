"""L_id: cross-entropy of the class scores against smoothed labels."""

from typing import TYPE_CHECKING

from dcac.losses.term import LossTerm

if TYPE_CHECKING:
    from torch import Tensor

    from dcac.model.encoder import Embedding
    from dcac.settings import Settings
    from dcac.training.batches import Batch


def id_loss(logits: "Tensor", labels: "Tensor", *, smoothing: float) -> "Tensor":
    """Cross-entropy against smoothed labels q = (1 - eps) [j = y] + eps / N.

    Args:
        logits: s [B, N].
        labels: int64 [B].
        smoothing: eps, share.

    Source:
        method.md section 2.
    """
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits, labels, label_smoothing=smoothing)


def of_batch(embedding: "Embedding", batch: "Batch", settings: "Settings") -> "Tensor":
    """L_id of a batch."""
    return id_loss(embedding.logits, batch.labels, smoothing=settings.label_smoothing)


ID = LossTerm(name="id", weight="id_weight", label="ID", heading="‖∇ ID‖", loss=of_batch)
