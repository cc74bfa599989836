"""The losses of one batch and their gradients: whole, or in slices for small cards and several processes.

Slices keep the P x K batch: BNNeck, prototypes and class scores always see all of it. Features are first computed without
a graph, the losses give the gradient at each feature and at each context token, and a second pass carries it into the
encoder slice by slice. The gradients equal those of the whole batch up to rounding.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dcac.model.dcac import DCAC
from dcac.model.encoder import Embedding
from dcac.model.latents import DiffusionBatch
from dcac.settings import Settings
from dcac.training.batches import Batch
from dcac.training.hardware import Hardware
from dcac.training.step import embedding_terms, loss_terms


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


def whole(model: DCAC, batch: Batch, settings: Settings) -> Losses:
    """Compute all terms in one graph."""
    embedding = model.reid(batch.images)
    return Losses(embedding, loss_terms(model, embedding, batch, settings), lambda: None)


def sliced(model: DCAC, batch: Batch, settings: Settings, *, size: int, hardware: Hardware) -> Losses:
    """Compute the terms from slices of `size` images; call with gradients cleared, then backward, then `finish`."""
    share = hardware.share(len(batch.images))
    with torch.no_grad():
        own = torch.cat([model.reid.backbone(batch.images[rows]).float() for rows in slices(share, size)])
    feature = hardware.gather(own).requires_grad_()
    embedding = model.reid.head(feature)
    terms = embedding_terms(embedding, batch, settings)
    if batch.diffusion is not None:
        context = model.context(embedding, batch.labels, batch.memory)
        terms["noise"] = _sliced_noise(model, batch, context, settings.noise_weight, slices(share, size), hardware)

    def finish() -> None:
        for rows in slices(share, size):
            with hardware.autocast():
                part = model.reid.backbone(batch.images[rows]).float()
            part.backward(feature.grad[rows])
        if hardware.count > 1:
            _join_gradients(model, hardware)

    return Losses(embedding, terms, finish)


def _join_gradients(model: DCAC, hardware: Hardware) -> None:
    """Sum the gradients that each process has its share of; average those that it has the whole of, so that all stay alike."""
    for module in (model.reid.bnneck, model.reid.classifier, model.prompts):
        for parameter in module.parameters() if module is not None else ():
            if parameter.grad is not None:
                parameter.grad.div_(hardware.count)
    hardware.add(parameter.grad for parameter in model.parameters() if parameter.grad is not None)


def slices(share: range, size: int) -> Iterator[slice]:
    """Cut a process's share of the batch into slices of at most `size` rows."""
    for start in range(share.start, share.stop, size):
        yield slice(start, min(start + size, share.stop))


def _sliced_noise(
    model: DCAC, batch: Batch, context: Tensor, weight: float, parts: Iterator[slice], hardware: Hardware
) -> Tensor:
    """Send the weighted noise loss back into the U-Net slice by slice; return the term as a function of the context."""
    token = context.detach().float().requires_grad_()
    total = torch.zeros((), device=context.device)
    factor = hardware.loss_scale() * (weight or 1.0)  # half precision loses small gradients
    for rows in parts:
        draws = DiffusionBatch(*(part[rows] for part in batch.diffusion))
        loss = model.prior.loss_per_image(context=token[rows], **draws._asdict()).sum() / len(context)
        (factor * loss).backward()
        total += loss.detach()
    for parameter in model.prior.parameters() if not weight else ():  # the token's gradient is for the diagnostics only
        if parameter.grad is not None:
            parameter.grad.zero_()
    gradient = token.grad / factor
    hardware.add([gradient, total])
    return _Known.apply(context, total, gradient)


class _Known(torch.autograd.Function):
    """A term whose value and gradient at the context are known already; the value stays clean if the gradient overflowed."""

    @staticmethod
    def forward(ctx, context: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        ctx.dtype = context.dtype
        return value.clone()

    @staticmethod
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return (upstream * gradient).to(ctx.dtype), None, None
