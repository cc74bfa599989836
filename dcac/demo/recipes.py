"""How the demo's own networks are pre-trained: closed models of `pretraining` in `config/weights.yaml`."""

from collections.abc import Mapping
from typing import Any

from dcac.closed import Closed, Count, Positive, parse


class EncoderPretraining(Closed):
    """How the demo's encoder is made, on a domain with captions."""

    data: str  # code of a rendered set with captions
    epochs: Count  # passes over it
    batch: Count  # pictures a step
    learning_rate: Positive  # of AdamW
    seed: int  # of everything drawn


class DiffusionPretraining(Closed):
    """How the demo's latent diffusion model is made, on a domain with captions."""

    data: str  # code of any data set; its train split
    image_size: Count  # pixels, square
    batch: Count  # pictures a step
    autoencoder_steps: Count  # of the autoencoder
    autoencoder_learning_rate: Positive  # of AdamW
    unet_steps: Count  # of the U-Net
    unet_learning_rate: Positive  # of AdamW
    unet_channels: tuple[Count, Count]  # of its two levels
    context_width: Count  # of the condition
    seed: int  # of everything drawn


def recipe(kind: str, content: Mapping[str, Any]) -> EncoderPretraining | DiffusionPretraining:
    """Check the pre-training settings of one of the demo's networks.

    Args:
        kind: encoder or diffusion.
    """
    model: type[EncoderPretraining] | type[DiffusionPretraining] = (
        EncoderPretraining if kind == "encoder" else DiffusionPretraining
    )
    return parse(model, content, f"pretraining of a demo {kind}")
