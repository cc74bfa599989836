"""What `dcac status` says of jobs, from logs, locks and records."""

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from dcac.artefacts import Artefact
from dcac.cluster import Queued
from dcac.status_page import page, summary
from dcac.terminal import duration
from dcac.watching import DONE, FAILED, RUNNING, WAITING, Job, Report, is_held, look


def artefact(job, sidecar="s.json", step="dcac.x"):
    return Artefact(step, job, (sidecar,), sidecar, {}, job=job)


def standing(*made, due=()):
    """A suite of some artefacts, of which those of some jobs are due."""
    return SimpleNamespace(
        plan=SimpleNamespace(project=SimpleNamespace(suite="s")),
        artefacts=SimpleNamespace(needed=lambda: list(made)),
        due=lambda artefact: ("missing",) if artefact.job in due else (),
    )


def write(folder, job, *lines):
    log = folder / f"{job}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(f"{line}\n" for line in lines))
    return log


def test_a_job_is_done_only_when_all_it_makes_stands(tmp_path):
    made = [artefact("extract/a"), artefact("extract/a", "t.json"), artefact("score/b")]
    report = look(standing(*made, due={"extract/a"}), logs=tmp_path)
    assert [(job.rule, job.name, job.state) for job in report.jobs] == [
        ("extract", "a", WAITING),
        ("score", "b", DONE),
    ]


def test_a_log_that_ends_in_an_error_is_a_failure_with_its_last_lines(tmp_path):
    write(tmp_path, "train/a", "1", "2", "3", "dcac: error: no data")
    write(tmp_path, "train/b", "dcac: error: an older attempt", "10:00:00 done in 2.0 s")
    report = look(standing(artefact("train/a"), artefact("train/b"), due={"train/a"}), logs=tmp_path)
    assert [job.state for job in report.jobs] == [FAILED, DONE]
    assert report.jobs[0].tail == ("2", "3", "dcac: error: no data")


def test_a_job_runs_while_a_process_speaks_into_its_log(tmp_path):
    log = tmp_path / "train/a.log"
    code = "import sys, time; from pathlib import Path; from dcac import terminal;"
    code += "terminal.speak_into(Path(sys.argv[1])); print('here', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, str(log)])
    while not (log.exists() and log.read_text()):
        assert process.poll() is None
    state = tmp_path / "run.state"
    state.mkdir()
    (state / "progress.json").write_text(json.dumps({"epoch": 3, "epochs": 60, "eta_seconds": 120}))
    made = artefact("train/a", str(tmp_path / "run/run.json"), "dcac.training.train")
    assert is_held(log)
    (job,) = look(standing(made, due={"train/a"}), logs=tmp_path).jobs
    assert job.state == RUNNING and job.progress["epoch"] == 3
    process.kill()
    process.wait()
    assert not is_held(log), "kill -9 gives the lock back"
    assert look(standing(made, due={"train/a"}), logs=tmp_path).jobs[0].state == FAILED


WAITS = Queued("7", "head", "PENDING", "Priority", "rule_train_wildcards_s_dcac_a_0", "/work")
REPORT = Report(
    "s",
    (
        Job("train", "s-dcac-a-seed0", DONE, 100.0),
        Job("train", "s-baseline-a-seed0", DONE, 10.0),
        Job("train", "s-dcac-a-seed1", RUNNING, progress={"eta_seconds": 40.0}),
        Job("train", "s-dcac-a-seed2", WAITING),
        Job("train", "s-dcac-b-seed0", WAITING),
        Job("extract", "s-dcac-a-seed1", WAITING),
    ),
)


def test_what_is_left_is_what_jobs_of_the_kind_took_here():
    assert REPORT.left() == (40 + 100 + 55, 1)
    assert summary(REPORT) == (
        "4 of 6 jobs of suite 's' are left: 3 min 15 s of work, as jobs of their kind took here; "
        "1 of a kind that was not measured here yet."
    )


def test_a_job_that_was_put_back_measures_nothing(tmp_path):
    write(tmp_path, "train/a", "x: put back, nothing is computed", "10:00:00 done in 1.0 s")
    write(tmp_path, "train/b", "10:00:00 done in 7.5 s")
    report = look(standing(artefact("train/a"), artefact("train/b")), logs=tmp_path)
    assert [job.seconds for job in report.jobs] == [None, 7.5]


def test_page_shows_counts_progress_and_failures():
    jobs = (*REPORT.jobs, Job("score", "x", FAILED, tail=("dcac: error: no file",)))
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(page(Report("s", jobs), waits=[WAITS, WAITS]))
    shown = console.export_text()
    assert "SLURM: waits in the queue: 2 train: Priority (others come first)" in shown
    assert "score x failed:" in shown and "dcac: error: no file" in shown and "40 s" in shown


def test_jobs_that_run_are_told_apart_in_eighty_columns():
    losses = {"id": 6.53, "prototype": 7.12, "noise": 0.131}
    known = {"epoch": 12, "epochs": 120, "losses": losses, "images_per_second": 312.0, "eta_seconds": 41234.0}
    names = [f"dcac-placebo/campus+mall+street/seed{seed}" for seed in (0, 1)]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(page(Report("s", tuple(Job("train", name, RUNNING, progress=known) for name in names))))
    _, _, running = console.export_text().partition("Running")
    lines = [line.split("│") for line in running.splitlines() if line.startswith("│")]
    folded = "".join(cells[1].strip() for cells in lines)
    assert folded == "".join(f"train{name}" for name in names)
    assert [cells[3].strip() for cells in lines if "7.12" in cells[3]] == ["prototype 7.12"] * 2, "a loss a line"


def test_json_holds_counts_and_jobs():
    content = json.loads(REPORT.as_json(waits=[WAITS]))
    assert content["counts"]["train"] == {DONE: 2, RUNNING: 1, WAITING: 2}
    assert content["seconds_left"] == 195 and content["unmeasured"] == 1 and len(content["jobs"]) == 6
    (job,) = content["queue"]
    assert job == {
        "number": "7", "rule": "train", "state": "PENDING", "reason": "Priority", "meaning": "others come first"
    }  # fmt: skip


def test_every_key_of_the_json_is_documented():
    page = (Path(__file__).parents[1] / "docs/formats.md").read_text(encoding="utf-8")  # section 4
    page = page.partition("What `dcac status --json` says")[2]
    content = json.loads(REPORT.as_json(waits=[WAITS]))
    keys = {*content, *content["jobs"][0], *content["queue"][0]}
    assert {key for key in keys if f"`{key}`" not in page} == set()


def test_a_finished_suite_says_so():
    assert summary(Report("s", (Job("train", "a", DONE),))) == "Suite 's' is done: everything stands."


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3_600, "1 h"), (90_000, "1 d 1 h"), (7_265, "2 h 1 min")],
)
def test_durations_have_two_units(seconds, shown):
    assert duration(seconds) == shown
