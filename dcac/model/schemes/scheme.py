"""What a conditioning scheme declares of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dcac.closed import Closed

if TYPE_CHECKING:  # planning reads the declarations and does without torch
    from torch import Tensor

    from dcac.model.encoder import Embedding


@dataclass(frozen=True)
class Scheme:
    """How a batch weighs the prompts, with all that the rest of the program asks of it."""

    name: str  # value of `condition`
    weights: (
        "Callable[[Embedding, Tensor, Tensor, Any], Tensor]"  # of embedding, labels, memory, settings: [B, prompts]
    )
    prompts: Literal["identity", "feature"] = (
        "identity"  # what there is one of for each; of identities the weights are p
    )
    by_label: bool = False  # the label gives p: it says nothing of the model, and there is none for people never seen
    by_memory: bool = False  # it compares with the prototypes
    settings: type[Closed] | None = None  # keys of its own that `Settings` does not have

    @property
    def has_p(self) -> bool:
        """Whether the weights are probabilities of the training identities."""
        return self.prompts == "identity"

    @property
    def is_correlation(self) -> bool:
        """Whether the weights are the model's own class correlation p, worth looking at."""
        return self.has_p and not self.by_label

    def count(self, *, identities: int, width: int) -> int:
        """Return the number of prompts for N identities and features of D values."""
        return identities if self.prompts == "identity" else width

    def uninformed(self, count: int) -> float:
        """Return the weight of every prompt that tells nothing: 1 / N of identities, 0 of feature values."""
        return 1 / count if self.prompts == "identity" else 0.0
