"""Both losses and their gradients against float64 loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dcac.losses.identity import id_loss
from dcac.losses.prototype import prototype_loss
from dcac.seeding import torch_generator


def slow_cross_entropy(logits, targets):
    """Return - mean_b sum_j q_bj log softmax(s_b)_j and its gradient (softmax - q) / B, one value at a time."""
    total, gradient = 0.0, np.zeros_like(logits)
    for b, row in enumerate(logits):
        scale = max(row) + math.log(sum(math.exp(value - max(row)) for value in row))
        for j, value in enumerate(row):
            total -= targets[b][j] * (value - scale)
            gradient[b, j] = (math.exp(value - scale) - targets[b][j]) / len(logits)
    return total / len(logits), gradient


def smoothed(labels, classes, smoothing):
    return [[(1 - smoothing) * (j == y) + smoothing / classes for j in range(classes)] for y in labels]


@given(st.integers(1, 9), st.integers(2, 12), st.floats(0, 0.9), st.integers(0, 10_000))
def test_id_loss_and_gradient_match_a_slow_loop(batch, classes, smoothing, seed):
    generator = torch_generator(seed)
    logits = (3 * torch.randn(batch, classes, generator=generator)).requires_grad_()
    labels = torch.randint(0, classes, (batch,), generator=generator)
    loss = id_loss(logits, labels, smoothing=smoothing)
    loss.backward()
    value, gradient = slow_cross_entropy(
        logits.detach().double().numpy(), smoothed(labels.tolist(), classes, smoothing)
    )
    assert loss.item() == pytest.approx(value, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(logits.grad.numpy(), gradient, atol=1e-6)


def test_id_loss_worked_by_hand():
    logits = torch.tensor([[math.log(3.0), 0.0]])  # softmax 3/4, 1/4; q = 0.95, 0.05
    expected = -(0.95 * math.log(0.75) + 0.05 * math.log(0.25))
    assert id_loss(logits, torch.tensor([0]), smoothing=0.1).item() == pytest.approx(expected, rel=1e-6)


def test_id_loss_of_an_untrained_classifier_is_the_log_of_n():
    assert id_loss(torch.zeros(4, 751), torch.arange(4), smoothing=0.1).item() == pytest.approx(math.log(751), rel=1e-6)


@given(st.integers(1, 9), st.integers(2, 12), st.floats(0.01, 1), st.integers(0, 10_000))
def test_prototype_loss_and_gradient_match_a_slow_loop(batch, classes, temperature, seed):
    generator = torch_generator(seed)
    direction, memory = (
        torch.nn.functional.normalize(torch.randn(rows, 6, generator=generator), dim=1) for rows in (batch, classes)
    )
    direction.requires_grad_()
    labels = torch.randint(0, classes, (batch,), generator=generator)
    loss = prototype_loss(direction, labels, memory, temperature=temperature, logits_dtype="fp32")
    loss.backward()
    d, m = direction.detach().double().numpy(), memory.double().numpy()
    value, by_logit = slow_cross_entropy(d @ m.T / temperature, smoothed(labels.tolist(), classes, 0.0))
    assert loss.item() == pytest.approx(value, rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(direction.grad.numpy(), by_logit @ m / temperature, atol=1e-4 / temperature)


def test_prototype_loss_worked_by_hand():
    direction, memory = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    expected = math.log(1 + math.exp(-1 / 0.5))
    loss = prototype_loss(direction, torch.tensor([0]), memory, temperature=0.5, logits_dtype="fp32")
    assert loss.item() == pytest.approx(expected)


def test_prototypes_get_no_gradient():
    direction, memory = torch.eye(3).requires_grad_(), torch.eye(3)
    prototype_loss(direction, torch.arange(3), memory, temperature=0.1, logits_dtype="fp32").backward()
    assert direction.grad.any() and memory.grad is None


def test_prototype_logits_stay_in_float32_under_autocast():
    generator = torch_generator(0)
    direction, memory = (
        torch.nn.functional.normalize(torch.randn(rows, 64, generator=generator), dim=1) for rows in (8, 20)
    )
    plain = prototype_loss(direction, torch.arange(8), memory, temperature=0.01, logits_dtype="fp32")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = prototype_loss(direction, torch.arange(8), memory, temperature=0.01, logits_dtype="fp32")
    assert mixed.dtype == torch.float32 and torch.equal(plain, mixed)


@pytest.mark.parametrize(
    ("similarities", "ours", "released"),
    [
        ((0.9, 0.9001), 0.01, 0.0),  # both become 0.8984375
        ((0.5, 0.51), 1.0, 1.25),  # 0.51 becomes 0.51171875, and a hundred times that, 51.171875, becomes 51.25
    ],
)
def test_released_prototype_logits_are_rounded_before_and_after_the_temperature(similarities, ours, released):
    """method.md section 10.1, number 5, worked by hand in bfloat16; the numbers are the second logit minus the first."""
    direction, label = torch.tensor([[1.0, 0.0]]), torch.tensor([0])
    memory = torch.tensor([[share, (1 - share**2) ** 0.5] for share in similarities])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for logits_dtype, gap in (("fp32", ours), ("autocast", released)):
            loss = prototype_loss(direction, label, memory, temperature=0.01, logits_dtype=logits_dtype)
            assert loss.dtype == torch.float32
            assert loss.item() == pytest.approx(math.log(1 + math.exp(gap)), abs=1e-5)
