"""Finished runs of the tiny world."""

import json
import signal

import pytest

from dcac.provenance.record import KEY
from dcac.settings import dump_settings
from dcac.training import train as step


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, settings, store, latents, encoder_folder, prior_folder):
    """Return a function that trains a tiny run for one epoch and gives what the steps that look at it ask for.

    Same choices, same run: it is trained once.
    """
    done = {}

    def train(**changes):
        chosen = settings.model_copy(update={"classifier_std": 1.0, "epochs": 1, **changes})
        key = chosen.model_dump_json()
        if key not in done:
            folder = tmp_path_factory.mktemp("run")
            (folder / "config.yaml").write_text(dump_settings(chosen), encoding="utf-8")
            noisy = chosen.diffusion != "none"
            files = {"config": folder / "config.yaml", "stores": [store], "encoder": encoder_folder, "device": "cpu"}
            cached = {"latents": [latents] if noisy else [], "prior": prior_folder if noisy else None}
            handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
            step.run(**files, **cached, seed=0, out=folder / "out")
            for number, handler in handlers.items():  # a training run takes them
                signal.signal(number, handler)
            done[key] = {"run_folder": folder / "out", **files}
        return done[key]

    return train


def without_record(folder):
    """Make a copied run one from elsewhere, whose weights no record vouches for."""
    report = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del report[KEY]
    (folder / "run.json").write_text(json.dumps(report), encoding="utf-8")


@pytest.fixture
def from_elsewhere():
    """Give tests `without_record`."""
    return without_record
