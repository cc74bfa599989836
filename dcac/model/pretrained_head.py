"""What becomes of the last linear layer of a pre-trained encoder: labels of the pre-training go, projections stay."""

from collections.abc import Mapping

from torch import Tensor, nn


def head_names(trained_as: Mapping, model: nn.Module) -> tuple[str, ...]:
    """Name the layers that timm calls the classifier: one, several for distilled models, or none.

    Args:
        trained_as: `pretrained_cfg` of a hub folder's config.json; where it does not say, timm's registry does.
    """
    names = trained_as.get("classifier") or getattr(model, "pretrained_cfg", {}).get("classifier")
    return (names,) if isinstance(names, str) else tuple(names or ())


def tells_labels(state: Mapping[str, Tensor], head: tuple[str, ...]) -> bool:
    """Whether the last linear layer scores the labels of the pre-training instead of projecting, as CLIP's does.

    A bias that holds anything means labels, unless timm itself says projection (`head.proj`, CLIP's ResNets).
    """
    biases = [state[f"{name}.bias"] for name in head if f"{name}.bias" in state and not name.endswith("proj")]
    return any(bool(bias.any()) for bias in biases)


def without_head(state: Mapping[str, Tensor], head: tuple[str, ...]) -> dict[str, Tensor]:
    """Leave the tensors of these layers out."""
    return {name: value for name, value in state.items() if name.rpartition(".")[0] not in head}


def empty_biases(state: Mapping[str, Tensor], head: tuple[str, ...], model: nn.Module) -> dict[str, Tensor]:
    """List the biases of a projection that the weights lack or hold as zeros: name -> zeros."""
    found = {}
    for name in head if model.num_classes else ():
        layer, bias = model.get_submodule(name), f"{name}.bias"
        if isinstance(layer, nn.Linear) and layer.bias is not None and not (bias in state and state[bias].any()):
            found[bias] = state[f"{name}.weight"].new_zeros(layer.out_features)
    return found
