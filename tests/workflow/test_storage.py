"""A small suite whose results lie in a storage of Snakemake's: nothing is read from, or left in, the checkout's `results/`."""

import json
import shutil
import subprocess
import time

import psutil
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync, by which the storage plugin copies, is not here"),
]
SUITE = """
extends: smoke
seeds: [0]
variants: [dcac]
references: []
protocols: {in-domain: null}
tables: {in_domain: null, ablation: null, overhead: null}
figures: {cmc: null, diagnostics: null, samples: null, look_alikes: null, tsne: null, ranked_lists: null, attention: null}
"""
RUN = "results/small/runs/dcac/smoke-a/seed0"


@pytest.fixture(scope="module")
def stored(tmp_path_factory, checkout_in):
    """A checkout that has run the suite into a storage; `store` is that folder, `words` what Snakemake is told."""
    folder = tmp_path_factory.mktemp("stored")
    (folder / "checkout").mkdir()
    checkout = checkout_in(folder / "checkout")
    (checkout.folder / "config/suites/small.yaml").write_text(SUITE, encoding="utf-8")
    checkout.edit("config/config.yaml", "suite: demo ", "suite: small ")
    checkout.store = folder / "store"
    checkout.words = ("--default-storage-provider", "fs", "--default-storage-prefix", str(checkout.store))
    checkout.first_run = checkout.snakemake(*checkout.words)
    return checkout


def test_the_suite_runs_to_its_tables_and_every_result_lies_in_the_storage(stored):
    for name in ("tables/dg_single.md", "small/tables/dg_single.md", "report.html", "metrics.json"):
        assert (stored.store / "results" / name).stat().st_size > 50
    assert {path.name for path in (stored.store / RUN).iterdir()} == {"weights.safetensors", "log.jsonl", "run.json"}
    network = {path.name for path in (stored.store / "results/weights/smoke-encoder").iterdir()}
    assert {"config.json", "model.safetensors", "manifest.json"} <= network
    assert not (stored.folder / "results").exists() or not list((stored.folder / "results").rglob("*.*"))


def test_records_name_places_in_results_not_copies(stored):
    record = json.loads((stored.store / "results/small/records/dg_single.json").read_text(encoding="utf-8"))["made"]
    assert f"results/small/scores/{RUN.removeprefix('results/small/runs/')}/smoke-b.json" in record["inputs"]
    assert str(stored.store) not in (stored.store / "results/tables/dg_single.json").read_text(encoding="utf-8")


def test_a_second_call_does_nothing_from_another_checkout_too(stored, tmp_path):
    assert stored.planned(*stored.words) == {}
    copy = tmp_path / "copy"
    shutil.copytree(stored.folder, copy, ignore=shutil.ignore_patterns(".snakemake", "results"))
    another = stored.at(copy)
    assert another.planned(*stored.words) == {}
    another.edit("dcac/losses/identity.py", "label_smoothing=smoothing", "label_smoothing=2 * smoothing")
    due = another.planned(*stored.words)
    assert due["train"] == due["extract"] == 1 and not {"render", "latents", "pretrain_encoder"} & set(due)


def test_a_killed_training_continues_on_the_same_machine(stored):
    stored.edit("config/suites/small.yaml", "seeds: [0]", "seeds: [0]\noverrides: {epochs: 20}")
    copies = stored.folder / ".snakemake/storage/fs" / str(stored.store).strip("/")
    process = subprocess.Popen(
        ["snakemake", f"{RUN}/run.json", "--cores", "1", *stored.words],
        cwd=stored.folder,
        env=stored.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (copies / f"{RUN}.state/checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    for child in psutil.Process(process.pid).children(recursive=True):
        if {"-m", "dcac"} <= set(child.cmdline()):
            child.kill()
    assert process.wait(60) != 0
    stored.snakemake(f"{RUN}/run.json", *stored.words)
    log = (stored.store / "results/logs/train/small-dcac-smoke-a-seed0.log").read_text(encoding="utf-8")
    assert "continues in epoch" in log
