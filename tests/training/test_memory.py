"""The prototype memory against slow loops, and the promise that the old one stays."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dcac.seeding import torch_generator
from dcac.training.memory import build, update

DIM = 5


def unit(rows, generator):
    return torch.nn.functional.normalize(torch.randn(rows, DIM, generator=generator), dim=1)


def normalise(vector):
    return vector / np.sqrt((vector * vector).sum())


def slow_build(directions, labels, identities):
    memory = []
    for identity in range(identities):
        members = [d for d, label in zip(directions, labels, strict=True) if label == identity]
        memory.append(normalise(sum(members) / len(members)))
    return np.array(memory)


def slow_update(memory, directions, labels, momentum, rule):
    memory = memory.copy()
    old = memory.copy()
    for identity in dict.fromkeys(labels):
        members = [d for d, label in zip(directions, labels, strict=True) if label == identity]
        if rule == "hard":
            members = [min(members, key=lambda d: float(d @ old[identity]))]
        for member in members:
            memory[identity] = normalise(momentum * memory[identity] + (1 - momentum) * member)
    return memory


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 10_000))
def test_build_matches_a_slow_loop_in_any_order_of_images(identities, images, seed):
    generator = torch_generator(seed)
    directions = unit(identities * images, generator)
    labels = torch.arange(identities).repeat(images)[torch.randperm(identities * images, generator=generator)]
    expected = slow_build(directions.double().numpy(), labels.tolist(), identities)
    np.testing.assert_allclose(build(directions, labels, identities).numpy(), expected, rtol=0, atol=1e-5)


def test_build_counts_every_image_of_an_identity_once():
    directions = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    memory = build(directions, torch.tensor([0, 0, 0, 1]), 2)
    torch.testing.assert_close(memory, torch.tensor([[2 / 5**0.5, 1 / 5**0.5], [0.0, 1.0]]))


@given(
    st.sampled_from(["hard", "all"]), st.integers(1, 4), st.integers(1, 4), st.floats(0, 0.99), st.integers(0, 10_000)
)
def test_update_matches_a_slow_loop(rule, identities, images, momentum, seed):
    generator = torch_generator(seed)
    memory = unit(6, generator)
    labels = torch.randperm(6, generator=generator)[:identities].repeat_interleave(images)
    directions = unit(len(labels), generator)
    ours = update(memory, directions, labels, momentum=momentum, images=images, rule=rule)
    slow = slow_update(memory.double().numpy(), directions.double().numpy(), labels.tolist(), momentum, rule)
    np.testing.assert_allclose(ours.numpy(), slow, rtol=0, atol=1e-4)


def test_hard_update_worked_by_hand():
    memory = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    directions = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])  # similarities with row 1: 1, 0.6, 0
    moved = update(memory, directions, torch.tensor([1, 1, 1]), momentum=0.2, images=3, rule="hard")
    torch.testing.assert_close(moved, torch.tensor([[0.0, 1.0], [0.2 / 0.68**0.5, 0.8 / 0.68**0.5]]))


@pytest.mark.parametrize("rule", ["hard", "all"])
def test_old_memory_stays_and_other_rows_are_copied(rule):
    generator = torch_generator(0)
    memory = unit(6, generator)
    before = memory.clone()
    moved = update(memory, unit(4, generator), torch.tensor([2, 2, 5, 5]), momentum=0.2, images=2, rule=rule)
    assert torch.equal(memory, before)
    assert torch.equal(moved[[0, 1, 3, 4]], before[[0, 1, 3, 4]])
    assert not torch.isclose(moved[[2, 5]], before[[2, 5]]).all(dim=1).any()


def test_rows_stay_unit_vectors_and_carry_no_gradient():
    generator = torch_generator(0)
    directions = unit(8, generator).requires_grad_()
    labels = torch.arange(4).repeat_interleave(2)
    memory = build(directions, labels, 4)
    for _ in range(50):
        memory = update(memory, directions, labels, momentum=0.2, images=2, rule="hard")
    torch.testing.assert_close(memory.norm(dim=1), torch.ones(4))
    assert not memory.requires_grad


def test_half_precision_cannot_tell_close_instances_apart():
    """method.md section 10.1, number 6: two similarities that round to one number; the first instance is taken."""
    prototypes = torch.tensor([[1.0, 0.0]])
    directions = torch.nn.functional.normalize(torch.tensor([[0.9001, 0.4], [0.9, 0.4]]), dim=1)
    chosen = {}
    for half in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            moved = update(prototypes, directions, torch.zeros(2, dtype=int), momentum=0.0, images=2, rule="hard")
        chosen[half] = [torch.allclose(moved[0], direction, atol=1e-6, rtol=0) for direction in directions]
    assert chosen == {False: [False, True], True: [True, False]}
