"""hard: the label gives p, so that no gradient reaches the encoder; a control."""

from typing import TYPE_CHECKING

from dcac.model.schemes.scheme import Scheme

if TYPE_CHECKING:
    from torch import Tensor

    from dcac.model.encoder import Embedding
    from dcac.settings import Settings


def by_label(embedding: "Embedding", labels: "Tensor", memory: "Tensor", settings: "Settings") -> "Tensor":
    """Return p = 1 for the own identity, [B, N]."""
    return embedding.logits.new_zeros(embedding.logits.shape).scatter_(1, labels[:, None], 1.0)


HARD = Scheme("hard", by_label, by_label=True)
