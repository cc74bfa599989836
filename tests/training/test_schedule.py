"""The learning rate of every epoch of the published schedule."""

from itertools import pairwise

import pytest

from dcac.suites import load_suite, run_settings
from dcac.training.schedule import factor


@pytest.fixture(scope="module")
def paper(config_dir):
    return run_settings(load_suite("paper", config_dir), "dcac", "MA", config_dir)


@pytest.mark.parametrize(
    ("epochs", "rate"),
    [([1], 9.5e-7), ([5], 2.75e-6), (range(10, 30), 5e-6), (range(30, 50), 5e-7), (range(50, 61), 5e-8)],
)
def test_learning_rate_has_the_published_check_values(paper, epochs, rate):
    for epoch in epochs:
        assert factor(epoch, paper) * paper.learning_rate == pytest.approx(rate, rel=1e-9)


def test_sum_over_the_training_is_the_published_one(paper):
    total = sum(factor(epoch, paper) * paper.learning_rate for epoch in range(1, 61))
    assert total == pytest.approx(1.353e-4, rel=5e-4)


def test_warm_up_rises_and_nothing_rises_after_it(paper):
    factors = [factor(epoch, paper) for epoch in range(1, 61)]
    assert all(a < b for a, b in pairwise(factors[:10]))
    assert all(a >= b for a, b in pairwise(factors[9:]))


def test_no_warm_up_starts_at_the_full_rate(paper):
    assert factor(1, paper.model_copy(update={"warmup_epochs": 0})) == 1.0
