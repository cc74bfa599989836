"""What `dcac plan` says is left: sums of what was measured here, and nothing that was not."""

from types import SimpleNamespace

from rich.console import Console

from dcac.artefacts import Artefact
from dcac.forecast import Line, forecast, misfits, page
from dcac.watching import DONE, WAITING, Job, Report

JOBS = (
    Job("train", "s-dcac-a-seed0", DONE, 100.0),
    Job("train", "s-dcac-a-seed1", WAITING),
    Job("train", "s-dcac-a-seed2", WAITING),
    Job("extract", "s-dcac-a-seed0", WAITING),
    Job("metrics", "", DONE, 1.0),
)


def standing(tmp_path):
    """Artefacts of these jobs; the finished run takes 3,000,000 bytes."""
    made = []
    for job in JOBS:
        path = tmp_path / f"{job.rule}-{job.name}"
        if job.state == DONE:
            path.write_bytes(bytes(3_000_000))
        name = f"{job.rule}/{job.name}" if job.name else job.rule
        made.append(Artefact("dcac.x", name, (str(path),), str(path), {}, job=name))
    return SimpleNamespace(artefacts=SimpleNamespace(needed=lambda: made))


def test_what_is_left_is_summed_rule_by_rule(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train/s-dcac-a-seed0.tsv").write_text("s\tmax_rss\n100.0\t1500.5\n")
    lines = forecast(standing(tmp_path), report=Report("s", JOBS), benchmarks=tmp_path)
    assert lines == [
        Line("train", 2, 200.0, 0, 1_500_500_000.0, 6_000_000.0),
        Line("extract", 1, 0, 1, None, None),
    ]


def test_a_training_without_a_measurement_is_reckoned_from_its_rehearsal(tmp_path):
    job = Job("train", "s-dcac-a-seed0", WAITING)
    made = Artefact(
        "dcac.x", "run", (str(tmp_path / "s/runs/dcac/a/seed0/run.json"),), "r", {}, job=f"train/{job.name}"
    )
    asked = SimpleNamespace(artefacts=SimpleNamespace(needed=lambda: [made]))
    look = {"report": Report("s", (job,)), "benchmarks": tmp_path}
    assert forecast(asked, **look) == [Line("train", 1, 0, 1, None, None)]
    rehearsal = tmp_path / "s/rehearsals/dcac/a.json"
    rehearsal.parent.mkdir(parents=True)
    rehearsal.write_text('{"seconds_expected": 7200.5}')
    assert forecast(asked, **look) == [Line("train", 1, 7200.5, 0, None, None)]


def shown(lines, **machine):
    console = Console(width=160, record=True, quiet=False)
    console.print(page(lines, "s", **machine))
    return console.export_text()


def test_page_shows_sums_and_says_what_was_not_measured():
    lines = [Line("train", 2, 7_200.0, 0, 2e9, 6e6), Line("extract", 1, 0, 1, None, None)]
    text = " ".join(shown(lines, free=1e12, memory=16e9).split())
    assert "train │ 2 │ 2 h │ 2.0 GB │ 6.0 MB" in text
    assert "extract │ 1 │ not measured here │ not measured here │ not measured here" in text
    assert "all │ 3 │ 2 h + 1 not measured here │ 2.0 GB │ 6.0 MB" in text


def test_what_does_not_fit_is_said():
    lines = [Line("train", 2, 1.0, 0, 20e9, 6e9)]
    assert misfits(lines, free=5e9, memory=16e9) == [
        "The results take 6.0 GB, and 5.0 GB are free: make room first.",
        "A job of train holds 20.0 GB, and this machine has 16.0 GB.",
    ]
    assert misfits(lines, free=7e9, memory=32e9) == []


def test_a_finished_suite_says_so():
    assert "nothing is left to make" in shown([], free=1, memory=1)
