"""The smoke suite from end to end, and what makes Snakemake run something again."""

import json
import subprocess
import time

import pandas as pd
import psutil
import pytest

from dcac.features.feature_file import read_features

pytestmark = pytest.mark.slow
RUN = "results/smoke/runs/dcac/smoke-a/seed0"


def test_every_promised_file_is_there(smoke):
    results = smoke.folder / "results"
    for name in ("dg_single", "in_domain"):
        for suffix in ("md", "tex", "csv"):
            assert (results / f"tables/{name}.{suffix}").stat().st_size > 100
    for suffix in ("pdf", "svg", "png"):
        assert (results / f"figures/cmc.{suffix}").stat().st_size > 1000
    assert set(json.loads((results / "metrics.json").read_text())) == {"dg_single", "in_domain"}
    assert not list(results.rglob("*.state"))


def test_score_and_log_of_a_dcac_run_carry_the_diagnostics(smoke):
    score = json.loads((smoke.folder / "results/smoke/scores/dcac/smoke-a/seed0/smoke-b.json").read_text())
    wanted = {"gradient_id", "gradient_prototype", "gradient_noise", "cosine_noise", "p_max", "p_entropy"}
    wanted |= {"noise_own", "noise_null", "noise_other"}
    assert wanted <= set(score["meta"]["diagnostics"])
    assert [epoch["epoch"] for epoch in score["meta"]["diagnostics_by_epoch"]] == [1, 2]
    assert score["meta"]["diagnostics_by_epoch"][-1] == score["meta"]["diagnostics"]
    assert score["against"]["difference"]["mAP"]["verdict"] in ("higher", "no clear difference", "lower")
    lines = [json.loads(line) for line in (smoke.folder / RUN / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "epoch", "epoch", "end"]
    assert wanted <= set(lines[-2])


def test_records_hold_every_score_of_the_table(smoke):
    records = pd.read_csv(smoke.folder / "results/smoke/records/dg_single.csv", keep_default_na=False)
    expected = {(reference, 0) for reference in ("chance", "histogram", "pretrained")}
    expected |= {(variant, seed) for variant in ("baseline", "dcac") for seed in (0, 1)}
    assert set(zip(records["variant"], records["seed"], strict=True)) == expected
    assert set(records["target"]) == {"smoke-b"}


def test_feature_files_keep_the_contract(smoke):
    file = read_features(smoke.folder / "results/smoke/features/dcac/smoke-a/seed0/smoke-b.npz")
    assert file.query.features.shape == (12, 96)
    assert (abs((file.query.features.astype(float) ** 2).sum(axis=1) - 1) < 1e-5).all()
    assert {"variant", "sources", "target", "seed", "data", "code", "environment"} <= set(file.meta)


def test_a_second_run_does_nothing(smoke):
    assert smoke.planned() == {}


def test_what_is_made_on_demand_trains_only_what_is_new(finished):
    made = finished.jobs(finished.snakemake("on_demand"))
    wanted = {
        "train": 1,
        "samples": 1,
        "correlation": 1,
        "attention": 2,
        "overhead": 2,
        "overhead_table": 1,
        "table": 1,
        "figure": 6,
    }
    assert {name: made.get(name, 0) for name in wanted} == wanted
    results = finished.folder / "results"
    table = (results / "tables/overhead.md").read_text(encoding="utf-8")
    assert "| Baseline (ours)" in table and "| DCAC (ours)" in table and "1.00" in table
    scores = pd.read_csv(results / "tables/ablation.csv")
    scores = scores[scores["kind"] == "ours"].pivot(index="metric", columns="method", values="mean_percent")
    assert list(scores) == ["Baseline (ours)", "DCAC, hard label (control)"]
    assert scores.iloc[:, 0].equals(scores.iloc[:, 1]), "no gradient reaches the encoder of the control"
    for name in ("diagnostics", "samples", "look_alikes", "tsne", "ranked_lists", "attention"):
        assert (results / f"figures/{name}.png").stat().st_size > 10_000
    assert finished.planned("on_demand") == {}
    shown = finished.jobs(finished.snakemake())
    assert shown == {"all": 1, "report": 1, "show_report": 1}, "the page takes in the figures that stand now"
    page = (results / "report.html").read_text(encoding="utf-8")
    assert page.count('<figure class="drawn">') == 7 and 'id="figure-tsne"' in page
    finished.edit("dcac/reporting/figures/tsne.py", "PEOPLE = 30", "PEOPLE = 29")
    assert {name: finished.planned().get(name) for name in ("report", "train", "samples")} == {
        "report": 1,
        "train": None,
        "samples": None,
    }, "a figure on demand that does not stand is left out, not made"


def test_a_comment_in_code_or_configuration_reruns_nothing(finished):
    finished.edit("dcac/losses/identity.py", '"""L_id:', '# A comment.\n"""The loss L_id:')
    finished.edit("config/variants.yaml", "diffusion: none ", "diffusion: none  # a comment\n#")
    assert finished.planned() == {}


def test_a_setting_of_one_variant_reruns_its_runs_only(finished):
    finished.edit("config/variants.yaml", "label: DCAC (ours)\n", "label: DCAC (ours)\n  noise_weight: 2.0\n")
    output = finished.snakemake("--dry-run")
    assert "results/smoke/runs/dcac/smoke-a/seed0/weights.safetensors" in output
    assert "output: results/smoke/runs/baseline" not in output
    assert "rule pretrain" not in output and "rule latents" not in output and "rule render" not in output


def test_a_label_rewrites_tables_and_figures_only(finished):
    finished.edit("config/variants.yaml", "label: DCAC (ours)\n", "label: DCAC, here\n")
    planned = finished.planned()
    assert planned == {
        "all": 1,
        "figure": 1,
        "table": 2,
        "report": 1,
        "show_figure": 1,
        "show_table": 2,
        "show_report": 1,
    }


def test_two_suites_keep_their_own_pages_and_the_active_one_is_shown(finished):
    lines = ("extends: smoke", "title: Another suite", "references: [histogram]", "variants: []", "remark: null")
    lines += ("protocols: {in-domain: null}", "tables: {in_domain: null, ablation: null, overhead: null}")
    lines += (
        "figures: {diagnostics: null, samples: null, look_alikes: null, tsne: null, ranked_lists: null, attention: null}",
    )
    (finished.folder / "config/suites/another.yaml").write_text("\n".join(lines), encoding="utf-8")
    results = finished.folder / "results"
    own = ("report.html", "tables/dg_single.md", "tables/dg_single.json", "figures/cmc.pdf", "metrics.json")

    def pages(folder):
        return {name: (folder / name).read_bytes() for name in own}

    first = pages(results)
    assert first == pages(results / "smoke"), "what is shown is the active suite's, record and all"
    finished.snakemake(suite="another")
    second = pages(results)
    assert second == pages(results / "another") and all(second[name] != first[name] for name in own)
    assert pages(results / "smoke") == first, "the other suite's stay"
    assert b"Another suite" in second["tables/dg_single.json"] and b"Smoke suite" in first["tables/dg_single.json"]
    assert finished.planned(suite="another") == {}
    made = finished.jobs(finished.snakemake())
    assert made == {"all": 1, "show_table": 1, "show_figure": 1, "show_report": 1, "show_metrics": 1}, (
        "showing copies, it makes nothing"
    )
    assert pages(results) == first
    (results / "tables/in_domain.md").write_text("by hand", encoding="utf-8")
    why = finished.run("dcac", "why", "in_domain").stdout
    assert "results/tables/in_domain.md is not results/smoke/tables/in_domain.md" in why


def test_a_real_edit_of_the_scorer_scores_again_but_trains_nothing(finished):
    path = finished.folder / "dcac/evaluation/score.py"
    before = path.read_text(encoding="utf-8")
    assert "LEVEL = 0.95" in before
    path.write_text(before.replace("LEVEL = 0.95", "LEVEL = 0.9"), encoding="utf-8")
    planned = finished.planned()
    assert planned["score"] == 14
    assert not {"train", "extract", "reference", "pretrained", "render"} & set(planned)


def test_an_unfinished_table_leaves_nothing_behind(smoke):
    target = smoke.folder / "results/tables/dg_single.md"
    result = smoke.run(
        "dcac", "table", "no_such_table", "results/smoke/records/dg_single.csv", "--suite", "smoke",
        "--published", "config/published.csv", "--out", "results/tables/other.md",
    )  # fmt: skip
    assert result.returncode == 1 and "unknown table: 'no_such_table'" in result.stdout
    assert target.exists() and not (smoke.folder / "results/tables/other.md").exists()


def state_of_run(checkout):
    """Return what `dcac status` says of the DCAC run of seed 0."""
    jobs = json.loads(checkout.run("dcac", "status", "--json").stdout)["jobs"]
    return next(job["state"] for job in jobs if (job["rule"], job["name"]) == ("train", "smoke-dcac-smoke-a-seed0"))


def begin(checkout, *words, epochs):
    """Start Snakemake on the DCAC run of seed 0, made longer; return it once the training has a checkpoint."""
    for name in ("weights.safetensors", "log.jsonl", "run.json"):
        (checkout.folder / RUN / name).unlink()
    checkout.edit("config/suites/smoke.yaml", "  epochs: 2", f"  epochs: {epochs}")
    process = head(checkout, *words)
    deadline = time.monotonic() + 120
    while not (checkout.folder / f"{RUN}.state/checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return process


def head(checkout, *words):
    """Start Snakemake on the DCAC run of seed 0 in the background."""
    return subprocess.Popen(
        ["snakemake", f"{RUN}/run.json", "--cores", "1", *words],
        cwd=checkout.folder,
        env=checkout.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def trainings(process):
    """List the trainings that a Snakemake has started."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if {"train", f"{RUN}/run.json"} <= set(child.cmdline())]


def logged(checkout, event):
    """List the lines of one kind in the journal of the DCAC run of seed 0."""
    lines = (checkout.folder / RUN / "log.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == event]


LOG = "results/logs/train/smoke-dcac-smoke-a-seed0.log"


def test_a_killed_training_continues_when_the_same_command_is_typed_again(finished):
    process = begin(finished, epochs=40)
    assert state_of_run(finished) == "running"
    for child in trainings(process):
        child.kill()
    assert process.wait(60) != 0
    assert (finished.folder / f"{RUN}.state/checkpoint.pt").exists() and not (
        finished.folder / RUN / "run.json"
    ).exists()
    assert state_of_run(finished) == "failed"
    finished.snakemake(f"{RUN}/run.json")
    log = (finished.folder / LOG).read_text()
    assert "continues in epoch" in log
    assert state_of_run(finished) == "done"
    attempts = sorted((finished.folder / "results/logs/train/.attempts").glob("smoke-dcac-smoke-a-seed0.*"))
    assert len(attempts) == 3 and attempts[-1].read_text() == log
    assert "continues" not in attempts[-2].read_text(), "what the killed attempt said stays"
    assert [epoch["epoch"] for epoch in logged(finished, "epoch")] == list(range(1, 41))


def test_a_training_whose_head_was_killed_is_not_trained_again(finished):
    process = begin(finished, epochs=8)
    orphans = trainings(process)
    process.kill()
    process.wait(60)
    psutil.wait_procs(orphans, 120)
    weights = (finished.folder / RUN / "weights.safetensors").read_bytes()
    finished.snakemake("--unlock", f"{RUN}/run.json")
    made = finished.snakemake("--rerun-incomplete", f"{RUN}/run.json")
    assert finished.jobs(made) in ({}, {"train": 1}), "whether or not Snakemake holds its files for incomplete"
    assert (finished.folder / RUN / "weights.safetensors").read_bytes() == weights
    assert [epoch["epoch"] for epoch in logged(finished, "epoch")] == list(range(1, 9))
    assert not finished.jobs(made) or "put back, nothing is computed" in (finished.folder / LOG).read_text()


def test_a_second_head_waits_for_the_job_of_the_first(finished):
    first = begin(finished, epochs=60)
    second = head(finished, "--nolock", "--rerun-incomplete")
    assert (first.wait(240), second.wait(240)) == (0, 0)
    said = [
        path.read_text() for path in (finished.folder / "results/logs/train/.attempts").glob("smoke-dcac-smoke-a-*0.*")
    ]
    assert any("another process trains this run" in text and "waiting for it to end" in text for text in said)
    assert len(logged(finished, "start")) == 1
    assert [epoch["epoch"] for epoch in logged(finished, "epoch")] == list(range(1, 61))
