"""The log of a training, shown elsewhere: each line once, whatever is interrupted."""

import json
import struct
import sys
import time
from types import SimpleNamespace

import pytest

from dcac.closed import ConfigError, parse
from dcac.following import Reader, TensorBoard, followed, quantities
from dcac.settings import Runtime
from dcac.suites import Running

START = {"event": "start", "identity": "0123456789" * 7, "settings": {"epochs": 3}}


def epoch(number, loss=0.5):
    return {"event": "epoch", "epoch": number, "loss_id": loss, "images_per_second": 10.0, "p_max": None}


class Heard:
    """A follower that remembers."""

    def __init__(self):
        self.said = []

    def begin(self, start):
        self.said = ["start"]

    def epoch(self, number, values):
        self.said.append((number, values["loss/id"]))

    def close(self):
        self.said.append("end")


@pytest.fixture
def write(tmp_path):
    """Return a function that writes the log of a run under way, and the folder of that run."""
    out = tmp_path / "dcac/MA/seed1"
    state = tmp_path / "dcac/MA/seed1.state"
    state.mkdir(parents=True)

    def lines(*content, end="\n"):
        text = "\n".join(json.dumps(line) for line in content) + end
        (state / "log.jsonl").write_text(text, encoding="utf-8")

    return lines, out


def test_each_line_is_passed_on_once(write):
    lines, out = write
    heard = Heard()
    reader = Reader(out, heard)
    reader.look()
    assert heard.said == [], "there is no log yet"
    lines(START, epoch(1))
    reader.look()
    reader.look()
    assert heard.said == ["start", (1, 0.5)]
    lines(START, epoch(1), epoch(2), end="")
    reader.look()
    assert heard.said == ["start", (1, 0.5)], "half a line waits"
    lines(START, epoch(1), epoch(2))
    reader.look()
    assert heard.said == ["start", (1, 0.5), (2, 0.5)]


def test_a_log_that_was_cut_back_is_begun_anew(write):
    lines, out = write
    heard = Heard()
    reader = Reader(out, heard)
    lines(START, epoch(1), epoch(2, 0.4))
    reader.look()
    lines(START, epoch(1), epoch(2, 0.3), epoch(3))
    reader.look()
    assert heard.said == ["start", (1, 0.5), (2, 0.3), (3, 0.5)]


def test_the_log_of_a_finished_run_is_shown_too(write):
    lines, out = write
    lines(START, epoch(1))
    out.mkdir()
    out.with_name("seed1.state").joinpath("log.jsonl").rename(out / "log.jsonl")
    heard = Heard()
    Reader(out, heard).look()
    assert heard.said == ["start", (1, 0.5)]


def test_only_numbers_are_shown_in_groups():
    assert quantities(epoch(1)) == {"loss/id": 0.5, "images_per_second": 10.0}


def test_event_files_hold_each_step_once_after_a_resume(write):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    lines, out = write
    lines(START, epoch(1), epoch(2, 0.4))
    with followed("tensorboard", out, interval=0.01):
        pass
    lines(START, epoch(1))  # as a killed training finds it
    with followed("tensorboard", out, interval=0.01):
        lines(START, epoch(1), epoch(2, 0.3))
        lines(START, epoch(1), epoch(2, 0.3), epoch(3))
    events = EventAccumulator(str(out / "tensorboard")).Reload()
    found = [(event.step, round(event.value, 3)) for event in events.Scalars("loss/id")]
    assert found == [(1, 0.5), (2, 0.3), (3, 0.5)]
    assert set(events.Tags()["scalars"]) == {"loss/id", "images_per_second"}


def test_a_resumed_run_of_weights_and_biases_sends_no_epoch_again(write, monkeypatch):
    class Run:
        def __init__(self, step):
            self.step, self.sent = step, []

        def log(self, values, step):
            self.sent.append(step)
            self.step = step

        def finish(self):
            self.sent.append("end")

    opened = []

    def init(**words):
        opened.append((words, Run(step=3 if opened else 0)))  # the second finds two epochs there
        return opened[-1][1]

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init, __spec__=SimpleNamespace()))
    lines, out = write
    lines(START, epoch(1), epoch(2))
    with followed("wandb", out, interval=0.01):
        pass
    lines(START, epoch(1), epoch(2), epoch(3))
    with followed("wandb", out, interval=0.01):
        pass
    assert [run.sent for _, run in opened] == [[1, 2, "end"], [3, "end"]]
    first, again = (words for words, _ in opened)
    assert first == again and first["resume"] == "allow" and first["name"] == "dcac/MA/seed1"


def test_without_a_network_a_resumed_run_takes_the_place_of_earlier_attempts(write, monkeypatch):
    wandb = pytest.importorskip("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    def steps(file):
        """Steps of the quantities in a file of wandb: 7 bytes, then records in blocks of 32 KiB, whole (1) or in parts (2, 3, 4)."""
        data, place, whole, found = file.read_bytes(), 7, b"", []
        while place + 7 <= len(data):
            room = 2**15 - place % 2**15
            length, kind = struct.unpack_from("<HB", data, place + 4) if room >= 7 else (0, 0)
            if kind == 0:
                place += room
                continue
            whole += data[place + 7 : place + 7 + length]
            place += 7 + length
            if kind in (1, 4):
                record, whole = Record.FromString(whole), b""
                values = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
                found += [(record.history.step.num, float(values["loss/id"]))] if values else []
        return found

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    lines, out = write
    lines(START, epoch(1), epoch(2, 0.4))
    with followed("wandb", out, interval=0.01):
        pass
    wandb.teardown()
    (first,) = out.glob("wandb/offline-run-*/*.wandb")
    assert steps(first) == [(1, 0.5), (2, 0.4)]
    time.sleep(1)  # wandb names folders by the second
    lines(START, epoch(1))  # as a killed training finds it
    with followed("wandb", out, interval=0.01):
        lines(START, epoch(1), epoch(2, 0.3))
        lines(START, epoch(1), epoch(2, 0.3), epoch(3))
    wandb.teardown()
    (again,) = out.glob("wandb/offline-run-*/*.wandb")
    assert again.parent != first.parent and steps(again) == [(1, 0.5), (2, 0.3), (3, 0.5)]


def test_of_what_was_written_without_a_network_only_the_run_itself_is_begun_anew(write, monkeypatch):
    run = SimpleNamespace(step=0, log=lambda values, step: None, finish=lambda: None)
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **words: run, __spec__=SimpleNamespace()))
    lines, out = write
    lines(START, epoch(1))
    mine, another = out / f"wandb/offline-run-1-{START['identity'][:32]}", out / "wandb/offline-run-1-another"
    for folder in (mine, another):
        folder.mkdir(parents=True)
    with followed("wandb", out, interval=0.01):
        pass
    assert another.exists() and not mine.exists()


def test_what_is_not_installed_is_said_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ValueError, match=r"pip install 'dcac\[wandb\]'"), followed("wandb", tmp_path):
        raise AssertionError("training began")


def test_a_fault_of_the_follower_stops_no_training(write, monkeypatch, caplog):
    pytest.importorskip("tensorboard")
    lines, out = write
    lines(START)
    monkeypatch.setattr(TensorBoard, "begin", lambda self, start: 1 / 0)
    with followed("tensorboard", out, interval=0.01):
        pass
    assert "training goes on" in caplog.text


def test_only_the_first_of_several_processes_shows_anything(write, monkeypatch):
    lines, out = write
    lines(START)
    monkeypatch.setenv("RANK", "1")
    with followed("tensorboard", out, interval=0.01):
        pass
    assert not (out / "tensorboard").exists()


def test_a_run_knows_nothing_of_where_its_log_is_shown():
    assert Running(follow="tensorboard", micro_batch=4).stepping() == Runtime(micro_batch=4)
    assert "follow" not in Runtime.model_fields
    with pytest.raises(ConfigError, match="follow"):
        parse(Running, {"follow": "tensorbord"}, "test")
