"""The demo suite's encoder, registered with timm: a small ViT with a convolutional stem and mean pooling."""

from typing import Any

from timm.models import register_model
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

STEM_STRIDE = 16  # pixels a token: halved input, then strides 4 and 2


class ConvStem(nn.Module):
    """Halve the image, then two strided convolutions to tokens: [B, 3, H, W] -> [B, T, width]."""

    def __init__(
        self,
        img_size: tuple[int, int] = (128, 64),
        patch_size: int = STEM_STRIDE,
        in_chans: int = 3,
        embed_dim: int = 96,
        bias: bool = True,
        **_: Any,
    ):
        super().__init__()
        self.grid_size = (img_size[0] // patch_size, img_size[1] // patch_size)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        self.patch_size = (patch_size, patch_size)
        self.halve = nn.AvgPool2d(2)
        self.coarse = nn.Conv2d(in_chans, embed_dim, kernel_size=4, stride=4)
        self.act = nn.GELU()
        self.proj = nn.Conv2d(embed_dim, embed_dim, kernel_size=4, stride=2, padding=1, bias=bias)

    def forward(self, images: Tensor) -> Tensor:
        """Embed images [B, 3, H, W] as tokens [B, T, width]."""
        return self.proj(self.act(self.coarse(self.halve(images)))).flatten(2).transpose(1, 2)


@register_model
def vit_demo_conv16_128(pretrained: bool = False, **arguments: Any) -> VisionTransformer:
    """Build the demo ViT: width 96, depth 3, 3 heads, 8 x 4 tokens of a 128 x 64 image."""
    for name in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"):
        arguments.pop(name, None)
    shape = {"img_size": (128, 64), "patch_size": STEM_STRIDE, "embed_dim": 96, "depth": 3, "num_heads": 3}
    pooling = {"class_token": False, "global_pool": "avg", "num_classes": 0, "mlp_ratio": 3.0}
    return VisionTransformer(**{**shape, **pooling, "embed_layer": ConvStem, **arguments})
