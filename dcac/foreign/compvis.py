"""The tensor names of Stable Diffusion's original code (CompVis) and of diffusers, both ways."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
VAE_RESNET = {name: name for name in ("norm1", "conv1", "norm2", "conv2")} | {"nin_shortcut": "conv_shortcut"}
VAE_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


def unet_modules(config: Mapping[str, Any]) -> dict[str, str]:
    """Pair the U-Net's modules: CompVis' name -> diffusers' name.

    Args:
        config: diffusers' configuration; of it `layers_per_block`, `down_block_types` and `up_block_types`.
    """
    pairs = {
        "time_embed.0": "time_embedding.linear_1",
        "time_embed.2": "time_embedding.linear_2",
        "input_blocks.0.0": "conv_in",
        "middle_block.1": "mid_block.attentions.0",
        "out.0": "conv_norm_out",
        "out.2": "conv_out",
    }
    pairs |= _inside("middle_block.0", "mid_block.resnets.0", RESNET)
    pairs |= _inside("middle_block.2", "mid_block.resnets.1", RESNET)
    return pairs | _down_modules(config) | _up_modules(config)


def vae_modules(config: Mapping[str, Any]) -> dict[str, str]:
    """Pair the autoencoder's modules: CompVis' name -> diffusers' name."""
    levels, layers = len(config["down_block_types"]), config["layers_per_block"]
    pairs = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    for half in ("encoder", "decoder"):
        pairs |= {f"{half}.{name}": f"{half}.{name}" for name in ("conv_in", "conv_out")}
        pairs[f"{half}.norm_out"] = f"{half}.conv_norm_out"
        pairs |= _inside(f"{half}.mid.attn_1", f"{half}.mid_block.attentions.0", VAE_ATTENTION)
        for block in (0, 1):
            pairs |= _inside(f"{half}.mid.block_{block + 1}", f"{half}.mid_block.resnets.{block}", VAE_RESNET)
    for level in range(levels):
        down, up = f"encoder.down.{level}", f"decoder.up.{levels - 1 - level}"
        pairs[f"{down}.downsample.conv"] = f"encoder.down_blocks.{level}.downsamplers.0.conv"
        pairs[f"{up}.upsample.conv"] = f"decoder.up_blocks.{level}.upsamplers.0.conv"
        for layer in range(layers + 1):  # the encoder has one fewer
            pairs |= _inside(f"{down}.block.{layer}", f"encoder.down_blocks.{level}.resnets.{layer}", VAE_RESNET)
            pairs |= _inside(f"{up}.block.{layer}", f"decoder.up_blocks.{level}.resnets.{layer}", VAE_RESNET)
    return pairs


def rename(tensors: Mapping[str, Tensor], modules: Mapping[str, str]) -> dict[str, Tensor]:
    """Give each tensor the name of its module's counterpart; what follows the module's name stays.

    Raises:
        ValueError: a tensor belongs to no module of the table.
    """
    return {_renamed(name, modules): value for name, value in tensors.items()}


def inverse(modules: Mapping[str, str]) -> dict[str, str]:
    """Turn a table of module names round."""
    return {new: old for old, new in modules.items()}


def vae_to_diffusers(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Rename the autoencoder's tensors; its attention is 1 x 1 convolutions there and linear layers here."""
    renamed = rename(tensors, vae_modules(config))
    return {name: value.flatten(1) if _is_vae_projection(name) else value for name, value in renamed.items()}


def vae_to_compvis(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Rename the autoencoder's tensors back; see `vae_to_diffusers`."""
    shaped = {name: value[:, :, None, None] if _is_vae_projection(name) else value for name, value in tensors.items()}
    return rename(shaped, inverse(vae_modules(config)))


def require_fit(tensors: Mapping[str, Tensor], model: nn.Module, what: str) -> None:
    """Check that tensors are the model's own, name by name and shape by shape.

    Raises:
        ValueError: a tensor is missing, unknown, or of another shape.
    """
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    for name in sorted(expected.keys() | tensors.keys()):
        found = tuple(tensors[name].shape) if name in tensors else "absent"
        if found != expected.get(name, "absent"):
            raise ValueError(
                f"{what}: tensor {name} is {found}, expected {expected.get(name, 'absent')}; "
                "this file is of another architecture, or incomplete"
            )


def _down_modules(config: Mapping[str, Any]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    position = 1  # input block 0 is conv_in
    for level, kind in enumerate(config["down_block_types"]):
        block = f"down_blocks.{level}"
        for layer in range(config["layers_per_block"]):
            pairs |= _inside(f"input_blocks.{position}.0", f"{block}.resnets.{layer}", RESNET)
            if "CrossAttn" in kind:
                pairs[f"input_blocks.{position}.1"] = f"{block}.attentions.{layer}"
            position += 1
        pairs[f"input_blocks.{position}.0.op"] = f"{block}.downsamplers.0.conv"  # absent at the last level
        position += 1
    return pairs


def _up_modules(config: Mapping[str, Any]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    layers = config["layers_per_block"] + 1
    for level, kind in enumerate(config["up_block_types"]):
        block, attends = f"up_blocks.{level}", "CrossAttn" in kind
        for layer in range(layers):
            position = level * layers + layer
            pairs |= _inside(f"output_blocks.{position}.0", f"{block}.resnets.{layer}", RESNET)
            if attends:
                pairs[f"output_blocks.{position}.1"] = f"{block}.attentions.{layer}"
        pairs[f"output_blocks.{position}.{2 if attends else 1}.conv"] = f"{block}.upsamplers.0.conv"
    return pairs


def _inside(old: str, new: str, table: Mapping[str, str]) -> dict[str, str]:
    return {f"{old}.{theirs}": f"{new}.{ours}" for theirs, ours in table.items()}


def _renamed(name: str, modules: Mapping[str, str]) -> str:
    module = name
    while module not in modules:
        module = module.rpartition(".")[0]
        if not module:
            raise ValueError(f"tensor {name} belongs to no module of this network; the file is of another architecture")
    return modules[module] + name.removeprefix(module)


def _is_vae_projection(name: str) -> bool:
    return ".attentions." in name and name.endswith(".weight") and "group_norm" not in name
