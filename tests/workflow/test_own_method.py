"""The page "Your own method": written and typed as it stands, it gives a row in a table."""

import json
import shutil

import pandas as pd
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def followed(smoke, page, tmp_path_factory):
    """A finished smoke suite in which the page was followed."""
    folder = tmp_path_factory.mktemp("method") / "clone"
    shutil.copytree(smoke.folder, folder, symlinks=True)
    checkout = smoke.at(folder)
    checkout.said = page("own_method").follow(checkout)
    return checkout


def test_the_page_has_its_blocks(page):
    read = page("own_method")
    written = {title for language, title, _ in read.blocks if title and language != "diff"}
    assert written == {"dcac/losses/triplet.py", "tests/training/test_triplet.py", "config/suites/triplet.yaml"}
    assert [command.split()[0] for command in read.commands] == [
        *("snakemake", "dcac", "pytest", "snakemake", "snakemake", "cat", "dcac")
    ]


def test_only_the_two_runs_are_trained(followed):
    dry = next(said for command, said in followed.said.items() if command.startswith("snakemake -n"))
    planned = followed.jobs(dry)
    assert planned["train"] == 2 and not {"render", "pretrain_encoder", "pretrain_diffusion", "latents"} & set(planned)
    assert "1 passed" in followed.said["pytest -q -n 0 tests/training/test_triplet.py"]
    assert "stands" in followed.said["dcac why triplet --suite triplet"]


def test_the_new_loss_has_its_row_and_its_gradient(followed):
    table = pd.read_csv(followed.folder / "results/tables/triplet.csv")
    assert "Baseline with triplet loss" in set(table["method"])
    assert "Baseline with triplet loss" in followed.said["cat results/tables/triplet.md"]
    run = followed.folder / "results/triplet/runs/baseline-triplet/smoke-a/seed0"
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    epochs = [line for line in lines if line["event"] == "epoch"]
    assert all(line["loss_triplet"] > 0 for line in epochs)
    report = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert report["epoch"]["gradient_triplet"] > 0 and report["settings"]["triplet_weight"] == 1.0
