"""A folder in the layout of timm's hub as a network: config.json and model.safetensors."""

from pathlib import Path

import timm
import torch
from torch import Tensor, nn

import dcac.model.demo_vit  # noqa: F401  (registers the demo encoder with timm)
from dcac.closed import parse
from dcac.foreign.network_card import NetworkCard, PartCard, View
from dcac.model.encoder import load_backbone, read_card
from dcac.networks.content import content_of
from dcac.networks.network import BATCH, BatchSize, Network
from dcac.provenance.files import manifest
from dcac.reading import load_tensors, naming_damage

OWN = "dcac"  # key of config.json under which an exported run carries its card
DEFAULT_RESIZE = "bicubic"  # where config.json is silent; timm's own default


class TimmEncoder:
    """A timm model in eval mode; its output is the pooled feature."""

    batch = BatchSize(1, BATCH)

    def __init__(self, model: nn.Module, device: str):
        self.model, self.device = model.to(device).eval(), device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> dict:
        return {"features": self.model(images.to(self.device)).float().cpu().numpy()}


def load_timm(folder: Path, card: PartCard, *, device: str) -> Network:
    """Load an encoder, at the image size of its card; without one, as config.json says it was trained.

    Raises:
        ValueError: a file is missing, the two do not fit each other, or nothing says how images are normalised.
    """
    config = read_card(folder)
    chosen = card.over(own_card(folder, config), str(folder))
    view = chosen.view
    with torch.random.fork_rng(devices=[]):
        if chosen.feature.head == "keep":
            model = with_head(folder, config)
        else:
            model, _ = load_backbone(folder, height=view.height, width=view.width)
    return Network(folder.as_posix(), chosen, card, TimmEncoder(model, device), content_of(folder, manifest))


def own_card(folder: Path, config: dict) -> NetworkCard | None:
    """Read what a timm folder says of itself; None where size, mean or std are absent."""
    if OWN in config:
        return parse(NetworkCard, config[OWN], f"{folder / 'config.json'}: {OWN}")
    trained = config.get("pretrained_cfg") or {}
    size, mean, std = (trained.get(key) for key in ("input_size", "mean", "std"))
    if not (size and mean and std):
        return None
    resize = trained.get("interpolation", DEFAULT_RESIZE)
    resize = resize if resize in ("bicubic", "bilinear") else DEFAULT_RESIZE
    shape = {"height": size[-2], "width": size[-1], "resize": resize}
    return NetworkCard(view=View(**shape, channels="rgb", scale=1, mean=tuple(mean), std=tuple(std)))


def with_head(folder: Path, config: dict) -> nn.Module:
    """Build the whole model of a folder, last linear layer and all, at the size that its config.json builds it with."""
    remedy = f"get {folder} again, or write `feature: {{head: drop}}` in its card"
    state = load_tensors(folder / "model.safetensors", remedy=remedy)
    arguments = {**(config.get("model_args") or {}), "num_classes": config["num_classes"]}
    with naming_damage(folder, remedy, also=(RuntimeError, ValueError, AssertionError)):
        model = timm.create_model(config["architecture"], **arguments)
        model.load_state_dict(state)
    return model
