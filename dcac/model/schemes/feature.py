"""feature: no correlation; the unit feature itself weighs a prompt for each of its values."""

from typing import TYPE_CHECKING

from dcac.model.schemes.scheme import Scheme

if TYPE_CHECKING:
    from torch import Tensor

    from dcac.model.encoder import Embedding
    from dcac.settings import Settings


def by_feature(embedding: "Embedding", labels: "Tensor", memory: "Tensor", settings: "Settings") -> "Tensor":
    """Return z_hat, [B, D]."""
    return embedding.direction


FEATURE = Scheme("feature", by_feature, prompts="feature")
