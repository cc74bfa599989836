"""Build any timm encoder at an image size and fill it with pre-trained weights, without asking the hub for anything."""

import inspect
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import timm
import torch
from timm.layers import DropPath, to_2tuple
from timm.models import is_model_pretrained
from torch import Tensor, nn

import dcac.model.demo_vit  # noqa: F401  (registers the demo encoder with timm)
from dcac.model.positions import resize_positions
from dcac.model.pretrained_head import empty_biases, head_names, tells_labels, without_head

if TYPE_CHECKING:
    from dcac.model.image_encoder import ImageEncoder

# what timm must not read of a card: where it would look for weights by itself, and how to cut a head dealt with here
UNUSED = ("url", "file", "hf_hub_id", "hf_hub_filename", "source", "label_offset")


def build_backbone(
    card: Mapping, state: Mapping[str, Tensor], *, size: tuple[int, int], freeze_patches: bool
) -> "tuple[ImageEncoder, int]":
    """Build a timm model at an image size and fill it with weights.

    Args:
        card: content of a hub folder's config.json: architecture, num_classes, model_args, pretrained_cfg.
        state: content of its model.safetensors, in timm's names or in those of a whole CLIP.
        size: height and width in pixels.
        freeze_patches: whether the patch projection stays as it is.

    Returns:
        The encoder, without dropout or stochastic depth, and D, the width of its output.

    Raises:
        ValueError: the size is no multiple of the patch, positions form no grid, or there are no patches to freeze.
    """
    trained_as = card.get("pretrained_cfg") or {}
    architecture = activation_variant(card["architecture"], trained_as.get("tag"))
    arguments = {**(card.get("model_args") or {}), "num_classes": card["num_classes"]}
    as_trained = _on_paper(architecture, arguments)
    trained_size = _trained_size(arguments, trained_as)
    state = timm_names(state, as_trained)
    head = head_names(trained_as, as_trained)
    if tells_labels(state, head):
        state, arguments["num_classes"] = without_head(state, head), 0
    if "img_size" in arguments_of(as_trained):
        arguments["img_size"] = size
    resized = _on_paper(architecture, arguments)
    _check_patches(resized, architecture, size)
    zeros = empty_biases(state, head, resized)
    state = resize_positions({**state, **zeros}, resized, trained_size=trained_size)
    model = _filled(architecture, state, arguments, {**trained_as, "input_size": (3, *size)})
    for name in zeros:
        model.get_submodule(name.removesuffix(".bias")).register_parameter("bias", None)
    _without_chance(model)
    if freeze_patches:
        _freeze_patches(model, architecture)
    return model, model.num_classes or model.head_hidden_size


def activation_variant(architecture: str, tag: str | None) -> str:
    """Name the QuickGELU twin of a CLIP architecture where timm's registry says that the weights were trained with it.

    The hub's config.json of OpenAI's CLIP names the network with plain GELU, whose features differ.
    """
    twin = architecture.replace("_clip_", "_clip_quickgelu_")
    return twin if tag and twin != architecture and is_model_pretrained(f"{twin}.{tag}") else architecture


def timm_names(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Take the image encoder out of a whole CLIP, as the hub keeps OpenAI's, with timm's own translation of its names.

    Args:
        model: the encoder at the size of its pre-training, so that nothing needs resizing.
    """
    translate = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    whole = any(name.startswith("visual.") for name in state)
    return translate(dict(state), model) if whole and translate else dict(state)


def _filled(architecture: str, state: dict[str, Tensor], arguments: dict, trained_as: dict) -> "ImageEncoder":
    """Create the model and let timm adapt the weights to it (window tables, patch kernels); every tensor must fit."""
    known = {key: value for key, value in trained_as.items() if key not in UNUSED}
    # the same number of classes on both sides, or timm would load without checking names
    known |= {"num_classes": arguments["num_classes"], "state_dict": state}
    model = create(architecture, pretrained=True, pretrained_cfg=known, **arguments)
    if getattr(model, "pretrained_cfg", {}).pop("state_dict", None) is None:  # the demo's encoder loads nothing itself
        model.load_state_dict(state)
    return model


def create(architecture: str, **arguments: Any) -> "ImageEncoder":
    """Create a model of timm's; the arguments are timm's own."""
    return cast("ImageEncoder", timm.create_model(architecture, **arguments))


def _on_paper(architecture: str, arguments: dict) -> "ImageEncoder":
    with torch.device("meta"):
        return create(architecture, **arguments)


def arguments_of(model: nn.Module) -> set[str]:
    """Name the arguments that a model's class and the classes it is made from take."""
    return {name for kind in type(model).__mro__ for name in inspect.signature(kind).parameters}


def _trained_size(arguments: Mapping, trained_as: Mapping) -> tuple[int, int] | None:
    size = arguments.get("img_size") or tuple(trained_as.get("input_size") or ())[1:]
    return to_2tuple(size) if size else None


def _check_patches(model: nn.Module, architecture: str, size: tuple[int, int]) -> None:
    patches = getattr(model, "patch_embed", None)
    if patches is None or getattr(patches, "grid_size", None) is None:
        return
    patch = to_2tuple(patches.patch_size)
    fitting = [side // step * step for side, step in zip(size, patch, strict=True)]
    if fitting != list(size):
        raise ValueError(
            f"{size[0]} x {size[1]} pixels are no whole patches of {patch[0]} x {patch[1]}, as {architecture} needs; "
            f"set image_height and image_width to multiples of the patch, for example {fitting[0]} and {fitting[1]}"
        )


def _without_chance(model: nn.Module) -> None:
    """Switch dropout and stochastic depth off, which Swin and others bring: no seed would name their draws."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        elif isinstance(module, DropPath):
            module.drop_prob = 0.0


def _freeze_patches(model: "ImageEncoder", architecture: str) -> None:
    if not hasattr(model, "patch_embed"):
        raise ValueError(
            f"{architecture} has no patch projection to freeze; set freeze_patch_projection: false in the variant"
        )
    model.patch_embed.requires_grad_(False)
