"""Features of a network carry what made them, under the sources that it was trained on and no others."""

import numpy as np
import pytest

import dcac
from dcac.data.store import Record, read_split, write_store
from dcac.features.feature_file import read_features
from dcac.networks import embed


@pytest.fixture
def target(store, tmp_path):
    """The queries of a data set, half of them as a gallery."""
    records = [
        Record("gallery" if row.camid else "query", row.pid, row.camid, "T", row.path, row.data)
        for row in read_split(store, "query").itertuples()
    ]
    path = tmp_path / "data/T.parquet"
    write_store(records, path, facts={"dataset": "T", "version": "1"})
    return path


def test_features_are_the_networks_in_the_order_of_the_targets_rows(run_folder, target, tmp_path):
    network = dcac.load(run_folder)
    names = {"suite": "s", "variant": "net", "sources": "A", "seed": 0}
    embed.run(network=network, stores=[target], names=names, out=tmp_path)
    file = read_features(tmp_path / "T.npz")
    for split in ("query", "gallery"):
        rows, part = read_split(target, split), getattr(file, split)
        assert part.paths.tolist() == rows["path"].tolist() and part.pids.tolist() == rows["pid"].tolist()
        assert np.array_equal(part.features, network.encode(list(rows["data"])))
    assert file.meta["network"]["content"] == network.content.meaning and file.meta["sources"] == "A"
    assert file.meta["network"]["card"]["view"]["height"] == 32 and "embed" in file.meta["code"]


@pytest.mark.parametrize(
    ("trained_on", "sources", "said"),
    [(["A"], "none", r"trained on A, not on none; write `trained_on: \[A\]`"), ([], "A", r"trained on none of the data sets, not on A"),
     (["A", "B"], "A", r"trained on A, B, not on A")],
)  # fmt: skip
def test_sources_that_are_not_the_networks_own_are_refused(timm_folder, target, tmp_path, trained_on, sources, said):
    network = dcac.load(timm_folder, card={"trained_on": trained_on})
    names = {"suite": "s", "variant": "net", "sources": sources, "seed": 0}
    with pytest.raises(ValueError, match=said):
        embed.run(network=network, stores=[target], names=names, out=tmp_path)
    assert not (tmp_path / "T.npz").exists()
