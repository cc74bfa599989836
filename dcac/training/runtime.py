"""Apply the switches of memory and speed to a model."""

import torch
import torch._functorch.config

from dcac.methods.trained import TrainedModel
from dcac.settings import Runtime


def speed_up(model: TrainedModel, runtime: Runtime) -> None:
    """Apply the switches to a freshly built model, in place; names of parameters stay."""
    unet = model.unet
    if runtime.gradient_checkpointing:
        model.reid.backbone.set_grad_checkpointing(True)
        if unet is not None:
            unet.enable_gradient_checkpointing()
    if runtime.channels_last and unet is not None:
        unet.to(memory_format=torch.channels_last)
    if runtime.compile:
        torch._functorch.config.donated_buffer = (
            False  # the diagnostics go back through a graph that the step still needs
        )
        model.reid.backbone.compile()
        if unet is not None:
            unet.compile()
