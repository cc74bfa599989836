"""What a training says while an epoch is under way."""

import json
import logging

import pytest
import torch

from dcac.training import account as step
from dcac.training.account import FILE, Account, Pulse


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def read(folder):
    """Read the account without the hour it was given at."""
    content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    assert content.pop("time") > 1_700_000_000
    return content


def test_a_pulse_is_due_once_an_interval(clock):
    pulse, seen = Pulse(30, clock), []
    for clock.now in (100, 129, 130, 131, 159, 161, 300, 301):
        seen.append(pulse.due())
    assert seen == [False, False, True, False, False, True, True, False]


def test_within_an_epoch_the_account_counts_batches_and_forecasts_the_rest(clock, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    account = Account(tmp_path, epochs=3, images=64, clock=clock)
    account.begin(0)
    sums = {"id": torch.tensor(30.0), "noise": torch.tensor(5.0)}
    clock.now += 10
    account.step(1, 5, 100, sums)
    assert not (tmp_path / FILE).exists() and not caplog.messages
    clock.now += 20
    account.step(1, 10, 100, sums)
    assert read(tmp_path) == {
        "epoch": 1,
        "epochs": 3,
        "batch": 10,
        "batches": 100,
        "losses": {"id": 3.0, "noise": 0.5},
        "images_per_second": 21.3,  # 64 images in 3 s
        "eta_seconds": 870.0,  # 290 batches of 3 s
    }
    assert caplog.messages == [
        "epoch 1 of 3, batch 10 of 100, id 3, noise 0.5, 21.3 images/s, 14 min 30 s left",
    ]


def test_a_whole_epoch_counts_with_all_that_it_took(clock, tmp_path):
    """Memory and diagnostics too: what the steps alone took would promise too much."""
    account = Account(tmp_path, epochs=4, images=64, clock=clock)
    account.begin(0)
    account.end(1, 10, {"seconds": 50.0, "images_per_second": 20.0, "loss_id": 2.0, "lr": 0.1})
    assert read(tmp_path)["eta_seconds"] == 150 and read(tmp_path)["losses"] == {"id": 2.0}
    account.begin(0)
    clock.now += 30
    account.step(2, 5, 10, {"id": torch.tensor(10.0)})
    assert read(tmp_path)["eta_seconds"] == 30 + 2 * 50


def test_the_pace_after_a_resume_is_that_of_the_batches_done_since(clock, tmp_path):
    account = Account(tmp_path, epochs=1, images=8, clock=clock)
    account.begin(90)
    clock.now += 40
    account.step(1, 92, 100, {"id": torch.tensor(92.0)})
    assert read(tmp_path)["eta_seconds"] == 160  # 8 batches of 20 s
    account.end(1, 100, {"seconds": 200.0, "images_per_second": 1.0})
    assert account.epoch_seconds is None  # ten batches are no epoch


def test_processes_that_do_not_write_read_nothing_back(clock):
    account = Account(None, epochs=1, images=8, clock=clock)
    account.begin(0)
    clock.now += 100
    account.step(1, 1, 10, {"id": "never read"})
    account.end(1, 10, {})


def test_a_training_leaves_its_account_beside_its_checkpoint(train, settings, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(step, "INTERVAL", 0.0)
    train(tmp_path / "run", settings.model_copy(update={"diffusion": "none"}))
    content = read(tmp_path / "run.state")
    assert (content["epoch"], content["epochs"], content["eta_seconds"]) == (2, 2, 0.0)
    assert content["batch"] == content["batches"] > 0 and set(content["losses"]) == {"id", "prototype"}
    assert [line for line in caplog.messages if line.startswith("epoch 1 of 2, batch 1 of ")]
    lines = [json.loads(line)["event"] for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert lines == ["start", "epoch", "epoch", "end"]  # the account is no part of the run's log
