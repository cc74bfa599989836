"""fc: p is the softmax of the class scores."""

from typing import TYPE_CHECKING

from dcac.model.schemes.scheme import Scheme

if TYPE_CHECKING:
    from torch import Tensor

    from dcac.model.encoder import Embedding
    from dcac.settings import Settings


def by_class(embedding: "Embedding", labels: "Tensor", memory: "Tensor", settings: "Settings") -> "Tensor":
    """Return p = softmax(s / tau), [B, N]."""
    return (embedding.logits / settings.condition_temperature).softmax(dim=1)


FC = Scheme("fc", by_class)
