"""A training killed with SIGKILL, at random moments and while it publishes, ends as if nothing had happened."""

import json
import multiprocessing
import random
import signal
import time

import pytest

from dcac.training import train as step

KILLS = 20
EPOCHS = 6  # of four batches each: about a second
MEASURED = {"seconds", "images_per_second", "peak_memory_bytes"}  # what no two runs share
PUBLISHED = ("weights.safetensors", "lora", "README.md", "log.jsonl", "run.json")  # in the order of their writing


@pytest.fixture(scope="module")
def nursery():
    """A process that imports everything once and forks a child for each training."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "dcac.training.train", "diffusers.models.unets.unet_2d_condition"])
    return context


@pytest.fixture
def begin(nursery):
    """Return a function that starts a training in a process of its own; nothing outlives the test."""
    children = []

    def start(given):
        children.append(nursery.Process(target=step.run, kwargs=given))
        children[-1].start()
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.join()


@pytest.fixture
def finish(begin):
    """Return a function that lets a training end undisturbed and returns the seconds it took."""

    def wait(given):
        started = time.perf_counter()
        process = begin(given)
        process.join()
        assert process.exitcode == 0
        return time.perf_counter() - started

    return wait


def kill_after(process, seconds):
    """Kill a process that has not ended by itself until then; return whether the kill met it alive."""
    process.join(seconds)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def results(out):
    """Everything a finished run leaves, less what the clock says: its tensors as bytes, its log, its report."""
    tensors = [out / "weights.safetensors", *sorted(out.glob("lora/*.safetensors"))]
    lines = (out / "log.jsonl").read_text(encoding="utf-8").splitlines()
    report = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return {
        "tensors": {path.name: path.read_bytes() for path in tensors},
        "log": [unmeasured(json.loads(line)) for line in lines],
        "report": unmeasured(report),
    }


def unmeasured(content):
    """Drop times and memory at every depth."""
    if not isinstance(content, dict):
        return content
    return {key: unmeasured(value) for key, value in content.items() if key not in MEASURED}


def place(out, since):
    """Say where a kill hit, from what it left; `since` is when that attempt began, in nanoseconds."""
    state = out.with_name(f"{out.name}.state")
    torn = state / ".checkpoint.tmp"
    if out.exists():
        return f"publishing ({', '.join(sorted(path.name for path in out.iterdir())) or 'nothing'} written)"
    if torn.exists() and torn.stat().st_mtime_ns > since:
        return "saving a checkpoint"
    if not (state / "checkpoint.pt").exists():
        return "before the first checkpoint"
    import torch

    progress = torch.load(state / "checkpoint.pt", weights_only=True)["progress"]
    return f"training; it continues at epoch {progress['epoch']}, batch {progress['batch']}"


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing(arguments, begin, finish, settings, tmp_path):
    settings = settings.model_copy(update={"epochs": EPOCHS})
    whole = arguments(tmp_path / "whole" / "run", settings)
    finish(whole)  # not timed: the nursery imports first
    course = finish(arguments(tmp_path / "timed" / "run", settings))
    expected, moments = results(whole["out"]), random.Random(0)
    kills, ended = [], 0
    while len(kills) < KILLS:
        given = arguments(tmp_path / f"killed{ended}" / "run", settings)
        since, moment = time.time_ns(), moments.uniform(0, course)
        if kill_after(begin(given), moment):
            kills.append(f"{moment:.2f} s: {place(given['out'], since)}")
            continue
        assert results(given["out"]) == expected, kills
        ended += 1
    finish(given)
    print(f"{KILLS} kills within {course:.2f} s, {ended + 1} runs:", *kills, sep="\n")
    assert results(given["out"]) == expected, kills


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run.state/.checkpoint.tmp", *(f"run/{name}" for name in PUBLISHED)])
def test_a_kill_while_a_file_is_written_changes_nothing(arguments, begin, finish, settings, tmp_path, name):
    settings = settings.model_copy(update={"epochs": 2})
    whole = arguments(tmp_path / "whole" / "run", settings)
    finish(whole)
    for attempt in range(10):
        given = arguments(tmp_path / f"killed{attempt}" / "run", settings)
        process = begin(given)
        while process.is_alive() and not (given["out"].parent / name).exists():
            time.sleep(0)
        if kill_after(process, 0):
            break
    else:
        pytest.fail(f"every run ended before the kill that {name} should bring")
    print(f"killed at {name}: {place(given['out'], 0)}")
    finish(given)
    assert results(given["out"]) == results(whole["out"])
    assert sorted(path.name for path in given["out"].iterdir()) == sorted(PUBLISHED)
