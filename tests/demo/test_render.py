"""The demo step: splits and labels of a rendered domain."""

import pytest

from dcac.data.catalog import Crowd, Network
from dcac.data.store import read_split
from dcac.demo.render import run as write_demo


@pytest.fixture(scope="module")
def small(catalog):
    recipe = Network(train_ids=3, test_ids=2, cameras=2, shots=3, seed=1)
    return catalog["campus"].model_copy(update={"synthetic": recipe})


def test_people_cameras_and_shots_become_splits(small, tmp_path):
    sidecar = write_demo(small, tmp_path / "campus.parquet")
    assert sidecar["counts"] == {
        "train": {"ids": 3, "images": 18, "cameras": 2},
        "query": {"ids": 2, "images": 4, "cameras": 2},
        "gallery": {"ids": 2, "images": 8, "cameras": 2},
    }
    assert sidecar["standard"] is True
    train = read_split(tmp_path / "campus.parquet", "train")
    assert list(train["path"][:4]) == [f"train/0001_c{c}_{s}.jpg" for c, s in ((1, 0), (1, 1), (1, 2), (2, 0))]
    assert set(train["pid"]) == {1, 2, 3}
    test = read_split(tmp_path / "campus.parquet", ["query", "gallery"], images=False)
    assert set(test["pid"]) == {4, 5}
    assert {path[-5] for path in test[test["split"] == "query"]["path"]} == {"0"}
    assert {path[-5] for path in test[test["split"] == "gallery"]["path"]} == {"1", "2"}


def test_same_card_gives_the_same_file(small, tmp_path):
    assert write_demo(small, tmp_path / "a.parquet") == write_demo(small, tmp_path / "b.parquet")


def test_broad_domain_has_captions_and_one_split(catalog, tmp_path):
    card = catalog["broad"].model_copy(update={"synthetic": Crowd(people=4, images_per_person=2, seed=1)})
    sidecar = write_demo(card, tmp_path / "broad.parquet")
    rows = read_split(tmp_path / "broad.parquet", "train")
    assert list(sidecar["counts"]) == ["train"]
    assert len(rows) == 8
    assert all(0 <= value <= 1 for caption in rows["caption"] for value in caption)


def test_real_set_is_not_rendered(catalog, tmp_path):
    with pytest.raises(ValueError, match="dcac data import"):
        write_demo(catalog["MA"], tmp_path / "MA.parquet")
