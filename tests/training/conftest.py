"""Training runs on the tiny world of the test suite."""

import json
import signal
from dataclasses import dataclass

import pytest
from safetensors.torch import load_file

from dcac import declared
from dcac.settings import Runtime, dump_settings


@dataclass(frozen=True)
class Run:
    """A finished run: its tensors by name, its report, and the epochs of its log."""

    weights: dict
    report: dict
    epochs: list


@pytest.fixture(autouse=True)
def signals():
    """Give the signals back that a training run takes."""
    taken = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in taken.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def accelerator_state():
    """Let each test set up a precision of its own: accelerate keeps one for the whole process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def arguments(store, other_store, latents, other_latents, encoder_folder, prior_folder):
    """Return a function that writes a run's settings and gives the arguments of step.run."""
    moments = {store: latents, other_store: other_latents}

    def write(out, settings, *, sources=(store,), seed=0):
        out.parent.mkdir(parents=True, exist_ok=True)
        config = out.with_suffix(".yaml")
        config.write_text(dump_settings(settings), encoding="utf-8")
        needs = declared.method(settings).needs
        return {
            "config": config,
            "stores": list(sources),
            "latents": [moments[source] for source in sources] if "latents" in needs else [],
            "encoder": encoder_folder,
            "prior": prior_folder if "prior" in needs else None,
            "networks": {name: encoder_folder for name in declared.networks(settings) if name != "prior"},
            "seed": seed,
            "out": out,
            "device": "cpu",
        }

    return write


@pytest.fixture(scope="session")
def read_run():
    """Return a function that reads a finished run's folder."""

    def read(out):
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        report = json.loads((out / "run.json").read_text(encoding="utf-8"))
        return Run(load_file(out / "weights.safetensors"), report, [line for line in lines if line["event"] == "epoch"])

    return read


@pytest.fixture(scope="session")
def train(arguments, read_run):
    """Return a function that trains a run, or continues it, and reads it."""
    from dcac.training import train as step

    def start(out, settings, *, runtime=Runtime(), **choices):
        step.run(**arguments(out, settings, **choices), runtime=runtime)
        return read_run(out)

    return start
