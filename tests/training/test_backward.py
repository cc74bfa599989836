"""Slices and several processes compute the gradients of the whole batch."""

import copy
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from dcac.settings import Runtime
from dcac.training.backward import check_slices, sliced, slices, whole
from dcac.training.batches import Batch
from dcac.training.hardware import Hardware
from dcac.training.inputs import Inputs
from dcac.training.loop import Training


@pytest.fixture
def training(arguments, settings, tmp_path):
    """Return a function that makes a training of the tiny world with LoRA that does something."""

    def make(**changes):
        chosen = settings.model_copy(update=changes)
        given = arguments(tmp_path / "run", chosen)
        inputs = Inputs(given["stores"], given["encoder"], given["latents"], given["prior"])
        made = Training(chosen, inputs, seed=0, hardware=Hardware("cpu", chosen.precision))
        made.model.train()
        for name, parameter in made.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(1))
        return made

    return make


def batch_of(training):
    """Draw one batch."""
    generator = torch.Generator().manual_seed(0)
    rows = np.arange(16)
    images = torch.randn(16, 3, *training.data.images.shape[-2:], generator=generator)
    memory = torch.nn.functional.normalize(torch.randn(16, 24, generator=generator), dim=1)
    drawn = training.batches.diffusion_view(rows, "1/0") if training.batches.latents is not None else None
    return Batch(images, training.batches.labels[rows], memory, drawn)


def gradients(model, losses, weight):
    """Go back from the weighted sum and return every parameter's gradient, and the noise term's at the features."""
    noise = losses.terms.get("noise")
    at_feature = (
        torch.autograd.grad(noise, losses.embedding.feature, retain_graph=True)[0] if noise is not None else None
    )
    total = losses.terms["id"] + losses.terms["prototype"] + (weight * noise if noise is not None else 0)
    total.backward()
    losses.finish()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}, at_feature


@pytest.mark.parametrize(
    ("condition", "diffusion", "weight", "size"),
    [
        ("fc", "lora", 1.0, 5),
        ("pcl", "all", 2.5, 16),
        ("feature", "lora", 0.3, 1),
        ("fc", "none", 1.0, 7),
        ("fc", "lora", 0.0, 5),
    ],
)
def test_slices_give_the_gradients_of_the_whole_batch(training, condition, diffusion, weight, size):
    made = training(condition=condition, diffusion=diffusion, noise_weight=weight)
    other, batch = copy.deepcopy(made.model), batch_of(made)
    expected, expected_at_feature = gradients(made.model, whole(made.model, batch, made.settings), weight)
    cut = sliced(other, batch, made.settings, size=size, hardware=made.hardware)
    found, found_at_feature = gradients(other, cut, weight)
    assert set(found) == set(expected)
    floor = 1e-3 * max(gradient.norm() for gradient in expected.values())  # a key's bias has no gradient but rounding
    for name, gradient in expected.items():
        error = (found[name] - gradient).norm() / max(gradient.norm(), floor)
        assert error < 1e-3, f"{name}: {error}"
    if expected_at_feature is not None:
        assert (found_at_feature - expected_at_feature).norm() < 1e-3 * expected_at_feature.norm()


def test_slices_in_half_precision_give_the_gradients_of_the_whole_batch(training):
    """Weights cast to bf16 while features are computed without a graph must not be used again in the pass with one."""
    made = training(precision="bf16")
    other, batch = copy.deepcopy(made.model), batch_of(made)
    with made.hardware.autocast():
        everything = whole(made.model, batch, made.settings)
        cut = sliced(other, batch, made.settings, size=5, hardware=made.hardware)
    expected, expected_at_feature = gradients(made.model, everything, 1.0)
    found, found_at_feature = gradients(other, cut, 1.0)
    assert set(found) == set(expected)
    floor = 1e-2 * max(gradient.norm() for gradient in expected.values())
    for name, gradient in expected.items():
        assert (found[name] - gradient).norm() < 0.1 * max(gradient.norm(), floor), name
    assert (found_at_feature - expected_at_feature).norm() < 0.1 * expected_at_feature.norm()


def test_a_gradient_that_overflows_leaves_the_reported_loss_alone(training, monkeypatch):
    """The gradient scaler skips such a step; the epoch's mean loss must not know of it."""
    made = training()
    monkeypatch.setattr(made.hardware, "loss_scale", lambda: torch.tensor(3e38))
    made.settings = made.settings.model_copy(update={"noise_weight": 1e3})
    batch = batch_of(made)
    losses = sliced(made.model, batch, made.settings, size=5, hardware=made.hardware)
    assert torch.isfinite(losses.terms["noise"])
    gradient = torch.autograd.grad(losses.terms["noise"], losses.embedding.feature)[0]
    assert not torch.isfinite(gradient).all()


def test_weight_zero_with_a_frozen_network_has_nothing_to_clear(training):
    made = training(diffusion="freeze", noise_weight=0.0)
    losses = sliced(made.model, batch_of(made), made.settings, size=5, hardware=made.hardware)
    assert torch.isfinite(losses.terms["noise"])


def test_bnneck_sees_the_whole_batch_once(training):
    made = training(diffusion="none")
    batch = batch_of(made)
    sliced(made.model, batch, made.settings, size=3, hardware=made.hardware)
    feature = torch.cat([made.model.reid.backbone(part) for part in batch.images.split(1)])
    torch.testing.assert_close(made.model.reid.bnneck.running_mean, 0.1 * feature.mean(dim=0).detach())
    assert made.model.reid.bnneck.num_batches_tracked == 1


def test_an_encoder_with_batch_statistics_is_not_sliced():
    check_slices(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), "vit")
    with pytest.raises(ValueError, match=r"encoder_weights 'resnet' has BatchNorm.*set micro_batch: null"):
        check_slices(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)), "resnet")


def test_slices_cover_the_share_once():
    assert [list(range(s.start, s.stop)) for s in slices(range(4, 11), 3)] == [[4, 5, 6], [7, 8, 9], [10]]


def test_a_batch_that_does_not_divide_is_refused(monkeypatch):
    hardware = Hardware("cpu", "fp32")
    hardware.count = 3
    with pytest.raises(ValueError, match="batch of 64 images does not divide among 3 processes"):
        hardware.share(64)


@pytest.mark.parametrize("runtime", [Runtime(micro_batch=5), Runtime(gradient_checkpointing=True, channels_last=True)])
def test_runtime_switches_change_a_run_by_rounding_only(train, settings, tmp_path, runtime):
    plain, switched = train(tmp_path / "plain", settings), train(tmp_path / "switched", settings, runtime=runtime)
    for first, second in zip(plain.epochs, switched.epochs, strict=True):
        for term in ("loss_id", "loss_prototype", "loss_noise"):
            assert first[term] == pytest.approx(second[term], rel=2e-3)


@pytest.mark.slow
def test_two_processes_give_the_loss_curve_of_one(train, arguments, settings, tmp_path):
    alone = train(tmp_path / "alone", settings)
    given = arguments(tmp_path / "two", settings)
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "dcac.cli",
        "train",
    ]
    words = [
        f"--config={given['config']}",
        f"--encoder={given['encoder']}",
        f"--prior={given['prior']}",
        "--device=cpu",
    ]
    words += [f"--store={given['stores'][0]}", f"--latents={given['latents'][0]}", "--seed=0", f"--out={given['out']}"]
    result = subprocess.run([*launch, *words], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    lines = [json.loads(line) for line in (given["out"] / "log.jsonl").read_text().splitlines()]
    assert lines[0]["processes"] == 2
    epochs = [line for line in lines if line["event"] == "epoch"]
    for first, second in zip(alone.epochs, epochs, strict=True):
        for term in ("loss_id", "loss_prototype", "loss_noise"):
            assert first[term] == pytest.approx(second[term], rel=2e-3)


@pytest.mark.parametrize(
    "runtime", [Runtime(compile=True), Runtime(compile=True, micro_batch=5)], ids=["whole", "sliced"]
)
def test_compiled_networks_give_the_losses_of_plain_ones(train, settings, tmp_path, monkeypatch, runtime):
    """Traced and differentiated as torch.compile does, but run without its C++ compiler, which takes minutes."""
    compiled, original = [], torch.nn.Module.compile

    def traced(module):
        compiled.append(type(module).__name__)
        original(module, backend="aot_eager")

    monkeypatch.setattr(torch.nn.Module, "compile", traced)
    settings = settings.model_copy(update={"epochs": 1, "decay_epochs": (), "warmup_epochs": 0})
    plain, switched = train(tmp_path / "plain", settings), train(tmp_path / "switched", settings, runtime=runtime)
    assert compiled == ["VisionTransformer", "UNet2DConditionModel"]
    for term in ("loss_id", "loss_prototype", "loss_noise"):
        assert switched.epochs[0][term] == pytest.approx(plain.epochs[0][term], rel=2e-3)
    assert switched.weights.keys() == plain.weights.keys()
