"""How the demo's own networks are pre-trained: closed models of `pretraining` in `config/weights.yaml`."""

from collections.abc import Mapping
from typing import Any

from dcac.closed import Closed, Count, Positive, parse


class EncoderPretraining(Closed):
    """How the demo's encoder is made, on a domain with captions."""

    data: str
    epochs: Count
    batch: Count
    learning_rate: Positive
    seed: int


class DiffusionPretraining(Closed):
    """How the demo's latent diffusion model is made, on a domain with captions."""

    data: str
    image_size: Count
    batch: Count
    autoencoder_steps: Count
    autoencoder_learning_rate: Positive
    unet_steps: Count
    unet_learning_rate: Positive
    unet_channels: tuple[Count, Count]
    context_width: Count
    seed: int


def recipe(kind: str, content: Mapping[str, Any]) -> EncoderPretraining | DiffusionPretraining:
    """Check the pre-training settings of one of the demo's networks.

    Args:
        kind: encoder or diffusion.
    """
    model = EncoderPretraining if kind == "encoder" else DiffusionPretraining
    return parse(model, content, f"pretraining of a demo {kind}")
