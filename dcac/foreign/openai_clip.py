"""The tensor names of OpenAI's CLIP image encoder and of timm, both ways."""

from collections.abc import Iterable, Mapping

from torch import Tensor

TOP = {
    "class_embedding": "cls_token",
    "positional_embedding": "pos_embed",
    "proj": "head.weight",
    "conv1.weight": "patch_embed.proj.weight",
    "ln_pre.weight": "norm_pre.weight",
    "ln_pre.bias": "norm_pre.bias",
    "ln_post.weight": "norm.weight",
    "ln_post.bias": "norm.bias",
}
BLOCK = {
    "attn.in_proj_weight": "attn.qkv.weight",
    "attn.in_proj_bias": "attn.qkv.bias",
    "attn.out_proj.weight": "attn.proj.weight",
    "attn.out_proj.bias": "attn.proj.bias",
    "ln_1.weight": "norm1.weight",
    "ln_1.bias": "norm1.bias",
    "ln_2.weight": "norm2.weight",
    "ln_2.bias": "norm2.bias",
    "mlp.c_fc.weight": "mlp.fc1.weight",
    "mlp.c_fc.bias": "mlp.fc1.bias",
    "mlp.c_proj.weight": "mlp.fc2.weight",
    "mlp.c_proj.bias": "mlp.fc2.bias",
}
CLIP_BLOCKS, TIMM_BLOCKS = "transformer.resblocks.", "blocks."
LEADING_AXES = {"class_embedding": 2, "positional_embedding": 1}  # axes of size 1 that timm puts in front


def to_timm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename and reshape CLIP's visual tensors; the projection becomes timm's head, without bias.

    Raises:
        ValueError: a tensor is missing or unknown.
    """
    names = _names(_depth(tensors, CLIP_BLOCKS))
    _require(tensors, names.keys())
    converted = {}
    for theirs, ours in names.items():
        value = tensors[theirs].T.contiguous() if theirs == "proj" else tensors[theirs]
        converted[ours] = value[(None,) * LEADING_AXES.get(theirs, 0)]
    return converted


def to_openai(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename and reshape timm's tensors back; see `to_timm`.

    Raises:
        ValueError: the encoder is none of CLIP's vision transformers.
    """
    names = _names(_depth(tensors, TIMM_BLOCKS))
    _require(tensors, names.values())
    converted = {}
    for theirs, ours in names.items():
        value = tensors[ours].T.contiguous() if theirs == "proj" else tensors[ours]
        converted[theirs] = value[(0,) * LEADING_AXES.get(theirs, 0)]
    return converted


def _depth(tensors: Mapping[str, Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).partition(".")[0] for name in tensors if name.startswith(prefix)})


def _names(depth: int) -> dict[str, str]:
    names = dict(TOP)
    for block in range(depth):
        names |= {f"{CLIP_BLOCKS}{block}.{t}": f"{TIMM_BLOCKS}{block}.{o}" for t, o in BLOCK.items()}
    return names


def _require(tensors: Mapping[str, Tensor], expected: Iterable[str]) -> None:
    odd = sorted(set(expected) ^ set(tensors))
    if odd:
        state = "is not one of" if odd[0] in tensors else "is missing among"
        raise ValueError(f"tensor {odd[0]} {state} those of CLIP's vision transformer; use an encoder of that kind")
