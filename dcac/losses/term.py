"""What a loss term declares of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dcac.closed import Closed

if TYPE_CHECKING:  # planning reads the declarations and does without torch
    from torch import Tensor

    from dcac.model.encoder import Embedding
    from dcac.training.batches import Batch


@dataclass(frozen=True)
class LossTerm:
    """One term of the joint loss, with all that the rest of the program asks of it."""

    name: str  # of the term in logs, `loss_{name}`, and of its gradient in diagnostics, `gradient_{name}`
    weight: str  # the setting that multiplies it
    label: str  # its name in figures
    heading: str  # of its gradient's norm in tables
    loss: "Callable[[Embedding, Batch, Any], Tensor] | None"  # of embedding, batch and settings; None: the model's own
    settings: type[Closed] | None = None  # keys of its own, its weight among them, that `Settings` does not have
