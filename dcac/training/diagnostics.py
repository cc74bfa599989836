"""Who is heard? Gradient of each loss at the encoder's features."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def gradients(terms: dict[str, Tensor], feature: Tensor, *, scale: float, own: Sequence[str]) -> dict[str, float]:
    """Norm of each unweighted loss term's gradient at the encoder's features, and the cosine of a method's own with the others.

    Args:
        terms: scalar losses of one batch, graph still alive.
        feature: f [B, D], the features the terms were computed from.
        scale: multiplies the terms on their way back and is divided out again: half precision loses small gradients.
        own: names of the method's own terms.

    Returns:
        `gradient_{term}` for every term; `cosine_{term}` between an own term and the sum of those that every
        method has, when both have a gradient. A value that overflows under the scale is left out.
    """
    found = {
        name: torch.autograd.grad(scale * term, feature, retain_graph=True, allow_unused=True)[0]
        for name, term in terms.items()
    }
    report = {f"gradient_{name}": 0.0 if grad is None else grad.norm().item() / scale for name, grad in found.items()}
    common = (grad for name, grad in found.items() if name not in own and grad is not None)
    others = sum(common, start=torch.zeros_like(feature))
    for name in own:
        grad = found.get(name)
        if grad is not None and grad.any():
            cosine = torch.nn.functional.cosine_similarity(grad.flatten(), others.flatten(), dim=0)
            report[f"cosine_{name}"] = cosine.item()
    return {name: value for name, value in report.items() if math.isfinite(value)}
