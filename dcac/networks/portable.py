"""A trained run as a module that stands alone: from pixels in 0..1 to unit features, nothing outside it needed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcac.data.views import by_channel
from dcac.model.backbone import activation_variant, arguments_of, create
from dcac.model.encoder import ReIDModel
from dcac.settings import Settings

if TYPE_CHECKING:
    from dcac.model.image_encoder import ImageEncoder


class Portable(nn.Module):
    """Normalisation, encoder, BNNeck and division by the length: images [B, 3, H, W], RGB in 0..1, to features [B, D]."""

    mean: Tensor  # [3, 1, 1]
    std: Tensor  # [3, 1, 1]

    def __init__(self, model: ReIDModel, settings: Settings):
        super().__init__()
        self.backbone, self.bnneck = model.backbone, model.bnneck
        for name, value in (("mean", settings.pixel_mean), ("std", settings.pixel_std)):
            self.register_buffer(name, torch.tensor(by_channel(value), dtype=torch.float32).reshape(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Embed images."""
        return F.normalize(self.bnneck(self.backbone((images - self.mean) / self.std)), dim=1)


def with_bnneck(model: ReIDModel) -> "ImageEncoder":
    """Write BNNeck into the encoder's last linear layer, so that a plain timm model gives z of the paper.

    In testing BNNeck is an affine map channel by channel: z = a f + b. An encoder that ends in a projection W gets a W; one
    that ends in its pooled feature gets a diagonal.

    Raises:
        ValueError: the encoder has no place for such a layer.
    """
    scale, shift = affine(model.bnneck)
    backbone, dim = model.backbone, len(scale)
    projects = bool(backbone.num_classes)
    if not projects:
        backbone.reset_classifier(dim)
    head = backbone.get_classifier()
    if not isinstance(head, nn.Linear) or head.out_features != dim:
        raise ValueError(
            f"{type(backbone).__name__} has no linear layer that BNNeck could go into; export to .onnx instead"
        )
    weight = head.weight.detach() if projects else torch.eye(dim)
    bias = head.bias.detach() if projects and head.bias is not None else torch.zeros(dim)
    with torch.no_grad():
        head.weight.copy_(scale[:, None] * weight)
        head.bias = nn.Parameter(scale * bias + shift)
    return backbone.eval()


def affine(bnneck: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Return a and b [D] of BNNeck in testing, z = a f + b, computed in float64."""
    if bnneck.running_var is None or bnneck.running_mean is None:
        raise ValueError("BNNeck keeps no running statistics; give one that tracks them")
    variance, mean = bnneck.running_var.double(), bnneck.running_mean.double()
    scale = bnneck.weight.detach().double() / (variance + bnneck.eps).sqrt()
    return scale.float(), (bnneck.bias.detach().double() - mean * scale).float()


def timm_config(card: Mapping, model: "ImageEncoder", settings: Settings) -> dict:
    """Write config.json of a timm folder, with which `timm.create_model` builds the exported encoder.

    Args:
        card: config.json of the encoder that the run started from.
        model: the encoder with BNNeck.
    """
    trained_as = card.get("pretrained_cfg") or {}
    architecture = activation_variant(card["architecture"], trained_as.get("tag"))
    arguments = dict(card.get("model_args") or {})
    if "img_size" in timm_arguments(architecture):
        arguments["img_size"] = [settings.image_height, settings.image_width]
    return {
        "architecture": architecture,
        "num_classes": model.num_classes,
        "num_features": model.num_features,
        "model_args": arguments,
        "pretrained_cfg": {
            "input_size": [3, settings.image_height, settings.image_width],
            "fixed_input_size": True,
            "interpolation": settings.evaluation_resize,
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "mean": list(by_channel(settings.pixel_mean)),
            "std": list(by_channel(settings.pixel_std)),
            "num_classes": model.num_classes,
            "classifier": next(name for name, module in model.named_modules() if module is model.get_classifier()),
        },
    }


def timm_arguments(architecture: str) -> set[str]:
    """Name the arguments that an architecture's class takes."""
    with torch.device("meta"):
        return arguments_of(create(architecture))
