"""The overhead of a run: what is counted, what is timed, and what is written."""

import json
from statistics import quantiles

import numpy as np
import pytest
import torch

from dcac.reporting import overhead_table
from dcac.settings import Runtime
from dcac.training import overhead
from dcac.training.hardware import Hardware
from dcac.training.inputs import Inputs
from dcac.training.loop import Training


@pytest.fixture
def build(store, latents, encoder_folder, prior_folder, settings):
    """Return a function that makes a training of the tiny world."""

    def make(**changes):
        changed = settings.model_copy(update=changes)
        prior = prior_folder if changed.diffusion != "none" else None
        hardware = Hardware("cpu", changed.precision)
        inputs = Inputs([store], encoder_folder, [latents] if prior else [], prior)
        return Training(changed, inputs, seed=0, hardware=hardware)

    return make


@pytest.fixture
def measure(arguments, settings, tmp_path):
    """Return a function that measures a run of the tiny world and reads what is written."""

    def read(*, steps=4, runtime=Runtime(), **changes):
        given = arguments(tmp_path / "run", settings.model_copy(update=changes))
        del given["seed"]
        given["out"] = tmp_path / "overhead" / "run.json"
        overhead.run(**given, variant="a variant", sources="A", steps=steps, runtime=runtime)
        return json.loads(given["out"].read_text(encoding="utf-8"))

    return read


def scalars(tensors):
    """Count one by one."""
    return sum(1 for tensor in tensors for _ in tensor.detach().flatten().tolist())


@pytest.mark.parametrize("diffusion", ["none", "lora", "all", "freeze"])
def test_counts_equal_a_slow_loop_over_the_parameters(build, diffusion):
    training = build(diffusion=diffusion)
    found = overhead.count_parameters(training.model)
    named = dict(training.model.named_parameters())
    optimised = [parameter for group in training.optimiser.param_groups for parameter in group["params"]]
    assert found["total"] == scalars(named.values())
    assert found["trained"] == scalars(optimised)
    at_test = [p for name, p in named.items() if name.startswith(("reid.backbone.", "reid.bnneck."))]
    assert found["tested"] == scalars(at_test)


def test_testing_needs_the_same_with_and_without_diffusion(build):
    counts = {mode: overhead.count_parameters(build(diffusion=mode).model) for mode in ("none", "lora")}
    classifier = 16 * 24  # people x width
    assert counts["none"]["tested"] == counts["lora"]["tested"] == counts["none"]["total"] - classifier


def test_a_frozen_unet_counts_in_the_total_alone(build):
    model = build(diffusion="freeze").model
    frozen, baseline = (overhead.count_parameters(m) for m in (model, build(diffusion="none").model))
    unet, prompts = scalars(model.prior.unet.parameters()), 16 * 12  # people x token width
    assert unet > 1000
    assert frozen["total"] == baseline["total"] + unet + prompts
    assert frozen["trained"] == baseline["trained"] + prompts


def test_measurement_names_the_run_and_how_it_was_computed(measure, settings):
    found = measure(steps=4, runtime=Runtime(micro_batch=5))
    assert (found["variant"], found["sources"], found["batch"], found["steps"]) == ("a variant", "A", 16, 4)
    assert found["runtime"]["micro_batch"] == 5 and found["precision"] == "fp32" and found["device"].startswith("cpu")
    assert found["environment"]["torch"] and len(found["code"]) == 12
    assert found["settings"] == settings.model_dump(mode="json")
    assert found["peak_memory_bytes"] > 2**20


def test_baseline_is_measured_without_a_prior(measure):
    baseline, dcac = measure(diffusion="none"), measure()
    assert baseline["parameters"]["total"] < dcac["parameters"]["total"]
    assert baseline["parameters"]["trained"] < dcac["parameters"]["trained"]


@pytest.mark.parametrize(("asked", "computed"), [("fp16", "fp32"), ("bf16", "bf16")])
def test_precision_is_named_as_the_cpu_computed_it(measure, asked, computed):
    assert measure(precision=asked, diffusion="none")["precision"] == computed


def test_quartiles_and_images_per_second_follow_from_the_steps(measure, monkeypatch):
    seconds = [0.5, 0.25, 1.0, 4.0, 0.75]
    monkeypatch.setattr(overhead, "time_steps", lambda _training, _steps: seconds)
    found = measure(diffusion="none")
    low, median, high = quantiles(seconds, n=4, method="inclusive")
    assert found["seconds"] == {"median": median, "low": low, "high": high} == {"median": 0.75, "low": 0.5, "high": 1}
    assert found["images_per_second"] == pytest.approx(16 / 0.75)


def test_each_step_is_timed_alone_after_three_that_are_not(build, monkeypatch):
    clock, original, seen = [0.0], Training.step, []

    def step(self, batch, name, progress, *, diagnose):
        seen.append(batch)
        clock[0] += 2.0 ** len(seen)
        assert self.model.training and progress.memory is not None and not diagnose
        return original(self, batch, name, progress, diagnose=diagnose)

    monkeypatch.setattr(Training, "step", step)
    monkeypatch.setattr(overhead.time, "perf_counter", lambda: clock[0])
    training = build()
    before = [parameter.clone() for group in training.optimiser.param_groups for parameter in group["params"]]
    assert overhead.time_steps(training, 4) == [16.0, 32.0, 64.0, 128.0]
    after = [parameter for group in training.optimiser.param_groups for parameter in group["params"]]
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert sorted(row for batch in seen[:4] for row in batch) == list(range(64))  # an epoch has four batches
    assert not np.array_equal(seen[4], seen[0])  # and the next one others


def test_the_table_finds_what_it_reads(measure):
    measured = {"baseline": measure(diffusion="none"), "dcac": measure()}
    measured = {name: {**m, "variant": name, "baseline": "baseline"} for name, m in measured.items()}
    assert "–" not in overhead_table.printed(measured).to_numpy()
    assert not overhead_table.tidy(measured).drop(columns=["time_multiple", "memory_multiple"]).isna().any(axis=None)


def test_nothing_is_written_beside_the_measurement(measure, tmp_path):
    measure(diffusion="none")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["overhead", "run.json", "run.yaml"]


def test_no_steps_are_refused(measure):
    with pytest.raises(ValueError, match="steps is 0, and nothing would be timed; ask for 1 or more"):
        measure(steps=0)
