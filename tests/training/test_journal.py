"""The run's log is cut back to the last checkpoint, and signals are remembered."""

import json
import os
import signal

from dcac.training.journal import Journal, StopSignal


def test_resume_cuts_off_what_came_after_the_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    journal = Journal(path, 0)
    journal.write({"event": "epoch", "epoch": 1})
    kept = journal.size
    journal.write({"event": "epoch", "epoch": 2})
    Journal(path, kept).write({"event": "epoch", "epoch": 2, "again": True})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"event": "epoch", "epoch": 1}, {"event": "epoch", "epoch": 2, "again": True}]


def test_epochs_come_back_without_their_times(tmp_path):
    journal = Journal(tmp_path / "log.jsonl", 0)
    journal.write({"event": "start"})
    for epoch in (1, 2):
        journal.write({"event": "epoch", "epoch": epoch, "loss_id": 0.5, "seconds": 3.0, "images_per_second": 9.0})
    journal.write({"event": "end", "seconds": 6.0})
    assert journal.epochs() == [{"epoch": 1, "loss_id": 0.5}, {"epoch": 2, "loss_id": 0.5}]
    assert Journal(None, 0).epochs() == []


def test_both_stop_signals_are_remembered():
    for number in (signal.SIGTERM, signal.SIGUSR1):
        stop = StopSignal()
        assert stop.asked == ""
        os.kill(os.getpid(), number)
        assert stop.asked == number.name
