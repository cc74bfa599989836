"""The prototype memory: one unit vector per training identity, rebuilt and updated as published."""

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def build(directions: Tensor, labels: Tensor, num_identities: int) -> Tensor:
    """Average the unit features of each identity and normalise.

    Args:
        directions: z_hat [M, D] of the whole training set, float32.
        labels: int64 [M].

    Returns:
        M [N, D], unit rows.
    """
    sums = torch.zeros(num_identities, directions.shape[1], dtype=directions.dtype, device=directions.device)
    sums.index_add_(0, labels, directions)
    return F.normalize(sums, dim=1)


@torch.no_grad()
def update(memory: Tensor, directions: Tensor, labels: Tensor, *, momentum: float, images: int, rule: str) -> Tensor:
    """Move the prototypes of the batch's identities towards its images; returns a new memory, the old one stays.

    Args:
        memory: M [N, D], unit rows.
        directions: z_hat [P * K, D], the K images of an identity standing together.
        labels: int64 [P * K].
        momentum: mu, the share of the old prototype that stays.
        images: K.
        rule: `hard` takes the instance with the lowest similarity, `all` takes every instance in turn.

    Source:
        method.md section 2, memory update.
    """
    groups = directions.detach().to(memory.dtype).unflatten(0, (-1, images))
    identities = labels.unflatten(0, (-1, images))[:, 0]
    rows = memory[identities]
    if rule == "hard":
        hardest = torch.einsum("pkd,pd->pk", groups, rows).argmin(dim=1)
        groups = groups[torch.arange(len(groups), device=groups.device), hardest][:, None]
    for instance in groups.unbind(1):
        rows = F.normalize(momentum * rows + (1 - momentum) * instance, dim=1)
    return memory.index_copy(0, identities, rows)
