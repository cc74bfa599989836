"""The page "Your own data", typed as it stands: plain files of a rendered set give the rendered set's numbers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from dcac.data.store import read_split
from dcac.features.feature_file import read_features

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
DRY, ADD = "dcac data add data/lab --dataset LAB --dry-run", "dcac data add data/lab --dataset LAB"


@pytest.fixture(scope="module")
def lab(smoke, page, tmp_path_factory):
    """A finished smoke suite beside which the page's commands were typed, over JPEG files of its domain smoke-a."""
    folder = tmp_path_factory.mktemp("lab") / "clone"
    shutil.copytree(smoke.folder, folder, symlinks=True)
    shutil.copytree(ROOT / "profiles", folder / "profiles", dirs_exist_ok=True)  # so that plain `snakemake` is enough
    checkout = smoke.at(folder)
    rows = read_split(folder / "results/data/smoke-a.parquet", ["train", "query", "gallery"])
    for row in rows.itertuples():
        pid, camera, shot = Path(row.path).stem.split("_")
        file = folder / f"data/lab/{row.split}/{pid}/cam{camera[1:]}_{shot}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(row.data)
    checkout.said = page("own_data").follow(checkout)
    return checkout


def test_the_page_has_the_commands(lab):
    assert list(lab.said) == [DRY, ADD, "snakemake results/tables/dg_single.md --config suite=lab"]
    assert "Nothing is written" in lab.said[DRY] and "layout folders" in lab.said[DRY]
    assert "config/datasets.local.yaml" in lab.run("cat", ".gitignore").stdout


@pytest.mark.parametrize("variant", ["baseline", "dcac"])
def test_training_on_plain_files_is_training_on_the_rendered_set(lab, variant):
    weights = [
        load_file(lab.folder / f"results/lab/runs/{variant}/{sources}/seed0/weights.safetensors")
        for sources in ("smoke-a", "LAB")
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("variant", ["baseline", "dcac"])
def test_scores_from_and_on_plain_files_are_those_of_the_rendered_set(lab, variant):
    def score(sources, target):
        file = lab.folder / f"results/lab/scores/{variant}/{sources}/seed0/{target}.json"
        told = json.loads(file.read_text(encoding="utf-8"))
        return {name: told[name] for name in ("mAP", "mINP", "cmc", "num_query", "num_gallery", "interval")}

    assert score("LAB", "smoke-b") == score("smoke-a", "smoke-b")
    folder = lab.folder / f"results/lab/features/{variant}"
    ours, theirs = (read_features(folder / f"{sources}/seed0/{target}.npz")
                    for sources, target in (("smoke-a", "LAB"), ("LAB", "smoke-a")))  # fmt: skip
    for part in ("query", "gallery"):
        for name in ("features", "pids", "camids"):
            assert np.array_equal(getattr(getattr(ours, part), name), getattr(getattr(theirs, part), name))


def test_the_table_shows_the_set_and_the_import_stands(lab):
    table = pd.read_csv(lab.folder / "results/tables/dg_single.csv")
    assert {"LAB"} <= set(table["sources"]) & set(table["target"])
    assert lab.planned("results/tables/dg_single.md", suite="lab") == {}
    assert "LAB" in lab.run("dcac", "data", "status").stdout


def test_a_set_that_moved_is_named_and_its_results_stand(lab):
    (lab.folder / "data/lab").rename(lab.folder / "data/elsewhere")
    try:
        (lab.folder / "results/data/LAB.parquet").rename(lab.folder / "results/data/aside")
        said = lab.run("dcac", "data", "status").stdout
        assert "data/lab is not there; bring it back, or dcac data add its new place --dataset LAB --replace" in said
    finally:
        (lab.folder / "results/data/aside").rename(lab.folder / "results/data/LAB.parquet")
        (lab.folder / "data/elsewhere").rename(lab.folder / "data/lab")


def test_an_edit_of_the_card_imports_again_and_trains_nothing_anew(lab):
    planned = lab.planned("results/tables/dg_single.md", suite="lab")
    assert planned == {}
    lab.edit("config/datasets.local.yaml", "seed: 1", "seed: 2")
    assert lab.planned("results/tables/dg_single.md", suite="lab").get("import_data", 0) == 1
    lab.snakemake("results/data/LAB.parquet", suite="lab")
    assert lab.planned("results/tables/dg_single.md", suite="lab") == {}, "the content is the same"
    lab.edit("config/datasets.local.yaml", "seed: 2", "seed: 1")


def test_a_picture_that_changed_in_an_unpacked_folder_is_noticed_and_refused(lab):
    target, picture = "results/data/LAB.parquet", next((lab.folder / "data/lab/train").rglob("*.jpg"))
    content = picture.read_bytes()
    try:
        picture.write_bytes(content + b"\0")
        assert lab.planned(target, suite="lab").get("import_data", 0) == 1
        result = lab.run("snakemake", "--cores", "1", target, "--config", "suite=lab")
        assert result.returncode == 1 and "the pictures of LAB are not those that were added" in result.stdout
    finally:
        picture.write_bytes(content)
    assert lab.jobs(lab.snakemake(target, suite="lab")) == {"import_data": 1}, "what Snakemake deleted comes back"
    assert lab.planned("results/tables/dg_single.md", suite="lab") == {}
