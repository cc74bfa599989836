"""DVC around Snakemake: one stage, and a round trip through a remote after which nothing is left to do."""

import json
import shutil

import pytest
import yaml

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def versioned(smoke, tmp_path_factory):
    """The finished smoke copy under git and DVC, with its results committed to DVC's cache."""
    folder = tmp_path_factory.mktemp("dvc") / "copy"
    shutil.copytree(smoke.folder, folder)
    copy = smoke.at(folder)
    assert copy.run("git", "init", "-q").returncode == 0
    result = copy.run("dvc", "commit", "-f")
    assert result.returncode == 0, result.stdout
    return copy


def test_a_second_reproduction_does_nothing(versioned):
    result = versioned.run("dvc", "repro")
    assert result.returncode == 0, result.stdout
    assert "didn't change, skipping" in result.stdout


def test_every_output_persists_and_metrics_show(versioned):
    stage = yaml.safe_load((versioned.folder / "dvc.yaml").read_text())["stages"]["reproduce"]
    assert all(options["persist"] for out in stage["outs"] + stage["metrics"] for options in out.values())
    shown = json.loads(versioned.run("dvc", "metrics", "show", "--json").stdout)
    metrics = next(iter(shown.values()))["data"]["results/metrics.json"]["data"]
    assert {"baseline", "dcac"} <= set(metrics["dg_single"])


def test_results_come_back_from_a_remote_and_nothing_is_left_to_do(versioned, tmp_path):
    assert versioned.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "remote")).returncode == 0
    result = versioned.run("dvc", "push")
    assert result.returncode == 0, result.stdout
    table = (versioned.folder / "results/tables/dg_single.md").read_bytes()
    for name in ("data", "weights", "latents", "smoke", "tables", "figures"):
        shutil.rmtree(versioned.folder / "results" / name)
    shutil.rmtree(versioned.folder / ".dvc/cache")
    result = versioned.run("dvc", "pull")
    assert result.returncode == 0, result.stdout
    assert (versioned.folder / "results/tables/dg_single.md").read_bytes() == table
    assert "hashes agree" in versioned.run("dcac", "data", "check", "results/data/smoke-a.parquet").stdout
    assert not [path for path in (versioned.folder / "results").rglob("*.tmp") if ".kept" not in path.parts]
    shutil.rmtree(versioned.folder / ".snakemake")
    costly = {"render", "pretrain_encoder", "pretrain_diffusion", "latents", "train", "extract", "reference"}
    assert not costly & set(versioned.planned()), "what costs stands by its records, whatever the times of its files"
    versioned.snakemake("--touch")
    assert versioned.planned() == {}
