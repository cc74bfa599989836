"""Position tables at another image size: what is resized, how, and from which grid."""

import numpy as np
import pytest
import timm
import torch

from dcac.model.positions import resize_positions
from dcac.seeding import torch_generator

SQUARE = (224, 224)  # pixels


def on_paper(architecture, **arguments):
    """Return a model without memory."""
    with torch.device("meta"):
        return timm.create_model(architecture, **arguments)


def resized(positions, model, *, trained_size=SQUARE, name="pos_embed"):
    """Return one table at the model's size."""
    return resize_positions({name: positions}, model, trained_size=trained_size)[name]


def slow_bilinear(grid, height, width):
    """Sample a grid [h, w, C] at the centres of height x width cells, clamped at the border."""
    out = np.zeros((height, width, grid.shape[2]))
    for i in range(height):
        for j in range(width):
            y = max(0.0, (i + 0.5) * grid.shape[0] / height - 0.5)
            x = max(0.0, (j + 0.5) * grid.shape[1] / width - 0.5)
            top, left = int(y), int(x)
            down, right = min(top + 1, grid.shape[0] - 1), min(left + 1, grid.shape[1] - 1)
            dy, dx = y - top, x - left
            out[i, j] = (1 - dy) * ((1 - dx) * grid[top, left] + dx * grid[top, right])
            out[i, j] += dy * ((1 - dx) * grid[down, left] + dx * grid[down, right])
    return out


@pytest.mark.parametrize(
    ("architecture", "size", "source", "others", "target"),
    [
        ("vit_base_patch16_clip_quickgelu_224", (256, 128), (14, 14), 1, (16, 8)),
        ("vit_small_patch14_dinov2", (252, 126), (37, 37), 1, (18, 9)),
        ("vit_small_patch14_reg4_dinov2", (252, 126), (37, 37), 0, (18, 9)),  # registers have no rows here
        ("deit_tiny_distilled_patch16_224", (256, 128), (14, 14), 2, (16, 8)),
        ("eva02_tiny_patch14_224", (252, 126), (16, 16), 1, (18, 9)),
    ],
)
def test_places_are_resized_bilinearly_and_other_rows_keep_their_own(architecture, size, source, others, target):
    positions = torch.randn(1, others + source[0] * source[1], 3, generator=torch_generator(0))
    got = resized(positions, on_paper(architecture, img_size=size))
    assert torch.equal(got[:, :others], positions[:, :others])
    slow = slow_bilinear(positions[0, others:].double().numpy().reshape(*source, 3), *target)
    np.testing.assert_allclose(got[0, others:].numpy(), slow.reshape(-1, 3), rtol=0, atol=1e-5)


def test_attention_pool_of_a_resnet_has_its_own_table_without_batch_axis():
    positions = torch.randn(1 + 7 * 7, 5, generator=torch_generator(0))
    model = on_paper("resnet50_clip", img_size=(256, 128))
    got = resized(positions, model, name="head.pos_embed")
    assert got.shape == (1 + 8 * 4, 5) and torch.equal(got[0], positions[0])
    slow = slow_bilinear(positions[1:].double().numpy().reshape(7, 7, 5), 8, 4)
    np.testing.assert_allclose(got[1:].numpy(), slow.reshape(-1, 5), rtol=0, atol=1e-5)


def test_oblong_table_is_read_as_the_size_of_its_pre_training_says():
    positions = torch.randn(1, 1 + 16 * 8, 3, generator=torch_generator(0))
    got = resized(positions, on_paper("vit_tiny_patch16_224", img_size=(384, 128)), trained_size=(256, 128))
    slow = slow_bilinear(positions[0, 1:].double().numpy().reshape(16, 8, 3), 24, 8)
    np.testing.assert_allclose(got[0, 1:].numpy(), slow.reshape(-1, 3), rtol=0, atol=1e-5)


def test_same_number_of_places_in_another_shape_is_resized_too():
    positions = torch.randn(1, 1 + 14 * 14, 3, generator=torch_generator(0))
    model = on_paper("vit_tiny_patch16_224", img_size=(448, 112))
    slow = slow_bilinear(positions[0, 1:].double().numpy().reshape(14, 14, 3), 28, 7)
    np.testing.assert_allclose(resized(positions, model)[0, 1:].numpy(), slow.reshape(-1, 3), rtol=0, atol=1e-5)
    assert resized(positions, model, trained_size=None) is positions  # nothing says that it was square


def test_table_of_the_right_grid_is_left_alone():
    positions = torch.randn(1, 1 + 14 * 14, 3, generator=torch_generator(0))
    assert resized(positions, on_paper("vit_tiny_patch16_224")) is positions


@pytest.mark.parametrize(("trained_size", "shape"), [(None, "square grid"), ((256, 128), "grid like 256 x 128 pixels")])
def test_rows_that_form_no_grid_are_refused(trained_size, shape):
    model = on_paper("vit_tiny_patch16_224", img_size=(256, 128))
    with pytest.raises(
        ValueError, match=rf"^33 positions form no {shape} to resize to 16 x 8 tokens; set image_height"
    ):
        resized(torch.zeros(1, 1 + 33, 3), model, trained_size=trained_size)


def test_other_weights_pass_untouched():
    state = {"conv1.weight": torch.zeros(2), "pos_embed": torch.zeros(1, 4, 3)}
    assert resize_positions(state, on_paper("resnet18"), trained_size=SQUARE) == state
