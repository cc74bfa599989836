"""The condition token: each scheme against NumPy, the bottlenecks, and which parts the noise loss can teach."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from dcac.methods.dcac.model import DCAC
from dcac.model.conditioning import Prompts, build_bottleneck
from dcac.model.diffusion import DiffusionPrior
from dcac.model.latents import DiffusionBatch
from dcac.model.schemes import scheme_of
from dcac.seeding import torch_generator
from dcac.training.batches import Batch

SCHEMES = ("fc", "pcl", "fc+pcl", "feature", "hard")
WIDTH = 7
TEACHES = {  # method.md section 4: what the noise loss alone gives a gradient to
    "fc": {"encoder", "bnneck", "classifier", "prompts"},
    "pcl": {"encoder", "bnneck", "prompts"},
    "fc+pcl": {"encoder", "bnneck", "classifier", "prompts"},
    "feature": {"encoder", "bnneck", "prompts"},
    "hard": {"prompts"},
}


def correlation(embedding, labels, memory, settings):
    return scheme_of(settings).weights(embedding, labels, memory, settings)


def softmax(x):
    weights = np.exp(x - x.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def slow_correlation(scheme, embedding, labels, memory, settings):
    s, z_hat, m = (value.detach().double().numpy() for value in (embedding.logits, embedding.direction, memory))
    fc = softmax(s / settings.condition_temperature)
    pcl = softmax(z_hat @ m.T / settings.prototype_temperature)
    one_hot = np.array([[float(j == y) for j in range(len(m))] for y in labels.tolist()])
    return {"fc": fc, "pcl": pcl, "fc+pcl": (fc + pcl) / 2, "hard": one_hot}[scheme]


@pytest.fixture
def prompts():
    made = Prompts(5, WIDTH, "embedding")
    made.initialise(1.0, torch_generator(0, "prompts"))
    return made


@pytest.mark.parametrize("scheme", ["fc", "pcl", "fc+pcl", "hard"])
def test_correlation_matches_float64_numpy(reid, batch, settings, scheme):
    images, labels, memory = batch
    settings = settings.model_copy(update={"condition": scheme, "condition_temperature": 0.6})
    embedding = reid(images)
    p = correlation(embedding, labels, memory, settings)
    np.testing.assert_allclose(
        p.detach().numpy(), slow_correlation(scheme, embedding, labels, memory, settings), rtol=0, atol=1e-6
    )
    torch.testing.assert_close(p.sum(dim=1), torch.ones(len(labels)))


def test_temperature_sharpens(reid, batch, settings):
    images, labels, memory = batch
    embedding = reid(images)
    peaks = [
        correlation(embedding, labels, memory, settings.model_copy(update={"condition_temperature": tau}))
        .max(dim=1)
        .values
        for tau in (0.1, 0.6, 1.0)
    ]
    assert (peaks[0] > peaks[1]).all() and (peaks[1] > peaks[2]).all()


def test_prototype_correlation_keeps_float32_under_autocast(reid, batch, settings):
    images, labels, memory = batch
    settings = settings.model_copy(update={"condition": "pcl", "prototype_temperature": 0.01})
    embedding = reid(images)
    plain = correlation(embedding, labels, memory, settings)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = correlation(embedding, labels, memory, settings)
    assert torch.equal(plain, mixed)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_token_is_the_mixture_of_prompts(reid, batch, settings, scheme):
    images, labels, memory = batch
    settings = settings.model_copy(update={"condition": scheme})
    prompts = Prompts(6 if scheme == "feature" else 5, WIDTH, "embedding")
    prompts.initialise(1.0, torch_generator(0))
    embedding = reid(images)
    token = DCAC(reid, settings, None, prompts).context(embedding, labels, memory)
    table = prompts.table.detach().double().numpy()
    if scheme == "feature":
        expected = embedding.direction.detach().double().numpy() @ table
    else:
        expected = slow_correlation(scheme, embedding, labels, memory, settings) @ table
    assert token.shape == (len(labels), 1, WIDTH)
    np.testing.assert_allclose(token[:, 0].detach().numpy(), expected, rtol=0, atol=1e-5)


def test_hard_label_takes_its_own_row_to_the_bit(reid, batch, settings, prompts):
    images, labels, memory = batch
    settings = settings.model_copy(update={"condition": "hard"})
    token = DCAC(reid, settings, None, prompts).context(reid(images), labels, memory)
    assert torch.equal(token[:, 0], prompts.table[labels])


def test_hand_worked_token():
    prompts = Prompts(3, 2, "embedding")
    with torch.no_grad():
        prompts.table.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [4.0, 4.0]]))
    assert prompts(torch.tensor([[0.5, 0.25, 0.25]])).tolist() == [[[1.5, 1.5]]]


class ContextSum(nn.Module):
    """Stand in for a U-Net: the prediction is the latent plus the mean of the token."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, latents, steps, *, encoder_hidden_states, return_dict):
        return (latents + self.weight * encoder_hidden_states.square().mean(dim=(1, 2))[:, None, None, None],)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_noise_loss_teaches_what_its_scheme_says_and_never_the_frozen_network(reid, batch, settings, scheme):
    images, labels, memory = batch
    settings = settings.model_copy(update={"condition": scheme})
    prompts = Prompts(6 if scheme == "feature" else 5, WIDTH, "embedding")
    prompts.initialise(1.0, torch_generator(0))
    unet = ContextSum()
    model = DCAC(reid, settings, DiffusionPrior(unet, torch.linspace(0.99, 0.01, 1000)), prompts)
    generator = torch_generator(2)
    latents, noise = torch.randn(2, len(labels), 4, 2, 2, generator=generator)
    drawn = DiffusionBatch(latents, noise, torch.randint(0, 1000, (len(labels),), generator=generator))
    part = model.per_image(reid(images), Batch(images, labels, memory, drawn))["noise"]
    part.loss(part.given, slice(None)).mean().backward()
    parts = {
        "encoder": reid.backbone.weight,
        "bnneck": reid.bnneck.weight,
        "classifier": reid.classifier.weight,
        "prompts": prompts.table,
        "frozen": unet.weight,
    }
    taught = {name for name, parameter in parts.items() if parameter.grad is not None and parameter.grad.any()}
    assert taught == TEACHES[scheme]
    assert unet.weight.grad is None and memory.grad is None


def slow_batch_norm(x, eps=1e-5):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)


def slow_silu(x):
    return x / (1 + np.exp(-x))


@pytest.mark.parametrize("name", ["embedding", "silu", "bn", "bn+silu", "condition_net"])
def test_bottleneck_matches_float64_numpy(name):
    bottleneck = build_bottleneck(name, 16).train()
    x = torch.randn(9, 16, generator=torch_generator(0))
    weights = [m.weight.detach().double().numpy() for m in bottleneck.modules() if isinstance(m, nn.Linear)]
    expected = {
        "embedding": lambda v: v,
        "silu": slow_silu,
        "bn": slow_batch_norm,
        "bn+silu": lambda v: slow_silu(slow_batch_norm(v)),
        "condition_net": lambda v: (
            slow_silu(slow_batch_norm(slow_silu(slow_batch_norm(v)) @ weights[0].T)) @ weights[1].T
        ),
    }[name](x.double().numpy())
    np.testing.assert_allclose(bottleneck(x).detach().numpy(), expected, rtol=0, atol=1e-4)


def test_condition_net_narrows_768_to_96_without_biases():
    linears = [m for m in build_bottleneck("condition_net", 768) if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features, m.bias) for m in linears] == [(768, 96, None), (96, 768, None)]


def test_prompts_and_linear_layers_start_from_the_asked_normal_distribution():
    prompts = Prompts(751, 768, "condition_net")
    prompts.initialise(2.0, torch_generator(0, "prompts"))
    assert prompts.table.numel() == 576_768  # method.md section 9
    for weight in (prompts.table, prompts.bottleneck[2].weight, prompts.bottleneck[5].weight):
        values = weight.detach().double().flatten()
        assert values.std() == pytest.approx(2.0, rel=4 / math.sqrt(2 * len(values)))
        assert abs(values.mean()) < 4 * 2 / math.sqrt(len(values))


def test_prototype_correlation_is_rounded_where_the_released_code_rounds_it(reid, batch, settings):
    inputs, labels, memory = batch
    chosen = settings.model_copy(update={"condition": "pcl", "prototype_temperature": 0.01})
    embedding = reid(inputs)
    released = chosen.model_copy(update={"prototype_logits_dtype": "autocast"})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        exact, rounded = (correlation(embedding, labels, memory, s) for s in (chosen, released))
    assert not torch.equal(exact, rounded)
    half = (embedding.direction.bfloat16() @ memory.T.bfloat16()) / 0.01
    torch.testing.assert_close(rounded, half.float().softmax(dim=1))
