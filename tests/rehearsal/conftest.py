"""A training of the tiny world, and a target to score a slice of."""

import pytest

from dcac.data.store import Record, read_split, write_store
from dcac.training.hardware import Hardware
from dcac.training.inputs import Inputs
from dcac.training.loop import Training


@pytest.fixture
def inputs(store, latents, encoder_folder, prior_folder):
    """What a DCAC run of the tiny world is made of."""
    return Inputs([store], encoder_folder, [latents], prior_folder)


@pytest.fixture
def build(inputs, settings):
    """Return a function that makes a training of the tiny world."""

    def make(**changes):
        changed = settings.model_copy(update=changes)
        return Training(changed, inputs, seed=0, hardware=Hardware("cpu", changed.precision))

    return make


@pytest.fixture
def target(store, tmp_path):
    """The data set B: ten people in query and gallery, two more in the gallery only."""
    rows = read_split(store, "train")
    people = sorted(set(rows["pid"]))[:12]
    records = [
        Record(split, row.pid, row.camid, "B", f"{number}.png", row.data)
        for number, row in enumerate(rows[rows["pid"].isin(people)].itertuples())
        for split in (["query"] if row.camid == 0 and row.pid in people[:10] else ["gallery"])
    ]
    path = tmp_path / "B.parquet"
    write_store(records, path, facts={"dataset": "B", "version": "1"})
    return path
