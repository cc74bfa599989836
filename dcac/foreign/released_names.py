"""The tensor names of the authors' released checkpoints and of our runs, both ways.

Source: method.md section 12. A checkpoint that the released code itself wrote, converted, gave its features to 1e-7; the files that
the authors uploaded have not been opened.
"""

import logging
from collections.abc import Mapping
from itertools import product
from typing import Any

import torch
from torch import Tensor

from dcac import declared
from dcac.foreign import openai_clip
from dcac.foreign.compvis import inverse, rename, unet_modules
from dcac.foreign.tensor_file import below
from dcac.model.as_released import RANDOM_BIASES, keeps_dead_adapters
from dcac.model.conditioning import build_bottleneck
from dcac.model.diffusion import adapted_positions
from dcac.settings import Settings

ENCODER, BNNECK, CLASSIFIER = "encoder.image_encoder.", "encoder.bnneck.", "encoder.fc.weight"
UNET, PROMPTS, AUTOENCODER = "denoiser.model.", "denoiser.model.prompt_emb.", "denoiser.autoencoder."
TABLE, BOTTLENECK = f"{PROMPTS}prompt_emb", f"{PROMPTS}condition_bottleneck.bottleneck."
BNNECK_PARTS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
LORA = ("lora_A", "lora_B")
DEAD = ("attn2.to_q", "attn2.to_k")  # adapters that one context token never uses
log = logging.getLogger(__name__)


def to_ours(tensors: Mapping[str, Tensor], settings: Settings, layout: Mapping[str, Any]) -> dict[str, Tensor]:
    """Name a released checkpoint's tensors as a run of ours would, and leave out what a run does not keep.

    Args:
        settings: of the run to be; they say what is kept of prompts and U-Net.
        layout: diffusers' configuration of the U-Net; see `compvis.unet_modules`.

    Raises:
        ValueError: a tensor is missing, or the checkpoint contradicts the settings.
    """
    _require(tensors, CLASSIFIER, *(BNNECK + part for part in BNNECK_PARTS))
    _refuse_unknown_encoder_parts(tensors)
    ours = {f"reid.backbone.{name}": value for name, value in openai_clip.to_timm(below(ENCODER, tensors)).items()}
    ours |= {f"reid.bnneck.{name}": value for name, value in below(BNNECK, tensors).items()}
    ours["reid.classifier.weight"] = tensors[CLASSIFIER]
    if declared.needed(settings, "prior") is not None:
        ours |= _prompts(tensors, settings) | _prior(tensors, settings, layout)
    log.info("%d of %d tensors are kept; the frozen networks and the noise schedule are not", len(ours), len(tensors))
    return ours


def reid_to_released(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name encoder, BNNeck and classifier of a run as the released checkpoints do."""
    backbone = openai_clip.to_openai(below("reid.backbone.", tensors))
    released = {ENCODER + name: value for name, value in backbone.items()}
    released |= {BNNECK + name: value for name, value in below("reid.bnneck.", tensors).items()}
    return {**released, CLASSIFIER: tensors["reid.classifier.weight"]}


def prompts_to_released(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name prompts and bottleneck of a run as the released checkpoints do."""
    bottleneck = {BOTTLENECK + name: value for name, value in below("prompts.bottleneck.", tensors).items()}
    return {TABLE: tensors["prompts.table"], **bottleneck}


def unet_to_released(state: Mapping[str, Tensor], layout: Mapping[str, Any], *, adapted: bool) -> dict[str, Tensor]:
    """Name a U-Net's tensors as the released checkpoints do.

    Args:
        state: the whole U-Net, with adapters under peft's names where it has them.
        adapted: add what the released adapted network has and ours may lack, without effect on its output: biases of
            q, k and v, and adapters of the dead layers, all zero.
    """
    plain = {name.replace(".base_layer.", ".").replace(".default.weight", ""): value for name, value in state.items()}
    if adapted:
        plain = {**_inert(plain), **plain}
    return {UNET + name: value for name, value in rename(plain, inverse(unet_modules(layout))).items()}


def _require(tensors: Mapping[str, Tensor], *names: str) -> None:
    for name in names:
        if name not in tensors:
            raise ValueError(f"the file holds no {name}; it is no whole checkpoint of the released DCAC")


def _refuse_unknown_encoder_parts(tensors: Mapping[str, Tensor]) -> None:
    for name in sorted(below("encoder.", tensors)):
        if not f"encoder.{name}".startswith((ENCODER, BNNECK, CLASSIFIER)):
            raise ValueError(
                f"the file holds encoder.{name}, which would change the features in a way unknown here; "
                "convert a checkpoint of image encoder, BNNeck and classifier alone"
            )


def _prompts(tensors: Mapping[str, Tensor], settings: Settings) -> dict[str, Tensor]:
    _require(tensors, TABLE)
    # the number of a layer may be missing where the bottleneck is one layer: the name inside is not known
    found = {name if name[0].isdigit() else f"0.{name}": value for name, value in below(BOTTLENECK, tensors).items()}
    expected = build_bottleneck(settings.bottleneck, tensors[TABLE].shape[1]).state_dict()
    if found.keys() != expected.keys():
        raise ValueError(
            f"bottleneck is '{settings.bottleneck}' in the settings, but the checkpoint's holds "
            f"{', '.join(sorted(found)) or 'no tensors'}; correct `bottleneck`"
        )
    return {"prompts.table": tensors[TABLE], **{f"prompts.bottleneck.{name}": value for name, value in found.items()}}


def _prior(tensors: Mapping[str, Tensor], settings: Settings, layout: Mapping[str, Any]) -> dict[str, Tensor]:
    unet = {name: value for name, value in below(UNET, tensors).items() if not name.startswith("prompt_emb.")}
    renamed = rename(unet, unet_modules(layout))
    adapters = {name: value for name, value in renamed.items() if name.rpartition(".")[2] in LORA}
    if (settings.diffusion == "lora") != bool(adapters):
        state = "holds" if adapters else "holds no"
        raise ValueError(
            f"diffusion is '{settings.diffusion}', but the checkpoint {state} adapters; correct `diffusion`"
        )
    if settings.diffusion == "freeze":
        return {}
    if settings.diffusion == "all":
        return _whole_unet(renamed, layout)
    expected = _expected_adapters(settings, layout)
    kept = {f"prior.unet.{name}.default.weight": adapters[name] for name in _checked(expected, adapters, settings)}
    if settings.lora_qkv_bias == "random_frozen":
        kept |= _biases(renamed, expected, layout)
    return kept


def _whole_unet(renamed: Mapping[str, Tensor], layout: Mapping[str, Any]) -> dict[str, Tensor]:
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        names = UNet2DConditionModel(**layout).state_dict().keys()
    odd = sorted(names ^ renamed.keys())
    if odd:
        raise ValueError(f"U-Net tensor {odd[0]} is missing or unknown; get a whole checkpoint of mode 'all'")
    return {f"prior.unet.{name}": value for name, value in renamed.items()}


def _expected_adapters(settings: Settings, layout: Mapping[str, Any]) -> list[str]:
    positions = adapted_positions(ffn_output=settings.lora_ffn_output, cross_attention_qk=keeps_dead_adapters(settings))
    return [f"{block}.{position}.{half}" for block in _blocks(layout) for position in positions for half in LORA]


def _blocks(layout: Mapping[str, Any]) -> list[str]:
    return [f"{name}.transformer_blocks.0" for name in unet_modules(layout).values() if ".attentions." in name]


def _checked(expected: list[str], adapters: Mapping[str, Tensor], settings: Settings) -> list[str]:
    for name in expected:
        if name not in adapters:
            raise ValueError(
                f"the checkpoint lacks {name}, which the settings ask for; correct `lora_ffn_output`, or get it whole"
            )
        rank = adapters[name].shape[0 if name.endswith("lora_A") else 1]
        if rank != settings.lora_rank:
            raise ValueError(
                f"lora_rank is {settings.lora_rank}, but the checkpoint's {name} has rank {rank}; correct `lora_rank`"
            )
    surplus = sorted(name for name in adapters.keys() - set(expected) if not _is_dead(name))
    if surplus:
        raise ValueError(f"the checkpoint adapts {surplus[0]}, which the settings do not; correct the lora settings")
    return expected


def _biases(renamed: Mapping[str, Tensor], adapters: list[str], layout: Mapping[str, Any]) -> dict[str, Tensor]:
    wrapped = {name.rpartition(".")[0] for name in adapters}
    found = {}
    for layer in product(_blocks(layout), ("attn1", "attn2"), RANDOM_BIASES):
        name = ".".join(layer)
        if f"{name}.bias" not in renamed:
            raise ValueError(
                f"lora_qkv_bias is 'random_frozen', but the checkpoint holds no {name}.bias; set it to 'none'"
            )
        found[f"prior.unet.{name}.{'base_layer.' if name in wrapped else ''}bias"] = renamed[f"{name}.bias"]
    return found


def _inert(plain: Mapping[str, Tensor]) -> dict[str, Tensor]:
    rank = next(value.shape[0] for name, value in plain.items() if name.endswith("lora_A"))
    added = {}
    for name, weight in plain.items():
        layer = name.removesuffix(".weight")
        if layer.endswith(RANDOM_BIASES):
            added[f"{layer}.bias"] = torch.zeros(weight.shape[0])
        if layer.endswith(DEAD):
            added[f"{layer}.lora_A"] = torch.zeros(rank, weight.shape[1])
            added[f"{layer}.lora_B"] = torch.zeros(weight.shape[0], rank)
    return added


def _is_dead(name: str) -> bool:
    return name.rpartition(".")[0].endswith(DEAD)
