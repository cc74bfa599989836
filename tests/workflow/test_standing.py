"""Finished work is safe: what stands is not planned, and what Snakemake deletes comes back in seconds with the same bytes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
REPORTING = {"records", "table", "figure", "report", "metrics"}
REPORTING |= {"show_table", "show_figure", "show_report", "show_metrics"}
RUN = "results/smoke/runs/dcac/smoke-a/seed0"


def planned(checkout, *words):
    """Return what is planned, but for the target that names it all."""
    return {rule: count for rule, count in checkout.planned(*words).items() if rule != "all"}


def test_a_copy_without_times_and_metadata_has_nothing_to_do(finished):
    shutil.rmtree(finished.folder / ".snakemake")
    for number, path in enumerate(sorted((finished.folder / "results").rglob("*"))):
        os.utime(path, (1_700_000_000 - number, 1_700_000_000 - number))
    assert finished.planned() == {}


@pytest.mark.parametrize("cache", ["results/latents", "results/data", "results/weights"])
def test_a_deleted_cache_is_made_again_only_where_something_new_needs_it(finished, cache):
    shutil.rmtree(finished.folder / cache)
    assert planned(finished) == {}
    assert planned(finished, "--config", "seeds=[0,1,2]")["train"] == 2


def test_a_note_of_a_card_makes_due_only_the_page_that_shows_it(finished):
    finished.edit("config/datasets.yaml", "\nsmoke-a:\n", "\nsmoke-a:\n  notes: A note.\n")
    assert planned(finished) == {"report": 1, "show_report": 1}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("dcac/training/card.py", "# Re-ID model", "# A Re-ID model"),
        ("dcac/model/latents.py", "is not the file of its sidecar", "is another file than its sidecar says"),
        ("dcac/training/train.py", "is complete already", "is there, complete"),
        ("config/suites/smoke.yaml", "device: cpu", "device: auto"),
    ],
)
def test_what_computes_nothing_makes_nothing_due(finished, path, old, new):
    finished.edit(path, old, new)
    assert planned(finished) == {}


def test_a_changed_formula_makes_due_exactly_what_computes_with_it(finished):
    finished.edit("dcac/losses/identity.py", "label_smoothing=smoothing", "label_smoothing=2 * smoothing")
    assert set(planned(finished)) == {"train", "extract", "score", *REPORTING}
    why = finished.run("dcac", "why", f"{RUN}/run.json")
    assert why.returncode == 0 and "code changed in dcac.losses.identity" in why.stdout


def test_a_changed_setting_is_named_with_both_values(finished):
    finished.edit("config/suites/smoke.yaml", "  epochs: 2", "  epochs: 3")
    assert "setting epochs was 2, is 3" in finished.run("dcac", "why", "dg_single").stdout


def test_deleted_and_failed_outputs_come_back_with_the_same_bytes(finished):
    names = ("weights.safetensors", "log.jsonl", "run.json")
    before = {name: (finished.folder / RUN / name).read_bytes() for name in names}
    for name in names:  # as Snakemake does to a job that counts as failed after its end
        (finished.folder / RUN / name).unlink()
    assert planned(finished) == {}, "its features stand, and ask for nothing"
    finished.snakemake(*(f"{RUN}/{name}" for name in names))
    assert {name: (finished.folder / RUN / name).read_bytes() for name in names} == before
    log = (finished.folder / "results/logs/train/smoke-dcac-smoke-a-seed0.log").read_text()
    assert "put back, nothing is computed" in log


def test_a_forced_training_is_put_back_too(finished):
    before = (finished.folder / RUN / "weights.safetensors").read_bytes()
    finished.snakemake("--forcerun", "train")
    assert (finished.folder / RUN / "weights.safetensors").read_bytes() == before
    assert finished.planned() == {}


def test_an_accepted_run_stands_for_the_new_code(finished):
    finished.edit("dcac/losses/identity.py", "label_smoothing=smoothing", "label_smoothing=1 * smoothing")
    assert planned(finished)["train"] == 4
    runs = [f"results/smoke/runs/{v}/smoke-a/seed{s}" for v in ("baseline", "dcac") for s in (0, 1)]
    result = finished.run("dcac", "accept", *runs)
    assert result.returncode == 0 and "dcac.losses.identity" in result.stdout
    assert planned(finished) == {"table": 2, "show_table": 2, "report": 1, "show_report": 1}, "they say so under them"
    finished.snakemake()
    assert finished.planned() == {}
    table = (finished.folder / "results/tables/dg_single.md").read_text()
    assert "accepted by hand as equal (changed since: dcac.losses.identity): baseline/smoke-a/seed0, baseline/" in table
    for run in runs:
        (finished.folder / run / "run.json").unlink()
    before = (finished.folder / RUN / "weights.safetensors").read_bytes()
    finished.snakemake(f"{RUN}/run.json")
    assert (finished.folder / RUN / "weights.safetensors").read_bytes() == before


def test_a_store_changed_under_its_sidecar_is_refused(finished):
    store = finished.folder / "results/data/smoke-b.parquet"
    store.write_bytes(store.read_bytes()[:-1] + b"!")
    for name in ("smoke/features", "smoke/scores", "smoke/records", "smoke/tables", "smoke/figures", ".kept"):
        shutil.rmtree(finished.folder / "results" / name)
    result = finished.run("snakemake", "--cores", "1", "--keep-going")
    assert result.returncode != 0
    logs = "".join(path.read_text() for path in (finished.folder / "results/logs/extract").glob("*.log"))
    assert "smoke-b.parquet is not the file" in logs
    assert "dcac: error:" in result.stdout, "the sentence also stands where Snakemake prints"


def test_tidy_lists_and_frees_only_what_nothing_needs(finished):
    listed = finished.run("dcac", "tidy").stdout
    assert "results/.cache  (decoded pictures" in listed and len(listed.splitlines()) == 2
    assert "freed" in finished.run("dcac", "tidy", "--free").stdout
    assert planned(finished) == {} and not (finished.folder / "results/.cache").exists()
    assert "0.0 MB  can be freed" in finished.run("dcac", "tidy").stdout
    shutil.rmtree(finished.folder / RUN)
    shown = finished.run("dcac", "tidy", "--free").stdout
    assert "results/.kept/train/" in shown and "freed" in shown
    assert planned(finished) == {} and finished.planned(f"{RUN}/run.json")["train"] == 1


WALKED = {"render", "pretrain_encoder", "pretrain_diffusion", "latents", "train", "extract"}
CHANGES = {
    "nothing": [],
    "a card's note": [("config/datasets.yaml", "\nsmoke-a:\n", "\nsmoke-a:\n  notes: A note.\n")],
    "a log line of training": [("dcac/training/train.py", "is complete already", "is there, complete")],
    "an error of the latents": [("dcac/model/latents.py", "is not the file of its sidecar", "is another file")],
    "the device": [("config/suites/smoke.yaml", "device: cpu", "device: auto")],
    "a formula of training": [
        ("dcac/losses/identity.py", "label_smoothing=smoothing", "label_smoothing=2 * smoothing")
    ],
    "a setting": [("config/suites/smoke.yaml", "  epochs: 2", "  epochs: 3")],
    "how a domain is rendered": [("config/datasets.yaml", "campus, train_ids: 12", "campus, train_ids: 13")],
    "the test view": [("dcac/features/targets.py", '= ("query", "gallery")', '= ("gallery", "query")')],
    "how latents are cached": [("dcac/model/latents.py", "/ 127.5 - 1", "/ 127.5 - 1.0")],
}


def test_the_plan_is_what_an_independent_walk_over_identities_says(finished):
    walk = (Path(__file__).with_name("walk.py")).read_text(encoding="utf-8")
    (finished.folder / "walk.py").write_text(walk, encoding="utf-8")

    def compare(change, *words):
        result = subprocess.run(
            [sys.executable, "walk.py"], cwd=finished.folder, env=finished.environment, text=True, capture_output=True
        )
        assert result.returncode == 0, result.stderr
        found = {rule: count for rule, count in finished.planned(*words).items() if rule in WALKED}
        assert found == {rule: n for rule, n in json.loads(result.stdout).items() if rule in WALKED}, change
        return found

    for change, edits in CHANGES.items():
        before = {path: (finished.folder / path).read_text(encoding="utf-8") for path, _, _ in edits}
        for edit in edits:
            finished.edit(*edit)
        compare(change)
        for path, text in before.items():
            (finished.folder / path).write_text(text, encoding="utf-8")
    finished.edit("config/config.yaml", "seeds: null", "seeds: [0, 1, 2]")
    assert compare("one more seed")["train"] == 2
    shutil.rmtree(finished.folder / "results/latents")
    assert compare("one more seed without latents") == {"latents": 1, "train": 2, "extract": 2}
