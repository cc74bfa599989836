"""Work spread over processes: in order, with this process at work, and nobody left behind."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from dcac.data.workers import spread

SLEEPER = """
import sys, time
from functools import partial
from dcac.data.workers import spread
if __name__ == "__main__":
    spread(time.sleep, [0.2] * 1000, workers=3, progress=lambda *done: print(*done, flush=True))
"""


def where(_):
    """Return the process that does a task of ten milliseconds."""
    time.sleep(0.01)
    return os.getpid()


def fail_at(bad, task):
    """Fail at one task."""
    if task == bad:
        raise OSError(f"task {task}")
    return task


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 23])
def test_results_stand_in_the_order_of_the_tasks(workers, count):
    told = []
    found = spread(partial(pow, 2), range(count), workers=workers, progress=lambda *done: told.append(done))
    assert found == [2**number for number in range(count)]
    assert told == [(done, count) for done in range(1, count + 1)]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let other processes import this module, by whose name its functions travel."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


def test_this_process_is_one_of_the_workers():
    seen = set(spread(where, range(300), workers=2))
    assert os.getpid() in seen and len(seen) == 2


@pytest.mark.parametrize("bad", [0, 19])
def test_an_error_of_any_process_comes_through(bad):
    with pytest.raises(OSError, match=f"task {bad}"):
        spread(partial(fail_at, bad), range(20), workers=2)
    assert not [child for child in psutil.Process().children() if "multiprocessing.spawn" in " ".join(child.cmdline())]


def test_workers_must_be_positive():
    with pytest.raises(ValueError, match="0 workers"):
        spread(where, [], workers=0)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")
def test_nobody_outlives_a_process_that_is_killed(tmp_path):
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER, encoding="utf-8")
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    for _ in range(8):  # tasks done: all processes are at work
        assert process.stdout.readline()
    family = psutil.Process(process.pid).children(recursive=True)
    assert len([child for child in family if "spawn_main" in " ".join(child.cmdline())]) == 2
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
