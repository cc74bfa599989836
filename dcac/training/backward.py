"""The losses of one batch and their gradients: whole, or in slices for small cards and several processes.

Slices keep the P x K batch: BNNeck, prototypes and class scores always see all of it. Features are first computed without
a graph, the losses give the gradient at each feature and at what goes through a large network, and a second pass carries it into the
encoder slice by slice. The gradients equal those of the whole batch up to rounding.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dcac.methods.trained import PerImage, TrainedModel
from dcac.model.encoder import Embedding
from dcac.settings import Settings
from dcac.training.batches import Batch
from dcac.training.hardware import Hardware
from dcac.training.step import batch_terms, loss_terms, weight_of


class Losses(NamedTuple):
    """Unweighted loss terms with their graph down to `embedding.feature`, and what remains to do after backward."""

    embedding: Embedding
    terms: dict[str, Tensor]
    finish: Callable[[], None]


def check_slices(encoder: nn.Module, name: str) -> None:
    """Refuse an encoder that cannot be cut into slices: BatchNorm's statistics need the whole batch at once.

    Raises:
        ValueError: the encoder has BatchNorm, as ResNets do.
    """
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in encoder.modules()):
        raise ValueError(
            f"encoder_weights '{name}' has BatchNorm, whose statistics need the whole batch; set micro_batch: null in "
            "config/config.yaml and train in one process"
        )


def whole(model: TrainedModel, batch: Batch, settings: Settings) -> Losses:
    """Compute all terms in one graph."""
    embedding = model.reid(batch.images)
    return Losses(embedding, loss_terms(model, embedding, batch, settings), lambda: None)


def sliced(model: TrainedModel, batch: Batch, settings: Settings, *, size: int, hardware: Hardware) -> Losses:
    """Compute the terms from slices of `size` images; call with gradients cleared, then backward, then `finish`."""
    share = hardware.share(len(batch.images))
    with torch.no_grad():
        own = torch.cat([model.reid.backbone(batch.images[rows]).float() for rows in slices(share, size)])
    feature = hardware.gather(own).requires_grad_()
    embedding = model.reid.head(feature)
    terms = batch_terms(model, embedding, batch, settings)
    for name, part in model.per_image(embedding, batch).items():
        terms[name] = _sliced(model, part, weight_of(name, settings), list(slices(share, size)), hardware)

    def finish() -> None:
        gradient = feature.grad
        if gradient is None:
            raise RuntimeError("no loss was sent back yet; call backward before finish")
        for rows in slices(share, size):
            with hardware.autocast():
                part = model.reid.backbone(batch.images[rows]).float()
            part.backward(gradient[rows])
        if hardware.count > 1:
            _join_gradients(model, hardware)

    return Losses(embedding, terms, finish)


def _join_gradients(model: TrainedModel, hardware: Hardware) -> None:
    """Sum the gradients that each process has its share of; average those that it has the whole of, so that all stay alike."""
    for module in model.heads():
        for parameter in module.parameters():
            if parameter.grad is not None:
                parameter.grad.div_(hardware.count)
    hardware.add(parameter.grad for parameter in model.parameters() if parameter.grad is not None)


def slices(share: range, size: int) -> Iterator[slice]:
    """Cut a process's share of the batch into slices of at most `size` rows."""
    for start in range(share.start, share.stop, size):
        yield slice(start, min(start + size, share.stop))


def _sliced(model: TrainedModel, part: PerImage, weight: float, parts: list[slice], hardware: Hardware) -> Tensor:
    """Send a weighted mean over images back slice by slice; return the term as a function of what it is given."""
    given = part.given.detach().float().requires_grad_()
    total = torch.zeros((), device=given.device)
    factor = hardware.loss_scale() * (weight or 1.0)  # half precision loses small gradients
    for rows in parts:
        loss = part.loss(given[rows], rows).sum() / len(given)
        (factor * loss).backward()
        total += loss.detach()
    for parameter in model.parameters() if not weight else ():  # the gradient of `given` is for the diagnostics only
        if parameter.grad is not None:
            parameter.grad.zero_()
    gradient = torch.zeros_like(given) if given.grad is None else given.grad / factor
    hardware.add([gradient, total])
    return _Known.apply(part.given, total, gradient)


class _Known(torch.autograd.Function):
    """A term whose value and gradient at what it is given are known already; the value stays clean if the gradient overflowed."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        ctx.dtype = given.dtype
        return value.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return (upstream * gradient).to(ctx.dtype), None, None
