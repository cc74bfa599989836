"""What the authors' released code does otherwise than the paper: each a switch that the base leaves off.

Source:
    method.md section 10.1; `preset: released` turns them all on.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from dcac.seeding import torch_generator
from dcac.settings import Settings

RANDOM_BIASES = ("to_q", "to_k", "to_v")  # Stable Diffusion has none here


def bnneck_momentum(momentum: float, settings: Settings) -> float:
    """Return the momentum of BNNeck's statistics; the released code applies BNNeck twice a step."""
    return repeated_momentum(momentum, settings.bnneck_updates_per_step)


def repeated_momentum(momentum: float, updates: int) -> float:
    """Return the momentum of one update that moves running statistics as far as several with the same batch do.

    Source:
        1 - (1 - m)^n, summed so that one update keeps m to the bit; 0.19 for 0.1 and two (method.md section 10.1, number 4).
    """
    return momentum * sum((1 - momentum) ** done for done in range(updates))


def prototype_precision(logits_dtype: str, device: torch.device) -> AbstractContextManager:
    """Make the context of the prototype logits: float32, or as the released code whatever autocast says.

    Source:
        method.md section 10.1, number 5: tau_m magnifies the rounding.
    """
    return nullcontext() if logits_dtype == "autocast" else torch.autocast(device.type, enabled=False)


def memory_precision(settings: Settings, autocast: Callable[[], AbstractContextManager]) -> AbstractContextManager:
    """Make the context of building the memory and picking the hardest instance: float32, or as the released code half.

    Source:
        method.md section 10.1, number 6.
    """
    return autocast() if settings.memory_dtype == "autocast" else nullcontext()


def keeps_dead_adapters(settings: Settings) -> bool:
    """Tell whether attn2's to_q and to_k get adapters, which one token gives no gradient; the result is the same."""
    return settings.lora_cross_attention_qk == "keep"


def add_random_biases(unet: nn.Module, settings: Settings, seed: int) -> None:
    """Give to_q, to_k and to_v of every attention a bias that never trains, uniform in +-1 / sqrt(inputs), if asked to.

    Source:
        A side effect of the released code (method.md section 10.1, number 1), for comparison only.
    """
    if settings.lora_qkv_bias == "none":
        return
    for name, layer in unet.named_modules():
        if name.endswith(RANDOM_BIASES):
            share = torch.rand(layer.out_features, generator=torch_generator(seed, name))
            layer.bias = nn.Parameter((2 * share - 1) / layer.in_features**0.5, requires_grad=False)
