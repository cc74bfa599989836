"""Every draw has a name of its own, and the name alone decides it."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dcac.seeding import derive, numpy_generator, torch_generator

NAMES = st.lists(st.text(alphabet="abc/0", max_size=4) | st.integers(0, 99), max_size=3)


def test_derived_seed_is_the_leading_63_bits_of_a_sha256():
    bits = bin(int(hashlib.sha256(b"7/sampler/3").hexdigest(), 16))[2:].zfill(256)
    assert derive(7, "sampler", 3) == int(bits[:63], 2)


@given(st.integers(0, 2**40), NAMES)
def test_derived_seed_fits_every_generator(seed, names):
    assert 0 <= derive(seed, *names) < 2**63


def test_seeds_purposes_and_steps_give_different_streams():
    seeds = {derive(seed, name, step) for seed in range(5) for name in ("sampler", "augment") for step in range(100)}
    assert len(seeds) == 5 * 2 * 100


def test_generators_repeat_for_one_name_and_differ_for_another():
    first, second, other = (numpy_generator(0, *name).random(4) for name in (["a"], ["a"], ["b"]))
    assert np.array_equal(first, second) and not np.array_equal(first, other)
    first, second, other = (torch_generator(0, *name).initial_seed() for name in (["a"], ["a"], ["b"]))
    assert first == second != other


def test_global_generators_are_left_alone():
    import torch

    before, state = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    torch.rand(3, generator=torch_generator(1, "x"))
    numpy_generator(1, "x").random(3)
    assert torch.equal(before, torch.random.get_rng_state()) and np.array_equal(state, np.random.get_state()[1])
