"""Rehearsals in the workflow: before every training on a GPU, on a CPU when they are asked for."""

import json
import re

import pytest


def test_every_training_on_a_gpu_waits_for_its_rehearsal(checkout):
    output = checkout.snakemake("--dry-run", suite="paper")
    jobs = checkout.jobs(output)
    runs = set(re.findall(r"output: results/paper/runs/(.+?)/seed", output))
    assert jobs["rehearse"] == len(runs) and jobs["train"] > jobs["rehearse"]
    needed = [line for line in output.splitlines() if "input: " in line and "/rehearsals/" in line]
    assert len(needed) == jobs["train"]


def test_on_a_cpu_none_is_made_unasked(checkout):
    assert "rehearse" not in checkout.planned(suite="smoke")
    assert checkout.planned("preflight", suite="smoke")["rehearse"] == 2


@pytest.mark.slow
def test_a_rehearsal_starts_as_many_processes_as_its_training_will(finished):
    finished.environment["DCAC_CARDS"] = "GPU-a,GPU-b"  # names of two cards; what computes is the CPU
    finished.edit("config/config.yaml", "  gpus_per_training: 1 ", "  gpus_per_training: 2 ")
    report = "results/smoke-gpu/rehearsals/baseline/smoke-a.json"
    finished.snakemake(report, suite="smoke-gpu")
    told = json.loads((finished.folder / report).read_text(encoding="utf-8"))
    assert told["processes"] == 2 and told["num_query"] > 0
    log = (finished.folder / "results/logs/rehearse/smoke-gpu-baseline-smoke-a.log").read_text(encoding="utf-8")
    assert "computing on GPU GPU-a, GPU-b of 2" in log


@pytest.mark.slow
def test_the_smoke_suite_is_rehearsed_once(finished):
    result = finished.run("dcac", "preflight")
    assert result.returncode == 0, result.stdout
    assert finished.jobs(result.stdout) == {"preflight": 1, "rehearse": 2}
    told = json.loads((finished.folder / "results/smoke/rehearsals/dcac/smoke-a.json").read_text(encoding="utf-8"))
    assert set(told["losses"]) == {"id", "prototype", "noise"} and told["target"] == "smoke-b"
    assert finished.planned("preflight") == {}
    assert finished.planned() == {}, "a rehearsal makes nothing else due"
    finished.edit("config/suites/smoke.yaml", "  identities_per_batch: 6", "  identities_per_batch: 4")
    assert finished.planned("preflight")["rehearse"] == 2
