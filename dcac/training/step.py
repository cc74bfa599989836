"""The training step: a batch, the model and the settings give the loss terms, and these the joint loss."""

import operator
from functools import reduce

from torch import Tensor

from dcac import losses
from dcac.losses.term import LossTerm
from dcac.methods import method_of
from dcac.methods.trained import TrainedModel
from dcac.model.encoder import Embedding
from dcac.settings import Settings
from dcac.training.batches import Batch


def joint_loss(terms: dict[str, Tensor], settings: Settings) -> Tensor:
    """Weigh the terms and add them up: L = w_id L_id + w_pcl L_pcl + lambda L_diff; the baseline has no L_diff.

    Source:
        method.md section 5.
    """
    return reduce(operator.add, (weight_of(name, settings) * value for name, value in terms.items()))


def loss_terms(model: TrainedModel, embedding: Embedding, batch: Batch, settings: Settings) -> dict[str, Tensor]:
    """Compute all terms of a batch from its embedding, unweighted."""
    means = {
        name: part.loss(part.given, slice(None)).mean() for name, part in model.per_image(embedding, batch).items()
    }
    return batch_terms(model, embedding, batch, settings) | means


def batch_terms(model: TrainedModel, embedding: Embedding, batch: Batch, settings: Settings) -> dict[str, Tensor]:
    """Compute the terms that need no more than the embedding: those that every method has, then the method's own."""
    common = {term.name: term.loss(embedding, batch, settings) for term in terms_of(settings) if term.loss is not None}
    return common | model.own_terms(embedding, batch)


def terms_of(settings: Settings) -> tuple[LossTerm, ...]:
    """Return the terms of a run's joint loss."""
    return (*losses.TERMS, *method_of(settings).terms)


def weight_of(name: str, settings: Settings) -> float:
    """Return what multiplies a term."""
    return next(getattr(settings, term.weight) for term in terms_of(settings) if term.name == name)
