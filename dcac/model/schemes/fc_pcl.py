"""fc+pcl: p is the mean of both."""

from typing import TYPE_CHECKING

from dcac.model.schemes.fc import by_class
from dcac.model.schemes.pcl import by_prototype
from dcac.model.schemes.scheme import Scheme

if TYPE_CHECKING:
    from torch import Tensor

    from dcac.model.encoder import Embedding
    from dcac.settings import Settings


def by_both(embedding: "Embedding", labels: "Tensor", memory: "Tensor", settings: "Settings") -> "Tensor":
    """Return the mean p of fc and pcl, [B, N]."""
    given = embedding, labels, memory, settings
    return (by_class(*given) + by_prototype(*given)) / 2


FC_PCL = Scheme("fc+pcl", by_both, by_memory=True)
