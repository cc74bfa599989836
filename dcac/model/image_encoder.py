"""What an image encoder of timm offers beside what every module of torch does."""

from collections.abc import Callable

from torch import Tensor, nn


class ImageEncoder(nn.Module):
    """An image encoder as timm makes it, from images [B, 3, H, W] to features [B, D]; names a type, nothing is made of it."""

    num_classes: int  # outputs of its last linear layer; 0 without one
    num_features: int  # width before that layer
    head_hidden_size: int  # width of its output without that layer
    patch_embed: nn.Module  # of vision transformers
    get_classifier: Callable[[], nn.Module]
    reset_classifier: Callable[[int], None]
    set_grad_checkpointing: Callable[[bool], None]
    forward_features: Callable[[Tensor], Tensor]
