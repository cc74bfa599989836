"""Whole runs: repeatable, resumable to the bit, and equal to the baseline where the method says so."""

import math
import os
import shutil
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from dcac import locking
from dcac.training import state
from dcac.training import train as step
from dcac.training.journal import Stopped
from dcac.training.loop import Training


def same(first, second, *, prefix=""):
    """Whether two runs learnt the same tensors, to the bit."""
    names = {name for name in first.weights if name.startswith(prefix)}
    assert names == {name for name in second.weights if name.startswith(prefix)} and names
    return all(torch.equal(first.weights[name], second.weights[name]) for name in names)


@pytest.fixture(scope="session")
def undisturbed(train, settings, tmp_path_factory):
    """A DCAC run of seed 0 that nothing interrupts."""
    return train(tmp_path_factory.mktemp("runs") / "undisturbed", settings)


@pytest.fixture
def stop_at(monkeypatch):
    """Return a function that makes training get SIGTERM once, during a step counted from 1 over all runs to come."""

    def prepare(number):
        steps, original = [], Training.step

        def step(self, *positional, **named):
            steps.append(number)
            if len(steps) == number:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(self, *positional, **named)

        monkeypatch.setattr(Training, "step", step)

    return prepare


@pytest.fixture
def stop_and_resume(train, stop_at):
    """Return a function that trains a run in two pieces."""

    def start(out, settings, *, step):
        stop_at(step)
        with pytest.raises(Stopped, match=r"stopped by SIGTERM in epoch .*; the same command continues"):
            train(out, settings)
        return train(out, settings)

    return start


def test_same_seed_gives_the_same_weights_and_another_seed_others(undisturbed, train, settings, tmp_path):
    again, other = train(tmp_path / "again", settings), train(tmp_path / "other", settings, seed=1)
    assert same(undisturbed, again) and not same(undisturbed, other, prefix="reid.")
    assert undisturbed.report["identity"] == again.report["identity"] != other.report["identity"]


def test_run_leaves_its_report_and_its_state_until_it_is_used(undisturbed, settings, tmp_path, train):
    out = tmp_path / "runs" / "seed0"
    train(out, settings)
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "log.jsonl",
        "lora",
        "run.json",
        "weights.safetensors",
    ]
    assert out.with_name("seed0.state").exists(), "extraction removes it"
    assert undisturbed.report["settings"] == settings.model_dump(mode="json")
    assert undisturbed.report["epoch"]["epoch"] == settings.epochs == len(undisturbed.epochs)
    assert {"identity", "code", "data", "weights", "seconds", "peak_memory_bytes"} <= set(undisturbed.report)


def test_weights_hold_what_inference_needs_and_no_frozen_network(undisturbed):
    rooms = {name.partition(".")[0] for name in undisturbed.weights}
    assert rooms == {"reid", "prompts", "prior"}
    assert {"reid.bnneck.running_mean", "reid.classifier.weight", "prompts.table"} <= set(undisturbed.weights)
    assert all("lora_" in name for name in undisturbed.weights if name.startswith("prior."))


def test_baseline_has_no_trace_of_the_prior(train, settings, tmp_path):
    run = train(tmp_path / "baseline", settings.model_copy(update={"diffusion": "none"}))
    assert all(name.startswith("reid.") for name in run.weights)
    assert "loss_noise" not in run.report["epoch"] and "noise_own" not in run.report["epoch"]


def test_hard_label_control_equals_the_baseline_to_the_bit_and_dcac_does_not(undisturbed, train, settings, tmp_path):
    baseline = train(tmp_path / "baseline", settings.model_copy(update={"diffusion": "none"}))
    hard = train(tmp_path / "hard", settings.model_copy(update={"condition": "hard"}))
    assert same(baseline, hard, prefix="reid.")
    assert not same(baseline, undisturbed, prefix="reid.")
    assert hard.report["epoch"]["gradient_noise"] == 0 < undisturbed.report["epoch"]["gradient_noise"]


def test_weight_of_zero_on_the_noise_loss_equals_the_baseline(train, settings, tmp_path):
    silent = train(
        tmp_path / "silent", settings.model_copy(update={"noise_weight": 0.0, "epochs": 1, "decay_epochs": ()})
    )
    base = train(tmp_path / "base", settings.model_copy(update={"diffusion": "none", "epochs": 1, "decay_epochs": ()}))
    for name in base.weights:
        torch.testing.assert_close(silent.weights[name], base.weights[name], rtol=0, atol=0)


@pytest.mark.parametrize("step", [1, 2, 5, 6])
def test_stop_and_resume_equals_no_stop_to_the_bit(undisturbed, stop_and_resume, settings, tmp_path, step):
    resumed = stop_and_resume(tmp_path / "run", settings, step=step)
    assert same(undisturbed, resumed)
    assert resumed.report["epoch"] == undisturbed.report["epoch"]
    assert [line["loss_id"] for line in resumed.epochs] == [line["loss_id"] for line in undisturbed.epochs]


@pytest.mark.parametrize(
    "changes",
    [
        {"prototype_rebuild": "once", "prototype_update": "all", "condition": "pcl"},
        {"bottleneck": "condition_net", "condition": "fc+pcl", "diffusion": "all"},
        {"condition": "feature", "diffusion": "freeze"},
        {"diffusion": "none"},
    ],
)
def test_every_scheme_resumes_to_the_bit(train, stop_and_resume, settings, tmp_path, changes):
    settings = settings.model_copy(update=changes)
    whole = train(tmp_path / "whole", settings)
    resumed = stop_and_resume(tmp_path / "resumed", settings, step=6)
    assert same(whole, resumed)
    assert resumed.report["epoch"] == whole.report["epoch"]


def test_gradient_scaler_resumes_too(train, stop_and_resume, settings, tmp_path, monkeypatch):
    """The scaler is used with half precision on a GPU; here it is switched on for the CPU and grows every third step."""
    scales, scaler, step = [], torch.amp.GradScaler, Training.step

    def noted(self, *positional, **named):
        result = step(self, *positional, **named)
        scales.append(self.scaler.get_scale())
        return result

    monkeypatch.setattr(Training, "step", noted)
    monkeypatch.setattr(torch.amp, "GradScaler", lambda kind, enabled: scaler(kind, init_scale=4.0, growth_interval=3))
    train(tmp_path / "whole", settings)
    whole = scales.copy()
    scales.clear()
    stop_and_resume(tmp_path / "resumed", settings, step=6)
    assert len(set(whole)) > 2 and scales == whole


def test_second_writer_waits_for_the_first(train, settings, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    settings = settings.model_copy(update={"epochs": 1, "decay_epochs": (), "warmup_epochs": 0})
    with ExitStack() as first:
        first.enter_context(state.locked(tmp_path / "run.state"))
        monkeypatch.setattr(locking.time, "sleep", lambda seconds: first.close())
        train(tmp_path / "run", settings)
    assert "another process trains this run" in caplog.text and "waiting for it to end" in caplog.text


def test_a_finished_run_whose_files_were_deleted_is_put_back_and_not_trained(train, settings, tmp_path, monkeypatch):
    settings = settings.model_copy(update={"epochs": 1, "decay_epochs": (), "warmup_epochs": 0})
    out = tmp_path / "results" / "runs" / "seed0"
    first = train(out, settings)
    shutil.rmtree(out)
    shutil.rmtree(out.with_name("seed0.state"))
    monkeypatch.setattr(Training, "fit", lambda *_, **__: pytest.fail("trained again"))
    assert same(first, train(out, settings))
    other = settings.model_copy(update={"evaluation_resize": "bilinear"})
    assert same(first, train(out, other)), "a setting of testing only trains nothing again"


def test_settings_of_the_prior_do_not_act_in_a_baseline(settings):
    base = settings.model_copy(update={"diffusion": "none"})
    assert base.trained() == base.model_copy(update={"lora_rank": 7, "condition": "feature"}).trained()
    assert settings.trained() != settings.model_copy(update={"lora_rank": 7}).trained()
    assert base.trained() != base.model_copy(update={"learning_rate": 7.0}).trained()


def test_replaced_files_are_refused_before_anything_is_trained(train, arguments, settings, tmp_path):
    given = arguments(tmp_path / "run", settings)
    encoder = Path(shutil.copytree(given["encoder"], tmp_path / "encoder"))
    (encoder / "config.json").write_text((encoder / "config.json").read_text() + " ")
    with pytest.raises(ValueError, match=r"config.json is not the file of its manifest \(sha256 differs\)"):
        step.run(**{**given, "encoder": encoder})
    shutil.copy(given["encoder"] / "config.json", encoder)
    (encoder / "older.safetensors").write_bytes(b"older")
    with pytest.raises(ValueError, match=r"older.safetensors is not in the manifest"):
        step.run(**{**given, "encoder": encoder})


def test_state_of_other_settings_is_kept_aside_and_not_resumed(undisturbed, train, settings, tmp_path, stop_at):
    out = tmp_path / "run"
    stop_at(6)
    with pytest.raises(Stopped):
        train(out, settings.model_copy(update={"label_smoothing": 0.3}))
    checkpoint = (tmp_path / "run.state" / "checkpoint.pt").read_bytes()
    assert same(undisturbed, train(out, settings))
    assert (tmp_path / "run.state.previous" / "checkpoint.pt").read_bytes() == checkpoint


def test_finished_run_is_not_trained_again_but_one_of_other_settings_is(train, settings, tmp_path, monkeypatch):
    settings = settings.model_copy(update={"epochs": 1, "decay_epochs": (), "warmup_epochs": 0})
    first = train(tmp_path / "run", settings)
    with monkeypatch.context() as patch:
        patch.setattr(Training, "fit", lambda *_, **__: pytest.fail("trained again"))
        again = train(tmp_path / "run", settings)
    assert again.report == first.report
    other = train(tmp_path / "run", settings.model_copy(update={"learning_rate": 2.0e-3}))
    assert other.report["identity"] != first.report["identity"] and not same(first, other)


def test_run_interrupted_before_publishing_reports_its_last_epoch(undisturbed, train, settings, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(step, "_publish", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            train(tmp_path / "run", settings)
    finished = train(tmp_path / "run", settings)
    assert same(undisturbed, finished) and finished.report["epoch"] == undisturbed.report["epoch"]


def test_training_overfits_a_handful_of_people(train, settings, tmp_path):
    changes = {"epochs": 40, "learning_rate": 1.0e-2, "decay_epochs": (), "erasing_probability": 0.0, "pad_pixels": 0}
    run = train(tmp_path / "run", settings.model_copy(update=changes))
    first = run.epochs[0]
    last = {term: sum(epoch[term] for epoch in run.epochs[-5:]) / 5 for term in first if term.startswith("loss_")}
    floor = -0.90625 * math.log(0.90625) - 15 * 0.00625 * math.log(0.00625)  # entropy of smoothed labels, 16 people
    assert last["loss_id"] - floor < 0.5 * (first["loss_id"] - floor)
    assert last["loss_prototype"] < 0.5 * first["loss_prototype"]
    assert last["loss_noise"] < first["loss_noise"]


def test_sources_of_a_leave_one_out_run_never_merge(train, settings, store, other_store, tmp_path):
    settings = settings.model_copy(update={"epochs": 1, "decay_epochs": ()})
    run = train(tmp_path / "run", settings, sources=(store, other_store))
    assert run.weights["reid.classifier.weight"].shape == (32, 24)
    assert run.weights["prompts.table"].shape == (32, 12)
    assert set(run.report["data"]) == {"A", "B"}


def test_run_on_all_splits_learns_the_test_people_too_and_holds_nothing_out(train, settings, tmp_path):
    run = train(tmp_path / "run", settings.model_copy(update={"train_splits": "all", "epochs": 1, "decay_epochs": ()}))
    assert run.weights["reid.classifier.weight"].shape[0] == 20
    assert "gradient_noise" in run.report["epoch"] and "noise_own" not in run.report["epoch"]


def test_sgd_resumes_to_the_bit(train, stop_and_resume, settings, tmp_path):
    settings = settings.model_copy(update={"optimiser": "sgd", "learning_rate": 1.0e-2})
    assert same(train(tmp_path / "whole", settings), stop_and_resume(tmp_path / "resumed", settings, step=6))


def test_log_tells_cost_of_every_epoch_and_the_report_of_the_whole_run(undisturbed):
    for line in undisturbed.epochs:
        assert line["peak_memory_bytes"] > 1e6 and line["images_per_second"] > 0
    assert undisturbed.report["seconds"] == pytest.approx(sum(line["seconds"] for line in undisturbed.epochs), abs=0.1)


def test_half_precision_trains_on_the_cpu(train, settings, tmp_path):
    settings = settings.model_copy(update={"precision": "bf16", "epochs": 1, "decay_epochs": ()})
    run = train(tmp_path / "run", settings)
    assert all(value.dtype == torch.float32 for name, value in run.weights.items() if "num_batches" not in name)


def test_loss_that_is_not_finite_stops_the_run_with_a_remedy(train, settings, tmp_path):
    with pytest.raises(ValueError, match="of epoch 1 are not finite; lower learning_rate"):
        train(tmp_path / "run", settings.model_copy(update={"learning_rate": 1.0e30}))


def test_dcac_without_a_prior_is_refused(arguments, settings, tmp_path):
    given = arguments(tmp_path / "run", settings)
    with pytest.raises(ValueError, match="diffusion is 'lora' but no prior is given; add --prior"):
        step.run(**{**given, "prior": None})
