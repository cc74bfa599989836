"""pcl: p is the softmax of the similarities to the prototypes."""

from typing import TYPE_CHECKING

from dcac.model.schemes.scheme import Scheme

if TYPE_CHECKING:
    from torch import Tensor

    from dcac.model.encoder import Embedding
    from dcac.settings import Settings


def by_prototype(embedding: "Embedding", labels: "Tensor", memory: "Tensor", settings: "Settings") -> "Tensor":
    """Return p = softmax(z_hat M^T / tau_m), [B, N]."""
    from dcac.model.similarity import prototype_logits

    logits = prototype_logits(
        embedding.direction,
        memory,
        temperature=settings.prototype_temperature,
        logits_dtype=settings.prototype_logits_dtype,
    )
    return logits.softmax(dim=1)


PCL = Scheme("pcl", by_prototype, by_memory=True)
