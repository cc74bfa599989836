"""Which data set a feature file shows decides whether it is scored on shipped splits; it is never guessed."""

import json

import numpy as np
import pytest

from dcac.data.store import Record, write_store
from dcac.evaluation import score as step
from dcac.features.feature_file import write_features

PIDS = [3 * person for person in range(632)]


def write(path, *, meta, people=632, seed=0, names="cam/{:04}.bmp"):
    """Write one query and one gallery image a person, as VIPeR has them."""
    pids = np.tile(PIDS[:people], 2)
    split = np.repeat(["query", "gallery"], people)
    centres = np.random.default_rng(1).standard_normal((people, 8))
    features = np.tile(centres, (2, 1)) + np.random.default_rng(seed).standard_normal((2 * people, 8))
    camids = np.repeat([0, 1], people)
    paths = [names.format(pid) for pid in pids]
    write_features(path, features=features, pids=pids, camids=camids, split=split, paths=paths, meta=meta)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A normalised file of VIPeR's labels and names, one byte an image."""
    records = [
        Record(split, pid, camid, "VIPeR", f"{split}/{pid:04}.bmp", b"x")
        for camid, split in enumerate(("query", "gallery"))
        for pid in PIDS
    ]
    path = tmp_path_factory.mktemp("store") / "v.parquet"
    write_store(records, path, facts={"dataset": "VIPeR"})
    return path


def test_file_without_a_name_and_with_as_many_people_is_asked_about(tmp_path):
    path = write(tmp_path / "f.npz", meta={})
    with pytest.raises(
        ValueError, match=r"f\.npz names no data set and has 632 people.*--dataset VIPeR, or --dataset other"
    ):
        step.run(path, tmp_path / "s.json")
    assert not (tmp_path / "s.json").exists()


def test_option_store_and_meta_give_the_same_score_and_the_record_says_which(tmp_path, store):
    named = step.run(write(tmp_path / "a.npz", meta={"data": {"dataset": "VIPeR"}}), tmp_path / "a.json")
    path = write(tmp_path / "f.npz", meta={}, names="/elsewhere/{:04}.bmp")
    asked = step.run(path, tmp_path / "b.json", dataset="VIPeR")
    found = step.run(path, tmp_path / "c.json", store=store)
    assert named["mAP"] == asked["mAP"] == found["mAP"]
    assert named["splits"]["count"] == asked["splits"]["count"] == found["splits"]["count"] == 10
    ranked = {"data_set": "VIPeR", "ranked": "mean over 10 shipped splits"}
    for record, by in ((named, "meta"), (asked, "option"), (found, "store")):
        assert record["protocol"] == {**ranked, "known_by": by}
    assert json.loads((tmp_path / "c.json").read_text())["protocol"]["known_by"] == "store"


def test_user_may_insist_on_one_ranking(tmp_path):
    record = step.run(write(tmp_path / "f.npz", meta={}), tmp_path / "s.json", dataset="other")
    assert "splits" not in record
    assert record["protocol"] == {"data_set": None, "known_by": "option", "ranked": "one ranking"}


def test_file_that_is_like_no_split_target_is_ranked_whole(tmp_path):
    record = step.run(write(tmp_path / "f.npz", meta={}, people=50), tmp_path / "s.json")
    assert record["protocol"] == {"data_set": None, "known_by": "nothing", "ranked": "one ranking"}


def test_store_of_other_images_names_the_first_that_differs(tmp_path, store):
    path = write(tmp_path / "f.npz", meta={}, names="x{:04}.bmp")
    with pytest.raises(
        ValueError, match=r"gallery image '0000\.bmp' of pid 0 and camid 1 of .*v\.parquet is not in .*f\.npz"
    ):
        step.run(path, tmp_path / "s.json", store=store)


@pytest.mark.parametrize(
    ("meta", "dataset", "message"),
    [
        ({}, "Viper", "'Viper' has no shipped splits; give VIPeR, PRID, GRID, iLIDS, or other"),
        ({"data": {"dataset": "PRID"}}, "VIPeR", "shows PRID by its meta, VIPeR by the option; correct one"),
        ({"data": {"dataset": "VIPeR"}}, "other", "shows VIPeR by its meta, other by the option; correct one"),
    ],
)
def test_what_is_said_twice_must_agree(tmp_path, meta, dataset, message):
    with pytest.raises(ValueError, match=message):
        step.run(write(tmp_path / "f.npz", meta=meta), tmp_path / "s.json", dataset=dataset)


def test_other_may_be_said_of_a_set_without_splits(tmp_path):
    path = write(tmp_path / "f.npz", meta={"data": {"dataset": "MA"}}, people=20)
    assert step.run(path, tmp_path / "s.json", dataset="other")["protocol"]["data_set"] == "MA"


def test_comparison_takes_the_data_set_of_the_first_file(tmp_path):
    ours = write(tmp_path / "a.npz", meta={"data": {"dataset": "VIPeR"}})
    theirs = write(tmp_path / "b.npz", meta={}, seed=1)
    alone = step.run(theirs, tmp_path / "b.json", dataset="VIPeR")
    assert step.run(ours, tmp_path / "s.json", against=theirs)["against"]["mAP"] == alone["mAP"]


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        (
            {"sources": "MA", "seed": 0},
            {"sources": "MA", "seed": 1},
            r"a\.npz has seed 0, .*b\.npz has seed 1: compare",
        ),
        ({"sources": "MA", "seed": 0}, {"sources": "MS", "seed": 0}, r"a\.npz has sources MA, .*b\.npz has sources MS"),
    ],
)
def test_comparison_of_other_sources_or_seeds_names_both(tmp_path, ours, theirs, message):
    path = write(tmp_path / "a.npz", meta=ours, people=20)
    with pytest.raises(ValueError, match=message):
        step.run(path, tmp_path / "s.json", against=write(tmp_path / "b.npz", meta=theirs, people=20))
    assert not (tmp_path / "s.json").exists()


def test_references_and_foreign_files_have_no_seed_to_share(tmp_path):
    path = write(tmp_path / "a.npz", meta={"sources": "MA", "seed": 3}, people=20)
    for meta in ({"sources": "none", "seed": 0}, {}):
        assert "against" in step.run(path, tmp_path / "s.json", against=write(tmp_path / "b.npz", meta=meta, people=20))


def test_queries_of_one_name_cannot_be_paired(tmp_path):
    paths = [write(tmp_path / f"{name}.npz", meta={}, people=20) for name in "ab"]
    for path in paths:
        fields = dict(np.load(path))
        for field in ("paths", "pids", "camids"):
            fields[field][1] = fields[field][0]
        np.savez(path, **fields)
    with pytest.raises(ValueError, match="two queries have the same path, pid and camid"):
        step.run(paths[0], tmp_path / "s.json", against=paths[1])


def test_features_that_cannot_be_ranked_name_their_file(tmp_path):
    ours, theirs = (write(tmp_path / f"{name}.npz", meta={}, people=20) for name in "ab")
    fields = dict(np.load(theirs))
    fields["features"][3] = np.nan
    np.savez(theirs, **fields)
    with pytest.raises(ValueError, match=r"b\.npz: query_features row 3 holds NaN"):
        step.run(ours, tmp_path / "s.json", against=theirs)
