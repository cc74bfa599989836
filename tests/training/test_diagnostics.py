"""The diagnostics: gradient norms, their angle, sharpness of p, and the paired held-out noise losses."""

import math

import numpy as np
import pytest
import torch

from dcac.methods.dcac.diagnostics import held_out_noise_loss, sharpness
from dcac.methods.trained import HeldOut
from dcac.model.latents import DiffusionBatch
from dcac.seeding import torch_generator
from dcac.training.diagnostics import gradients
from dcac.training.inputs import Inputs
from dcac.training.setup import build_model


@pytest.fixture
def feature():
    return torch.tensor([[1.0, 2.0], [0.0, 0.0]], requires_grad=True)


def terms_of(feature):
    return {"id": 3 * feature[0, 0], "prototype": 4 * feature[0, 1], "noise": feature[0, 0] - feature[0, 1]}


def test_norms_and_angle_worked_by_hand(feature):
    report = gradients(terms_of(feature), feature, scale=1.0, own=["noise"])
    assert report == {
        "gradient_id": 3.0,
        "gradient_prototype": 4.0,
        "gradient_noise": pytest.approx(math.sqrt(2)),
        "cosine_noise": pytest.approx((1 * 3 - 1 * 4) / (math.sqrt(2) * 5)),
    }


def test_scale_of_the_backward_pass_is_divided_out(feature):
    report = gradients(terms_of(feature), feature, scale=1024.0, own=["noise"])
    assert report == pytest.approx(gradients(terms_of(feature), feature, scale=1.0, own=["noise"]))


def test_term_that_never_sees_the_feature_has_no_gradient_and_no_angle(feature):
    apart = torch.ones(1, requires_grad=True)
    report = gradients({"id": feature.sum(), "noise": apart.sum()}, feature, scale=1.0, own=["noise"])
    assert report == {"gradient_id": 2.0, "gradient_noise": 0.0}


def test_value_that_overflows_is_left_out(feature):
    """The scaled gradient of the ID loss, 1e45, is infinite in single precision; that of the noise loss, 1e15, is not."""
    report = gradients({"id": feature.sum() * 1e30, "noise": feature.sum()}, feature, scale=1e15, own=["noise"])
    assert report == {"gradient_noise": pytest.approx(2.0)}


def test_graph_stays_usable_for_the_step_and_no_gradient_is_stored(feature):
    terms = terms_of(feature)
    gradients(terms, feature, scale=1.0, own=["noise"])
    assert feature.grad is None
    sum(terms.values()).backward()
    assert feature.grad.tolist() == [[4.0, 3.0], [0.0, 0.0]]


def test_sharpness_worked_by_hand():
    report = sharpness(torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))
    assert report == pytest.approx({"p_max": 0.75, "p_entropy": math.log(2) / 2})


def test_sharpness_matches_numpy():
    p = torch.randn(7, 9, generator=torch_generator(0)).softmax(dim=1)
    values = p.double().numpy()
    expected = {"p_max": values.max(axis=1).mean(), "p_entropy": -(values * np.log(values)).sum(axis=1).mean()}
    assert sharpness(p) == pytest.approx(expected, rel=1e-6)


@pytest.fixture
def build(encoder_folder, prior_folder, settings):
    """Return a function that builds a model of a scheme, with prompts that matter."""

    def make(scheme):
        changed = settings.model_copy(update={"condition": scheme, "classifier_std": 1.0})
        return build_model(changed, Inputs([], encoder_folder, prior=prior_folder), num_identities=16, seed=0)

    return make


@pytest.fixture
def held_out():
    generator = torch_generator(0, "held-out")
    latents, *noises = torch.randn(3, 6, 4, 8, 8, generator=generator)
    steps = torch.randint(0, 1000, (2, 6), generator=generator)
    draws = tuple(DiffusionBatch(latents, noise, step) for noise, step in zip(noises, steps, strict=True))
    return HeldOut(torch.randn(6, 3, 32, 16, generator=generator), draws)


@pytest.fixture
def memory():
    return torch.nn.functional.normalize(torch.randn(16, 24, generator=torch_generator(1)), dim=1)


@pytest.mark.parametrize("scheme", ["fc", "pcl", "fc+pcl", "feature"])
def test_held_out_loss_equals_one_image_at_a_time(build, held_out, memory, scheme):
    model = build(scheme).train()
    report = held_out_noise_loss(model, held_out, memory, size=3)
    model.eval()
    with torch.no_grad():
        tokens = [model.context(model.reid(image[None]), torch.zeros(0), memory) for image in held_out.images]
        mean = model.prompts.table.mean(dim=0)[None, None]
        empty = torch.zeros_like(mean) if scheme == "feature" else mean
        losses = {"own": [], "null": [], "other": []}
        for i in range(6):
            one = [DiffusionBatch(*(part[i : i + 1] for part in draw)) for draw in held_out.draws]
            for name, token in (("own", tokens[i]), ("null", empty), ("other", tokens[(i + 3) % 6])):
                found = [model.prior.loss_per_image(context=token, **draw._asdict()).item() for draw in one]
                losses[name].append(np.mean(found))
    expected = {f"noise_{name}": np.mean(values) for name, values in losses.items()}
    for name, below in (("null", "own"), ("other", "null")):
        differences = np.subtract(losses[name], losses[below])
        reach = 1.96 * differences.std(ddof=1) / 6**0.5
        expected[f"noise_{name}_low"], expected[f"noise_{name}_high"] = (
            differences.mean() - reach,
            differences.mean() + reach,
        )
    assert report == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert len(set(report.values())) == 7


def test_one_image_alone_has_losses_and_no_interval(build, held_out, memory):
    draws = tuple(DiffusionBatch(*(part[:1] for part in draw)) for draw in held_out.draws)
    alone = HeldOut(held_out.images[:1], draws)
    assert set(held_out_noise_loss(build("fc"), alone, memory, size=8)) == {"noise_own", "noise_null", "noise_other"}


def test_measuring_leaves_the_model_as_it_was(build, held_out, memory):
    for training in (True, False):
        model = build("fc").train(training)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        held_out_noise_loss(model, held_out, memory, size=8)
        assert model.training is training
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert all(parameter.grad is None for parameter in model.parameters())


def test_hard_label_control_has_no_held_out_condition(build, held_out, memory):
    assert held_out_noise_loss(build("hard"), held_out, memory, size=8) == {}
