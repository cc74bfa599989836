"""The first steps of a training: their bands, their gradients, and a resume."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from dcac.rehearsal import canary
from dcac.training import state


def test_the_identity_band_runs_from_a_perfect_to_an_even_guess(settings):
    people, labels = 7, torch.arange(7)
    eps = settings.label_smoothing
    perfect = torch.full((people, people), eps / people) + (1 - eps) * torch.eye(people)
    cost = [float(cross_entropy(guess, labels, label_smoothing=eps)) for guess in (perfect.log(), torch.zeros(7, 7))]
    band = canary.bands(settings, people)["id"]
    assert band.low == pytest.approx(cost[0]) and band.high == pytest.approx(cost[1] + 1)


def test_no_directions_leave_the_prototype_band(settings):
    band = canary.bands(settings, 5)["prototype"]
    memory = normalize(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    memory = torch.cat([memory[:1], -memory[:1].expand(4, 3)])  # the worst: all others lie opposite
    for label, direction in ((0, -memory[0]), (0, memory[0]), (1, memory[0])):
        logits = (direction @ memory.T / settings.prototype_temperature)[None]
        assert band.low <= float(cross_entropy(logits, torch.tensor([label]))) <= band.high


def test_nothing_is_found_in_a_sound_training(build):
    seen, _ = canary.walk(build(), steps=4)
    assert set(seen.losses) == {"id", "prototype", "noise"} and all(len(v) == 4 for v in seen.losses.values())
    assert seen.faults == [] and len(seen.seconds) == 4


def test_losses_out_of_their_band_are_named(settings):
    known = canary.bands(settings, 16)
    assert list(canary.outside({"id": [2.0], "noise": [1.0], "other": [1e9]}, known)) == []
    (fault,) = canary.outside({"noise": [1.0, 1.6]}, known)
    assert "loss noise is 1.6 in step 2, not within 0 .. 1.5 (predicting no noise at all costs 1" in fault
    (fault,) = canary.outside({"other": [1.0, math.nan]}, known)
    assert "loss other is nan in step 2" in fault


def test_a_training_that_runs_away_is_found(build):
    seen, _ = canary.walk(build(learning_rate=1.0e6), steps=6)
    assert any("is nan in step" in fault or "not within" in fault for fault in seen.faults), seen.losses


def test_gradients_are_where_they_belong_and_nowhere_else(build):
    training = build()
    canary.walk(training, steps=2)
    assert list(canary.gradient_faults(training)) == []
    frozen = next(p for p in training.model.parameters() if not p.requires_grad)
    frozen.grad = torch.ones_like(frozen)
    assert ["is frozen and has a gradient" in fault for fault in canary.gradient_faults(training)] == [True]
    frozen.grad = None
    training.model.prompts.zero_grad()
    assert list(canary.gradient_faults(training)) == ["no gradient reaches Prompts, which is to learn"]
    training.model.reid.classifier.weight.grad[0] = math.nan
    assert any("classifier.weight is not finite" in fault for fault in canary.gradient_faults(training))


def test_a_resume_goes_on_as_if_nothing_had_been(build, tmp_path):
    training = build()
    _, progress = canary.walk(training, steps=2)
    assert canary.resume_faults(training, tmp_path / "run.state", progress, steps=2) == []


@pytest.mark.parametrize("forgotten", ["model", "optimiser", "memory"])
def test_a_resume_that_forgets_something_is_found(build, tmp_path, monkeypatch, forgotten):
    def load(folder, identity, model, optimiser):
        before = {"model": state.learnt_state(model), "optimiser": optimiser.state_dict()}
        kept = {name: torch.utils._pytree.tree_map(lambda v: v.clone() if hasattr(v, "clone") else v, part)
                for name, part in before.items()}  # fmt: skip
        progress = whole(folder, identity, model, optimiser)
        if forgotten == "model":
            model.load_state_dict(kept["model"], strict=False)
        elif forgotten == "optimiser":
            optimiser.load_state_dict(kept["optimiser"])
        else:
            progress.memory = progress.memory.roll(1, dims=0)
        return progress

    whole = state.load
    monkeypatch.setattr(state, "load", load)
    training = build()
    _, progress = canary.walk(training, steps=2)
    faults = canary.resume_faults(training, tmp_path / "run.state", progress, steps=2)
    assert any("this training would not continue as it was" in fault for fault in faults)
