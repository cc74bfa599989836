"""A batch of the Re-ID branch, with a slow NumPy view of it."""

import pytest
import torch

from dcac.model.encoder import ReIDModel
from dcac.seeding import torch_generator

DIM, IDENTITIES, BATCH = 6, 5, 8


@pytest.fixture
def reid():
    """A Re-ID model whose encoder is one linear layer, with a classifier far from its small initial values."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ReIDModel(torch.nn.Linear(4, DIM), DIM, IDENTITIES)
    model.initialise_classifier(0.5, torch_generator(0, "classifier"))
    return model


@pytest.fixture
def batch():
    """Inputs [B, 4], labels [B] and unit prototypes [N, D]."""
    generator = torch_generator(1, "batch")
    inputs = torch.randn(BATCH, 4, generator=generator)
    labels = torch.randint(0, IDENTITIES, (BATCH,), generator=generator)
    memory = torch.nn.functional.normalize(torch.randn(IDENTITIES, DIM, generator=generator), dim=1)
    return inputs, labels, memory
