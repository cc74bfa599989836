"""The training step and the memory against a second, plain implementation, with no setting at its usual value."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dcac.data.sampling import identity_batches
from dcac.data.views import draw_augmentation, train_view
from dcac.seeding import numpy_generator, torch_generator
from dcac.training import memory
from dcac.training.hardware import Hardware
from dcac.training.inputs import Inputs
from dcac.training.loop import Training
from dcac.training.schedule import factor
from dcac.training.state import RunState

UNUSUAL = {
    "id_weight": 0.7,
    "label_smoothing": 0.2,
    "prototype_weight": 0.5,
    "prototype_temperature": 0.2,
    "prototype_momentum": 0.6,
    "prototype_update": "all",
    "noise_weight": 3.0,
    "condition_temperature": 0.4,
    "classifier_std": 0.3,
    "prompt_lr_multiplier": 2.0,
    "lora_lr_multiplier": 5.0,
    "weight_decay": 0.05,
    "adam_beta1": 0.8,
    "adam_beta2": 0.95,
}


@pytest.fixture
def make(store, latents, encoder_folder, prior_folder, settings):
    """Return a function that makes a training of the tiny world."""

    def build(**changes):
        changed = settings.model_copy(update=changes)
        inputs = Inputs([store], encoder_folder, [latents], prior_folder)
        return Training(changed, inputs, seed=3, hardware=Hardware("cpu", changed.precision))

    return build


def draw_batches(training, epoch):
    settings = training.settings
    return identity_batches(
        training.data.labels,
        identities=settings.identities_per_batch,
        images=settings.images_per_identity,
        generator=numpy_generator(3, "sampler", epoch),
    )


def plain_loss(model, training, indices, name, prototypes):
    """Return L = w_id L_id + w_pcl L_pcl + lambda L_diff of one batch, and z_hat."""
    s, labels = training.settings, training.batches.labels[indices]
    draws = draw_augmentation(len(indices), s, torch_generator(3, "augment", name))
    images = train_view(torch.from_numpy(training.data.images[indices]), draws, s)
    z = model.reid.bnneck(model.reid.backbone(images))
    z_hat, logits = z / z.norm(dim=1, keepdim=True), z @ model.reid.classifier.weight.T
    target = (1 - s.label_smoothing) * F.one_hot(labels, 16) + s.label_smoothing / 16
    loss = s.id_weight * -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()
    contrast = (z_hat @ prototypes.T / s.prototype_temperature).log_softmax(dim=1)
    loss = loss - s.prototype_weight * contrast[range(len(indices)), labels].mean()
    generator = torch_generator(3, "diffusion", name)
    mean, logvar = training.batches.latents.train[indices].split(4, dim=1)
    clean = 0.7 * (mean + (logvar / 2).exp() * torch.randn(mean.shape, generator=generator))
    noise = torch.randn(mean.shape, generator=generator)
    steps = torch.randint(0, 1000, (len(indices),), generator=generator)
    betas = torch.linspace(8.5e-4**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    abar = (1 - betas).cumprod(dim=0)[steps].float()[:, None, None, None]
    token = ((logits / s.condition_temperature).softmax(dim=1) @ model.prompts.table)[:, None]
    noisy = abar.sqrt() * clean + (1 - abar).sqrt() * noise
    predicted = model.prior.unet(noisy, steps, encoder_hidden_states=token).sample
    return loss + s.noise_weight * ((noise - predicted) ** 2).mean(), z_hat.detach()


def plain_memory(prototypes, z_hat, labels, momentum):
    rows = dict(enumerate(prototypes.numpy()))
    for direction, label in zip(z_hat.numpy(), labels.tolist(), strict=True):
        moved = momentum * rows[label] + (1 - momentum) * direction
        rows[label] = moved / np.linalg.norm(moved)
    return torch.from_numpy(np.stack([rows[label] for label in range(len(rows))]))


def test_steps_equal_a_plain_implementation(make):
    training = make(**UNUSUAL)
    model, settings = copy.deepcopy(training.model).train(), training.settings
    groups = [
        {"params": [p for p in part.parameters() if p.requires_grad], "lr": settings.learning_rate * multiplier}
        for part, multiplier in ((model.reid, 1.0), (model.prompts, 2.0), (model.prior, 5.0))
    ]
    optimiser = torch.optim.Adam(groups, betas=(0.8, 0.95), weight_decay=0.05, fused=False)
    for group in training.optimiser.param_groups:
        group["lr"] = settings.learning_rate * group["multiplier"]
    prototypes = training.build_memory()
    progress = RunState(memory=prototypes)
    training.model.train()
    for number, indices in enumerate(draw_batches(training, 1)[:3]):
        terms, _ = training.step(indices, f"1/{number}", progress, diagnose=False)
        loss, z_hat = plain_loss(model, training, torch.from_numpy(indices), f"1/{number}", prototypes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        prototypes = plain_memory(prototypes, z_hat, training.batches.labels[indices], 0.6)
        ours = 0.7 * terms["id"] + 0.5 * terms["prototype"] + 3.0 * terms["noise"]
        torch.testing.assert_close(ours, loss.detach(), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(progress.memory, prototypes, rtol=0, atol=1e-4)
    apart = {
        name
        for name, value in model.state_dict().items()
        if not torch.allclose(training.model.state_dict()[name], value, rtol=0, atol=2e-4)
    }
    # The key's bias cancels in the softmax and the last bias in the batch norm: Adam magnifies gradients of rounding.
    assert apart <= {"reid.backbone.blocks.0.attn.qkv.bias", "reid.backbone.norm.bias"}


def test_every_term_changes_something(make):
    """The comparison above would not notice a term that both sides forget."""
    training = make(**UNUSUAL)
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    progress = RunState(memory=training.build_memory())
    training.model.train()
    training.step(draw_batches(training, 1)[0], "1/0", progress, diagnose=False)
    moved = {name for name, value in training.model.state_dict().items() if not torch.equal(value, before[name])}
    trained = {name for name, parameter in training.model.named_parameters() if parameter.requires_grad}
    statistics = {"reid.bnneck.running_mean", "reid.bnneck.running_var", "reid.bnneck.num_batches_tracked"}
    # with B = 0 the adapters' A gets no gradient in the first step, only its weight decay
    assert trained | statistics == moved


def test_memory_is_the_class_mean_of_unaugmented_unit_features(make):
    training = make()
    with torch.no_grad():
        training.model.reid.bnneck.running_mean.fill_(0.3)
        memory, means = training.build_memory(), []
        for label in range(16):
            images = (
                torch.from_numpy(training.data.images[(training.batches.labels == label).numpy()]).float() / 255 - 0.5
            ) / 0.5
            z = (training.model.reid.backbone.eval()(images) - 0.3) / (1 + 1e-5) ** 0.5
            mean = (z / z.norm(dim=1, keepdim=True)).mean(dim=0)
            means.append(mean / mean.norm())
    torch.testing.assert_close(memory, torch.stack(means), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("choice", "half"), [("fp32", False), ("autocast", True)])
def test_memory_is_kept_in_the_precision_asked_for(make, monkeypatch, choice, half):
    """method.md section 10.1, number 6: building it and picking the hardest instance, both in half precision or neither."""
    training = make(memory_dtype=choice, precision="bf16", diffusion="none")
    seen, original = [], memory.update

    def update(*positional, **named):
        seen.append(torch.is_autocast_enabled("cpu"))
        return original(*positional, **named)

    monkeypatch.setattr(memory, "update", update)
    progress = RunState(memory=training.build_memory())
    view = (torch.from_numpy(training.data.images[:]).float() / 255 - 0.5) / 0.5
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        z_hat = training.model.reid.eval().embed(view)
    expected = memory.build(z_hat.float(), training.batches.labels, 16)
    torch.testing.assert_close(progress.memory, expected, rtol=0, atol=1e-6)
    training.model.train()
    training.step(draw_batches(training, 1)[0], "1/0", progress, diagnose=False)
    assert seen == [half]
    assert progress.memory.dtype == torch.float32
    torch.testing.assert_close(progress.memory.norm(dim=1), torch.ones(16), rtol=0, atol=1e-6)


def test_memory_is_rebuilt_each_epoch_or_once(make, tmp_path, monkeypatch):
    built, original = [], Training.build_memory
    monkeypatch.setattr(Training, "build_memory", lambda self: built.append(1) or original(self))
    for rebuild, times in (("epoch", 3), ("once", 1)):
        built.clear()
        (tmp_path / rebuild).mkdir()
        make(prototype_rebuild=rebuild, epochs=3, diffusion="none").fit(tmp_path / rebuild, "me", header={})
        assert len(built) == times


def test_the_held_out_noise_loss_comes_once_a_period_and_after_the_last_epoch(make, tmp_path):
    training = make(epochs=5, decay_epochs=(4,), diagnostic_period=2)
    epochs = training.fit(tmp_path, "identity", header={})["epochs"]
    assert [line["epoch"] for line in epochs if "noise_own" in line] == [2, 4, 5]
    assert all("p_max" in line for line in epochs)


def test_each_group_follows_the_schedule_at_its_own_multiple(make, tmp_path, monkeypatch):
    rates, original = [], Training.step

    def step(self, *positional, **named):
        rates.append([group["lr"] for group in self.optimiser.param_groups])
        return original(self, *positional, **named)

    monkeypatch.setattr(Training, "step", step)
    own = {"classifier_lr_multiplier": 3.0, "prompt_lr_multiplier": 2.0, "lora_lr_multiplier": 5.0}
    training = make(**own, epochs=3, warmup_epochs=2, decay_epochs=(3,))
    training.fit(tmp_path, "me", header={})
    settings, multiples = training.settings, (1.0, 1.0, 3.0, 2.0, 5.0)  # backbone, BNNeck, classifier, prompts, LoRA
    expected = [
        [pytest.approx(factor(epoch, settings) * settings.learning_rate * multiple) for multiple in multiples]
        for epoch in (1, 2, 3)
        for _ in draw_batches(training, epoch)
    ]
    assert rates == expected


def test_every_step_has_noise_of_its_own_and_every_epoch_batches_of_its_own(make):
    training = make()
    names = ["1/0", "1/1", "2/0"]
    draws = [training.batches.diffusion_view(np.arange(4), name) for name in names]
    for first, second in pairwise(draws):
        assert not torch.equal(first.noise, second.noise) and not torch.equal(first.steps, second.steps)
    assert not np.array_equal(draw_batches(training, 1)[0], draw_batches(training, 2)[0])
    again = training.batches.diffusion_view(np.arange(4), "1/0")
    assert all(torch.equal(first, second) for first, second in zip(draws[0], again, strict=True))


def test_time_steps_cover_the_whole_schedule(make):
    training = make()
    steps = training.batches.diffusion_view(np.zeros(20_000, dtype=np.int64), "x").steps
    assert steps.min() == 0 and steps.max() == 999
    assert steps.double().mean().item() == pytest.approx(499.5, abs=4 * 288.7 / 20_000**0.5)


def test_the_placebo_denoises_other_people_with_the_same_noise_and_steps(make):
    own, placebo = make(), make(noise_image="other")
    rows = draw_batches(own, 1)[0]
    memory = own.build_memory()
    ours, theirs = (training.batches.batch(rows, "1/0", memory) for training in (own, placebo))
    assert torch.equal(ours.images, theirs.images) and torch.equal(ours.labels, theirs.labels)
    assert torch.equal(ours.diffusion.noise, theirs.diffusion.noise)
    assert torch.equal(ours.diffusion.steps, theirs.diffusion.steps)
    means = own.batches.latents.train[rows].chunk(2, dim=1)[0]
    for place, latent in enumerate(theirs.diffusion.latents):
        shown = int((means - latent / 0.7).square().mean(dim=(1, 2, 3)).argmin())
        assert ours.labels[shown] != ours.labels[place]
    again = placebo.batches.diffusion_view(rows, "1/0")
    assert torch.equal(again.latents, theirs.diffusion.latents)
    assert not torch.equal(placebo.batches.diffusion_view(rows, "1/1").latents, again.latents)


def test_the_placebo_pulls_as_hard_as_the_prior(make):
    """At the start of a training, before a U-Net has learnt what a condition is worth."""
    pulls = []
    for choice in ("own", "other"):
        training = make(noise_image=choice)
        progress = RunState(memory=training.build_memory())
        training.model.train()
        _, report = training.step(draw_batches(training, 1)[0], "1/0", progress, diagnose=True)
        pulls.append(report["gradient_noise"])
    assert pulls[0] > 0 and 0.5 < pulls[1] / pulls[0] < 2
