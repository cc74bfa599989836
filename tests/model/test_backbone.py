"""Encoders of many families from folders as timm's hub keeps them: sizes, heads, names, and one training step."""

import json
import socket

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from timm.models._hub import save_for_hf

from dcac.foreign.openai_clip import to_openai
from dcac.model.backbone import activation_variant
from dcac.model.encoder import ReIDModel, load_backbone
from dcac.seeding import torch_generator

SMALL = {"patch_size": 8, "embed_dim": 12, "depth": 1, "num_heads": 2, "img_size": 32}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Fail where something asks the network."""

    def refuse(*_):
        raise AssertionError("a network connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def hub(tmp_path):
    """Return a function that keeps a random model in a folder as the hub does, and returns both."""

    def keep(architecture, *, bias=None, **arguments):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = timm.create_model(architecture, **arguments)
            if bias is not None:
                torch.nn.init.constant_(model.get_classifier().bias, bias)
        save_for_hf(model, tmp_path, safe_serialization=True)
        return model, tmp_path

    return keep


FAMILIES = [  # architecture, model arguments, image size, first layer
    ("resnet18", {}, (64, 32), "conv1"),
    ("convnext_atto", {}, (64, 32), "stem.0"),
    ("efficientnet_b0", {}, (64, 32), "conv_stem"),
    ("swin_tiny_patch4_window7_224", {"depths": (1, 1, 1, 1), "embed_dim": 24}, (128, 64), "patch_embed.proj"),
    ("vit_tiny_patch16_224", {"depth": 2}, (64, 32), "patch_embed.proj"),
    ("deit_tiny_distilled_patch16_224", {"depth": 2}, (64, 32), "patch_embed.proj"),
    ("vit_small_patch14_dinov2", {"depth": 2}, (70, 42), "patch_embed.proj"),
    ("vit_small_patch14_reg4_dinov2", {"depth": 2}, (70, 42), "patch_embed.proj"),
    ("eva02_tiny_patch14_224", {"depth": 2}, (70, 42), "patch_embed.proj"),
    ("vit_base_patch16_siglip_224", {"depth": 1, "embed_dim": 48, "num_heads": 2}, (64, 32), "patch_embed.proj"),
]


@pytest.mark.parametrize(("architecture", "arguments", "size", "first"), FAMILIES, ids=[row[0] for row in FAMILIES])
def test_training_step_reaches_the_first_layer(hub, architecture, arguments, size, first):
    _, folder = hub(architecture, **arguments)
    backbone, dim = load_backbone(folder, height=size[0], width=size[1])
    stored = load_file(folder / "model.safetensors")[f"{first}.weight"]
    weight = backbone.get_submodule(first).weight
    assert torch.equal(weight, stored)
    model = ReIDModel(backbone, dim, 4)
    model.initialise_classifier(0.5, torch_generator(0))
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    embedding = model.train()(torch.randn(4, 3, *size, generator=torch_generator(1)))
    assert embedding.feature.shape == (4, dim)
    torch.nn.functional.cross_entropy(embedding.logits, torch.arange(4)).backward()
    assert weight.grad.any()
    optimiser.step()
    assert not torch.equal(weight, stored)


@pytest.mark.parametrize(
    ("architecture", "arguments"),
    [("resnet18", {}), ("convnext_atto", {}), ("vit_tiny_patch16_224", SMALL)],  # fc, head.fc, head
)
def test_classifier_of_labels_goes_and_the_feature_below_it_stays(hub, architecture, arguments):
    model, folder = hub(architecture, bias=0.5, num_classes=10, **arguments)
    backbone, dim = load_backbone(folder, height=32, width=32)
    images = torch.randn(2, 3, 32, 32, generator=torch_generator(0))
    with torch.no_grad():
        feature, expected = (
            backbone.eval()(images),
            model.eval().forward_head(model.forward_features(images), pre_logits=True),
        )
    assert dim == model.num_features and not any("fc.weight" in n and "mlp" not in n for n in backbone.state_dict())
    torch.testing.assert_close(feature, expected)


@pytest.mark.parametrize(
    ("architecture", "arguments"), [("convnext_atto", {}), ("vit_tiny_patch16_224", SMALL)], ids=["head.fc", "head"]
)
def test_projection_stays_without_its_empty_bias(hub, architecture, arguments):
    model, folder = hub(architecture, bias=0.0, num_classes=10, **arguments)
    backbone, dim = load_backbone(folder, height=32, width=32)
    images = torch.randn(2, 3, 32, 32, generator=torch_generator(0))
    assert dim == 10 and backbone.get_classifier().bias is None
    with torch.no_grad():
        torch.testing.assert_close(backbone.eval()(images), model.eval()(images))


def test_projection_may_lack_its_bias_in_the_file(hub):
    _, folder = hub("vit_tiny_patch16_224", bias=0.0, num_classes=10, **SMALL)
    state = load_file(folder / "model.safetensors")
    del state["head.bias"]
    save_file(state, folder / "model.safetensors")
    backbone, dim = load_backbone(folder, height=32, width=32)
    assert dim == 10 and backbone.head.bias is None and torch.equal(backbone.head.weight, state["head.weight"])


def test_projection_of_clip_resnets_stays_with_its_bias(hub):
    _, folder = hub("resnet50_clip", bias=0.5)
    backbone, dim = load_backbone(folder, height=64, width=32)
    assert dim == 1024 and (backbone.head.proj.bias == 0.5).all()
    assert backbone(torch.zeros(2, 3, 64, 32)).shape == (2, 1024)


def test_whole_clip_gives_its_image_encoder(hub):
    """As the hub keeps OpenAI's: names of the original, text encoder included."""
    arguments = {**SMALL, "embed_dim": 24, "pre_norm": True, "num_classes": 10}
    model, folder = hub("vit_base_patch16_clip_quickgelu_224", bias=0.0, **arguments)
    expected, _ = load_backbone(folder, height=32, width=16)
    tensors = {name: value for name, value in model.state_dict().items() if name != "head.bias"}
    whole = {f"visual.{name}": value.contiguous() for name, value in to_openai(tensors).items()}
    save_file({**whole, "text_projection": torch.zeros(3), "logit_scale": torch.zeros(1)}, folder / "model.safetensors")
    got, dim = load_backbone(folder, height=32, width=16)
    assert dim == 10 and got.head.bias is None
    state = expected.state_dict()
    assert list(got.state_dict()) == list(state)
    assert all(torch.equal(value, state[name]) for name, value in got.state_dict().items())


def test_openai_weights_get_quick_gelu_although_their_card_names_the_plain_network(hub):
    _, folder = hub("vit_base_patch16_clip_224", **SMALL, num_classes=0, pretrained_cfg="openai")
    card = json.loads((folder / "config.json").read_text())
    assert (card["architecture"], card["pretrained_cfg"]["tag"]) == ("vit_base_patch16_clip_224", "openai")
    backbone, _ = load_backbone(folder, height=32, width=16)
    x = torch.linspace(-3, 3, 7)
    torch.testing.assert_close(backbone.blocks[0].mlp.act(x), x * torch.sigmoid(1.702 * x))


@pytest.mark.parametrize(
    ("architecture", "tag"),
    [("vit_base_patch16_clip_224", "laion2b"), ("vit_base_patch16_224", "openai"), ("vit_base_patch16_clip_224", None)],
)
def test_other_weights_keep_their_activation(architecture, tag):
    assert activation_variant(architecture, tag) == architecture


def test_size_without_whole_patches_is_refused_with_one_that_fits(hub):
    _, folder = hub("vit_small_patch14_dinov2", depth=1)
    with pytest.raises(
        ValueError,
        match=r"256 x 128 pixels are no whole patches of 14 x 14, as vit_small_patch14_dinov2 needs; .* 252 and 126",
    ):
        load_backbone(folder, height=256, width=128)


def test_places_are_resized_once_even_where_their_number_stays(hub):
    """timm would resize the same table again if it took it for the one of the pre-training."""
    _, folder = hub("vit_tiny_patch16_224", depth=1)
    backbone, _ = load_backbone(folder, height=448, width=112)
    square = load_file(folder / "model.safetensors")["pos_embed"][:, 1:].reshape(1, 14, 14, 192).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(square, size=(28, 7), mode="bilinear").flatten(2).transpose(1, 2)
    torch.testing.assert_close(backbone.pos_embed[:, 1:], expected)


def test_patch_projection_is_frozen_where_there_is_one(hub):
    _, folder = hub("swin_tiny_patch4_window7_224", depths=(1, 1, 1, 1), embed_dim=24)
    backbone, _ = load_backbone(folder, height=128, width=64, freeze_patches=True)
    frozen = [name for name, parameter in backbone.named_parameters() if not parameter.requires_grad]
    assert frozen and all(name.startswith("patch_embed.") for name in frozen)


def test_freezing_patches_of_a_network_without_any_is_refused(hub):
    _, folder = hub("resnet18")
    with pytest.raises(
        ValueError, match=r"resnet18 has no patch projection to freeze; set freeze_patch_projection: false"
    ):
        load_backbone(folder, height=64, width=32, freeze_patches=True)


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_every_tensor_must_fit_although_the_head_goes(hub, change):
    _, folder = hub("resnet18", bias=0.5)
    state = load_file(folder / "model.safetensors")
    if change == "missing":
        del state["bn1.weight"]
    else:
        state["bn9.weight" if change == "unexpected" else "bn1.weight"] = torch.zeros(3)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"do not make a resnet18 for 64 x 32 pixels .*bn[19]\.weight"):
        load_backbone(folder, height=64, width=32)


def test_loaded_encoder_does_not_keep_a_second_copy_of_its_weights(hub):
    _, folder = hub("resnet18")
    backbone, _ = load_backbone(folder, height=64, width=32)
    assert "state_dict" not in backbone.pretrained_cfg and backbone.default_cfg is backbone.pretrained_cfg


def test_nothing_in_the_encoder_is_left_to_chance(hub):
    """Swin drops paths by default: two passes of one batch would differ, and no seed would name their draws."""
    _, folder = hub(
        "swin_tiny_patch4_window7_224",
        num_classes=0,
        embed_dim=16,
        depths=(1, 1, 1, 1),
        num_heads=(1, 1, 2, 2),
        drop_rate=0.2,
    )
    backbone, _ = load_backbone(folder, height=64, width=32)
    images = torch.rand(2, 3, 64, 32)
    backbone.train()
    assert torch.equal(backbone(images), backbone(images))
