"""The Re-ID branch: a timm image encoder, BNNeck and a classifier without bias."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from dcac.reading import load_tensors, read_json
from dcac.settings import Settings

if TYPE_CHECKING:
    from dcac.model.image_encoder import ImageEncoder

BNNECK_MOMENTUM = 0.1  # share of the batch in the running statistics; PyTorch's default, as in the released code


class Embedding(NamedTuple):
    """What the Re-ID branch says of a batch."""

    feature: Tensor  # f [B, D], encoder output
    normed: Tensor  # z [B, D], after BNNeck
    direction: Tensor  # z_hat [B, D], unit length
    logits: Tensor  # s [B, N]


class ReIDModel(nn.Module):
    """Encoder f, BNNeck z = BN(f), and class scores s = W z."""

    def __init__(self, backbone: "ImageEncoder", dim: int, num_identities: int):
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


def load_backbone(folder: Path, *, height: int, width: int, freeze_patches: bool = False) -> "tuple[ImageEncoder, int]":
    """Load an encoder from a folder in the layout of timm's hub: `config.json` and `model.safetensors`.

    Position tables are resized bilinearly to the image size. A classifier of the pre-training's labels goes; a
    projection (CLIP's) stays, and loses a bias that holds nothing.

    Returns:
        The encoder, and D, the width of its output.

    Raises:
        ValueError: a file is missing, the two do not fit each other, or the encoder does not fit the image size.
    """
    from dcac.model.backbone import build_backbone  # brings timm, which takes longer than all else here together

    card = read_card(folder)
    state = load_tensors(folder / "model.safetensors", remedy=_remedy(folder))
    try:
        return build_backbone(card, state, size=(height, width), freeze_patches=freeze_patches)
    except (AssertionError, AttributeError, KeyError, RuntimeError, TypeError) as error:  # timm's ways to refuse
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(
            f"the weights in {folder} do not make a {card.get('architecture')} for {height} x {width} pixels "
            f"({reason[:300]}); fetch the folder again, or choose another encoder or image size"
        ) from error


def save_backbone(model: "ImageEncoder", folder: Path, *, architecture: str) -> None:
    """Write an encoder in the layout that `load_backbone` reads, which is timm's."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    config = {"architecture": architecture, "num_classes": model.num_classes, "num_features": model.num_features}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def resolve_normalisation(settings: Settings, folder: Path) -> Settings:
    """Replace the word `encoder` in pixel_mean and pixel_std by what the encoder in a folder was pre-trained with.

    Raises:
        ValueError: the folder's config.json does not say.
    """
    asked = [key for key in ("pixel_mean", "pixel_std") if getattr(settings, key) == "encoder"]
    if not asked:
        return settings
    stated = read_card(folder).get("pretrained_cfg") or {}
    found = {key: stated.get(key.removeprefix("pixel_")) for key in asked}
    for key, values in found.items():
        if not values:
            raise ValueError(f"{folder / 'config.json'} does not say its {key}; set {key} to a share or to [r, g, b]")
    return type(settings).model_validate({**settings.model_dump(), **found})


def read_card(folder: Path) -> dict:
    """Read the config.json of an encoder's folder."""
    return read_json(folder / "config.json", remedy=_remedy(folder))


def _remedy(folder: Path) -> str:
    return f"delete {folder} and run `snakemake {folder}/manifest.json` to fetch these weights again"
