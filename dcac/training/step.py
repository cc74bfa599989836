"""The training step: a batch, the model and the settings give the loss terms, and these the joint loss."""

from torch import Tensor

from dcac.model.dcac import DCAC
from dcac.model.encoder import Embedding
from dcac.settings import Settings
from dcac.training.batches import Batch
from dcac.training.losses import id_loss, prototype_loss


def joint_loss(terms: dict[str, Tensor], settings: Settings) -> Tensor:
    """Weigh the terms and add them up: L = w_id L_id + w_pcl L_pcl + lambda L_diff; the baseline has no L_diff.

    Source:
        method.md section 3.
    """
    weights = {"id": settings.id_weight, "prototype": settings.prototype_weight, "noise": settings.noise_weight}
    return sum(weights[name] * value for name, value in terms.items())


def loss_terms(model: DCAC, embedding: Embedding, batch: Batch, settings: Settings) -> dict[str, Tensor]:
    """Compute all terms of a batch from its embedding, unweighted."""
    terms = reid_terms(embedding, batch, settings)
    if batch.diffusion is not None:
        terms["noise"] = model.noise_loss(embedding, batch.labels, batch.memory, batch.diffusion)
    return terms


def reid_terms(embedding: Embedding, batch: Batch, settings: Settings) -> dict[str, Tensor]:
    """Compute the two Re-ID losses of a batch."""
    return {
        "id": id_loss(embedding.logits, batch.labels, smoothing=settings.label_smoothing),
        "prototype": prototype_loss(
            embedding.direction,
            batch.labels,
            batch.memory,
            temperature=settings.prototype_temperature,
            logits_dtype=settings.prototype_logits_dtype,
        ),
    }
