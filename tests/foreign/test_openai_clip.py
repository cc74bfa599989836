"""OpenAI CLIP's names and timm's: full size, a direct evaluation, and the way back."""

import pytest
import timm
import torch
import torch.nn.functional as F

from dcac.foreign.openai_clip import to_openai, to_timm
from dcac.seeding import torch_generator

CLIP = "vit_base_patch16_clip_quickgelu_224"
WIDTH, HEADS, DEPTH, PATCH, OUTPUTS = 24, 2, 12, 8, 10
SIZE = (32, 16)  # pixels: 4 x 2 patches


@pytest.fixture
def tensors(clip_visual, filled):
    """A narrow CLIP encoder of 12 blocks, under OpenAI's names."""
    return filled(clip_visual(width=WIDTH, depth=DEPTH, patch=PATCH, tokens=9, outputs=OUTPUTS))


def test_every_tensor_of_the_full_size_encoder_has_its_counterpart(clip_visual):
    shapes = clip_visual(width=768, depth=12, patch=16, tokens=129, outputs=512)
    converted = to_timm({name: torch.empty(shape, device="meta") for name, shape in shapes.items()})
    assert sum(value.numel() for value in converted.values()) == 86_140_416  # method.md section 9
    with torch.device("meta"):
        model = timm.create_model(CLIP, num_classes=512, img_size=(256, 128))
    model.head.bias = None
    expected = model.state_dict()
    assert len(converted) == len(expected) == 152
    assert {name: value.shape for name, value in converted.items()} == {n: v.shape for n, v in expected.items()}


def test_converted_encoder_computes_what_clip_computes(tensors):
    model = timm.create_model(
        CLIP, num_classes=OUTPUTS, img_size=SIZE, patch_size=PATCH, embed_dim=WIDTH, num_heads=HEADS
    )
    model.head.bias = None
    model.load_state_dict(to_timm(tensors))
    images = torch.randn(3, 3, *SIZE, generator=torch_generator(0))
    torch.testing.assert_close(model.eval()(images), _clip(tensors, images), rtol=1e-5, atol=1e-5)


def _clip(t, images):
    patches = F.conv2d(images, t["conv1.weight"], stride=PATCH).flatten(2).permute(2, 0, 1)
    tokens = torch.cat([t["class_embedding"].expand(1, len(images), WIDTH), patches])
    tokens = tokens + t["positional_embedding"][:, None]
    tokens = _norm(t, "ln_pre", tokens)
    for i in range(DEPTH):
        block = {name.removeprefix(f"transformer.resblocks.{i}."): value for name, value in t.items()}
        x = _norm(block, "ln_1", tokens)
        projections = (block["attn.in_proj_weight"], block["attn.in_proj_bias"], None, None, False, 0.0)
        out = (block["attn.out_proj.weight"], block["attn.out_proj.bias"])
        tokens = tokens + F.multi_head_attention_forward(x, x, x, WIDTH, HEADS, *projections, *out, training=False)[0]
        hidden = F.linear(_norm(block, "ln_2", tokens), block["mlp.c_fc.weight"], block["mlp.c_fc.bias"])
        hidden = hidden * torch.sigmoid(1.702 * hidden)
        tokens = tokens + F.linear(hidden, block["mlp.c_proj.weight"], block["mlp.c_proj.bias"])
    return _norm(t, "ln_post", tokens[0]) @ t["proj"]


def _norm(t, name, x):
    return F.layer_norm(x, (WIDTH,), t[f"{name}.weight"], t[f"{name}.bias"], 1e-5)


def test_the_way_back_gives_the_original_names_and_values(tensors):
    back = to_openai(to_timm(tensors))
    assert back.keys() == tensors.keys() and all(torch.equal(back[name], tensors[name]) for name in tensors)


def test_missing_and_unknown_tensors_are_named(tensors):
    with pytest.raises(ValueError, match="tensor camera_embedding is not one of"):
        to_timm({**tensors, "camera_embedding": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"tensor transformer\.resblocks\.7\.ln_1\.bias is missing"):
        to_timm({name: value for name, value in tensors.items() if name != "transformer.resblocks.7.ln_1.bias"})
    with pytest.raises(ValueError, match=r"tensor head\.bias is not one of"):
        to_openai({**to_timm(tensors), "head.bias": torch.ones(OUTPUTS)})
