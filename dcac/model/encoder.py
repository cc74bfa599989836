"""The Re-ID branch: a timm image encoder, BNNeck and a classifier without bias."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import dcac.model.demo_vit  # noqa: F401  (registers the demo encoder with timm)

BNNECK_MOMENTUM = 0.1  # share of the batch in the running statistics; PyTorch's default, as in the released code


class Embedding(NamedTuple):
    """What the Re-ID branch says of a batch."""

    feature: Tensor  # f [B, D], encoder output
    normed: Tensor  # z [B, D], after BNNeck
    direction: Tensor  # z_hat [B, D], unit length
    logits: Tensor  # s [B, N]


class ReIDModel(nn.Module):
    """Encoder f, BNNeck z = BN(f), and class scores s = W z."""

    def __init__(self, backbone: nn.Module, dim: int, num_identities: int):
        super().__init__()
        self.backbone = backbone
        self.bnneck = nn.BatchNorm1d(dim, momentum=BNNECK_MOMENTUM)
        self.bnneck.bias.requires_grad_(False)
        self.classifier = nn.Linear(dim, num_identities, bias=False)

    def initialise_classifier(self, std: float, generator: torch.Generator) -> None:
        """Draw W from N(0, std^2)."""
        with torch.no_grad():
            self.classifier.weight.copy_(torch.randn(self.classifier.weight.shape, generator=generator) * std)

    def forward(self, images: Tensor) -> Embedding:
        """Embed images [B, 3, H, W]."""
        return self.head(self.backbone(images).float())

    def head(self, feature: Tensor) -> Embedding:
        """Apply BNNeck and classifier to encoder outputs f [B, D], in float32."""
        with torch.autocast(feature.device.type, enabled=False):
            normed = self.bnneck(feature)
            return Embedding(feature, normed, F.normalize(normed, dim=1), self.classifier(normed))

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """Return the unit test features z_hat [B, D]; call in eval mode."""
        return F.normalize(self.bnneck(self.backbone(images).float()), dim=1)


def repeated_momentum(momentum: float, updates: int) -> float:
    """Return the momentum of one update that moves running statistics as far as several with the same batch do.

    Source:
        1 - (1 - m)^n, summed so that one update keeps m to the bit; 0.19 for 0.1 and two (method.md section 10.1, number 4).
    """
    return momentum * sum((1 - momentum) ** done for done in range(updates))


def load_backbone(folder: Path, *, height: int, width: int, freeze_patches: bool = False) -> tuple[nn.Module, int]:
    """Load an encoder from a folder in timm's layout: `config.json` and `model.safetensors`.

    The position grid is resized bilinearly to the image size; a projection head without information in its bias
    (CLIP's has none) loses the bias.

    Returns:
        The encoder, and D, the width of its output.

    Raises:
        ValueError: a file is missing.
    """
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise ValueError(f"{folder} holds no {name}; run `snakemake {folder}/manifest.json` to fetch these weights")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return build_backbone(
        config["architecture"],
        load_file(folder / "model.safetensors"),
        num_classes=config["num_classes"],
        arguments=config.get("model_args") or {},
        size=(height, width),
        freeze_patches=freeze_patches,
    )


def build_backbone(
    architecture: str,
    state: dict[str, Tensor],
    *,
    num_classes: int,
    arguments: dict,
    size: tuple[int, int],
    freeze_patches: bool,
) -> tuple[nn.Module, int]:
    """Build a timm model at an image size and fill it with weights; see `load_backbone`."""
    if _takes_image_size(architecture, num_classes, arguments):
        arguments = {**arguments, "img_size": size}
    model = timm.create_model(architecture, num_classes=num_classes, **arguments)
    if "pos_embed" in state:
        state = {**state, "pos_embed": resize_positions(state["pos_embed"], model)}
    head = getattr(model, "head", None)
    if isinstance(head, nn.Linear) and head.bias is not None and not state["head.bias"].any():
        model.head.bias = None
        state = {name: value for name, value in state.items() if name != "head.bias"}
    model.load_state_dict(state)
    if freeze_patches:
        for parameter in model.patch_embed.parameters():
            parameter.requires_grad_(False)
    return model, num_classes or model.num_features


def save_backbone(model: nn.Module, folder: Path, *, architecture: str) -> None:
    """Write an encoder in the layout that `load_backbone` reads, which is timm's."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    config = {"architecture": architecture, "num_classes": model.num_classes, "num_features": model.num_features}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def resize_positions(positions: Tensor, model: nn.Module) -> Tensor:
    """Resize positions [1, prefix + T, width] bilinearly to the model's token grid; prefix tokens keep theirs.

    Raises:
        ValueError: the table has another size and comes from no square image.
    """
    prefix = model.num_prefix_tokens
    height, width = model.patch_embed.grid_size
    if positions.shape[1] == prefix + height * width:
        return positions
    count = positions.shape[1] - prefix
    side = math.isqrt(count)
    if side * side != count:
        raise ValueError(
            f"{count} positions form no square grid to resize to {height} x {width} tokens; "
            "set image_height and image_width to the size of the pre-training"
        )
    grid = positions[:, prefix:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    resized = F.interpolate(grid, size=(height, width), mode="bilinear", align_corners=False)
    return torch.cat([positions[:, :prefix], resized.flatten(2).transpose(1, 2)], dim=1)


def _takes_image_size(architecture: str, num_classes: int, arguments: dict) -> bool:
    with torch.device("meta"):
        probe = timm.create_model(architecture, num_classes=num_classes, **arguments)
    return getattr(probe, "pos_embed", None) is not None
