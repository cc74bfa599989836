"""GPUs of one machine: no card is ever given twice, and none is lost, however its holder ends."""

import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dcac import gpus

HOLDER = """
import os, sys, time
from pathlib import Path
from dcac import gpus
gpus.LOCKS, gpus.LOOK = Path(sys.argv[1]), 0.01
taken = gpus.take(int(sys.argv[3]))
assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(taken)
held = [Path(sys.argv[2]) / name for name in taken]
for file in held:
    other = int(file.read_text()) if file.exists() else None
    while other is not None and Path(f"/proc/{other}").exists():
        time.sleep(0.001)  # a killed process gives its locks back a moment before it is gone, and leaves its name
    assert other is None or file.exists() and file.read_text() == str(other), f"{file.name} was held by {other} too"
    file.write_text(str(os.getpid()))
print("holds", *taken, flush=True)
time.sleep(float(sys.argv[4]))
for file in held:
    file.unlink()
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with four cards that no scheduler assigned."""
    for name in (*gpus.SCHEDULED, *gpus.RANKED, gpus.VISIBLE):
        monkeypatch.setenv(name, "")  # so that what `take` sets is undone though it was not set before
        monkeypatch.delenv(name)
    monkeypatch.setenv(gpus.FAKE, "GPU-a,GPU-b,GPU-c,GPU-d")
    monkeypatch.setattr(gpus, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(gpus, "_held", [])
    monkeypatch.setattr(gpus, "LOOK", 0.01)
    (tmp_path / "held").mkdir()
    return tmp_path


def hold(machine, *, count=1, seconds=0.2):
    words = [sys.executable, "-c", HOLDER, machine / "locks", machine / "held", count, seconds]
    return subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_each_process_takes_the_first_free_card(machine):
    holders = []
    for expected in ("GPU-a", "GPU-b", "GPU-c"):
        holders.append(hold(machine, seconds=30))
        assert holders[-1].stdout.readline() == f"holds {expected}\n"
    holders[1].kill()
    holders[1].wait()
    assert gpus.take() == ["GPU-b"], "kill -9 gives a card back"
    assert os.environ[gpus.VISIBLE] == "GPU-b"
    for holder in holders:
        holder.kill()
        holder.communicate()


def test_twelve_processes_share_four_cards_though_some_are_killed(machine):
    draw = random.Random(0)
    holders = [hold(machine, count=draw.choice([1, 1, 2]), seconds=0.1) for _ in range(12)]
    deadline = time.monotonic() + 120
    killed = holders[::4]
    for holder in killed:
        time.sleep(draw.uniform(0, 0.2))
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    for holder in holders:
        _, said = holder.communicate(timeout=max(1, deadline - time.monotonic()))
        assert holder.returncode in (0, -signal.SIGKILL), said


def test_several_cards_are_taken_together_or_not_at_all(machine):
    holder = hold(machine, count=3, seconds=30)
    assert holder.stdout.readline() == "holds GPU-a GPU-b GPU-c\n"
    assert gpus._try(gpus.cards(), 2) is None
    holder.kill()
    holder.communicate()
    assert gpus.take(4) == ["GPU-a", "GPU-b", "GPU-c", "GPU-d"]


def test_visible_devices_are_respected_by_number_and_by_name(machine, monkeypatch):
    monkeypatch.setenv(gpus.VISIBLE, "2,GPU-d")
    assert gpus.cards() == ["GPU-c", "GPU-d"]
    assert gpus.take() == ["GPU-c"]


@pytest.mark.parametrize("hiding", ["", "-1", "NoDevFiles"])
def test_hidden_devices_leave_nothing_to_take(machine, monkeypatch, hiding):
    monkeypatch.setenv(gpus.VISIBLE, hiding)
    assert gpus.cards() == [] and gpus.take() == []
    monkeypatch.delenv(gpus.FAKE)
    assert gpus.promised() == "", "and nobody promises one"
    monkeypatch.setenv(gpus.VISIBLE, "GPU-x")
    assert gpus.promised() == "CUDA_VISIBLE_DEVICES names 1 GPU (GPU-x)"


def test_the_beginning_of_a_name_is_the_same_card(machine, monkeypatch):
    monkeypatch.setenv(gpus.FAKE, "GPU-aa,GPU-ab,GPU-b")
    monkeypatch.setenv(gpus.VISIBLE, "GPU-ab,GPU-b,-1,GPU-aa")
    assert gpus.cards() == ["GPU-ab", "GPU-b"]


def test_the_lock_file_of_another_user_is_opened_and_not_made(machine, monkeypatch):
    (machine / "locks").mkdir()
    (machine / "locks/GPU-a").touch()
    monkeypatch.setattr(Path, "touch", None)  # in a folder open to all the kernel may refuse to make what another made
    assert gpus.take() == ["GPU-a"]


def test_a_temporary_folder_without_locks_stops_nothing(machine, monkeypatch, caplog):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    monkeypatch.setattr(fcntl, "lockf", unsupported)
    assert gpus.take() == ["GPU-a"]
    assert "without locks; see to it that no other process computes on GPU GPU-a" in caplog.text


@pytest.mark.parametrize("name", [*gpus.SCHEDULED, *gpus.RANKED])
def test_cards_that_a_scheduler_or_launcher_gave_are_left_alone(machine, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv(gpus.VISIBLE, "3")
    assert gpus.take() == [] and os.environ[gpus.VISIBLE] == "3"
    assert not (machine / "locks").exists()


def test_more_cards_than_there_are_is_an_error(machine):
    with pytest.raises(ValueError, match="5 GPUs are asked for, and this process may use 4; lower gpus_per_training"):
        gpus.take(5)


def test_a_second_question_of_one_process_keeps_its_card(machine):
    assert gpus.take() == ["GPU-a"]
    assert gpus.take() == [] and os.environ[gpus.VISIBLE] == "GPU-a"
