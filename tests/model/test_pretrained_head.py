"""Which last layer projects and which tells the labels of the pre-training."""

import pytest
import timm
import torch

from dcac.model.pretrained_head import empty_biases, head_names, tells_labels, without_head

ZEROS, ONE = torch.zeros(3), torch.tensor([0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def vit():
    """A ViT with three outputs, without memory."""
    with torch.device("meta"):
        return timm.create_model("vit_tiny_patch16_224", num_classes=3)


@pytest.mark.parametrize(
    ("name", "tensors", "labels"),
    [
        ("fc", {"bias": ONE}, True),
        ("fc", {"bias": ZEROS}, False),
        ("fc", {}, False),
        ("head.proj", {"bias": ONE}, False),
    ],
    ids=["informative bias", "empty bias", "no bias", "a projection by name"],
)
def test_only_a_bias_with_content_tells_labels(name, tensors, labels):
    state = {f"{name}.weight": torch.ones(3, 2), **{f"{name}.{kind}": value for kind, value in tensors.items()}}
    assert tells_labels(state, (name,)) is labels


def test_any_of_several_heads_tells():
    assert tells_labels({"head.bias": ZEROS, "head_dist.bias": ONE}, ("head", "head_dist"))


def test_names_come_from_the_card_then_from_timm(vit):
    assert head_names({"classifier": "head.fc"}, vit) == ("head.fc",)
    assert head_names({"classifier": ["head", "head_dist"]}, vit) == ("head", "head_dist")
    assert head_names({}, vit) == ("head",)
    assert head_names({}, torch.nn.Identity()) == ()


def test_only_the_layer_itself_is_left_out():
    state = {"head.fc.weight": ONE, "head.fc.bias": ONE, "head.norm.weight": ONE, "head.fc_norm.bias": ONE}
    assert list(without_head(state, ("head.fc",))) == ["head.norm.weight", "head.fc_norm.bias"]


@pytest.mark.parametrize(("bias", "empty"), [(None, True), (ZEROS, True), (ONE, False)])
def test_empty_bias_is_one_that_is_missing_or_zero(vit, bias, empty):
    state = {"head.weight": torch.ones(3, 192)} | ({} if bias is None else {"head.bias": bias})
    found = empty_biases(state, ("head",), vit)
    assert list(found) == (["head.bias"] if empty else []) and not any(value.any() for value in found.values())
