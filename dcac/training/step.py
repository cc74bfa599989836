"""The training step: a batch, the model and the settings give the loss terms, and these the joint loss."""

from torch import Tensor

from dcac.model.dcac import DCAC
from dcac.model.encoder import Embedding
from dcac.settings import Settings
from dcac.training import losses
from dcac.training.batches import Batch


def loss_terms(model: DCAC, embedding: Embedding, batch: Batch, settings: Settings) -> dict[str, Tensor]:
    """Compute all terms of a batch from its embedding, unweighted."""
    terms = embedding_terms(embedding, batch, settings)
    if batch.diffusion is not None:
        terms["noise"] = model.noise_loss(embedding, batch.labels, batch.memory, batch.diffusion)
    return terms


def embedding_terms(embedding: Embedding, batch: Batch, settings: Settings) -> dict[str, Tensor]:
    """Compute the terms that need no more than the embedding, in the order of their declaration."""
    return {term.name: term.loss(embedding, batch, settings) for term in losses.TERMS if term.loss is not None}


def joint_loss(terms: dict[str, Tensor], settings: Settings) -> Tensor:
    """Weigh the terms and add them up: L = w_id L_id + w_pcl L_pcl + lambda L_diff; the baseline has no L_diff.

    Source:
        method.md section 3.
    """
    weights = {term.name: getattr(settings, term.weight) for term in losses.TERMS}
    return sum(weights[name] * value for name, value in terms.items())
