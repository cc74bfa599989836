"""What is still to do for the active suite, in hours, memory and disk, as jobs of each kind took, or were rehearsed, here.

Nothing is guessed: a kind of job that was not measured here yet is named as such.
"""

import csv
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from rich.console import Group
from rich.table import Table
from rich.text import Text

from dcac.provenance.networks import MANIFEST
from dcac.standing import Standing
from dcac.terminal import duration
from dcac.watching import DONE, Job, Report, look

BENCHMARKS = Path("results/benchmarks")
UNMEASURED = "not measured here"
MB = 1_000_000


@dataclass(frozen=True)
class Line:
    """What the jobs of one rule still need."""

    rule: str
    jobs: int
    seconds: float  # together, of those that are measured
    unmeasured: int  # jobs of a kind without a measurement
    memory: float | None  # bytes that one job of this rule held at most here
    disk: float | None  # bytes that the results of these jobs will take


def forecast(standing: Standing, *, report: Report | None = None, benchmarks: Path = BENCHMARKS) -> list[Line]:
    """Sum what is left, rule by rule, in the order of the data."""
    report = report or look(standing)
    outputs: dict[str, list[str]] = {}
    for artefact in standing.artefacts.needed():
        outputs.setdefault(artefact.job, []).extend(artefact.outputs)
    lines = []
    for rule in dict.fromkeys(job.rule for job in report.jobs):
        own = [job for job in report.jobs if job.rule == rule]
        left = [job for job in own if job.state != DONE]
        if not left:
            continue
        names = [f"{job.rule}/{job.name}" if job.name else job.rule for job in own]
        seconds = [_seconds(report, job, outputs) for job in left]
        sizes = [size for name in names if (size := _size(outputs.get(name, [])))]
        known = [second for second in seconds if second is not None]
        disk = fmean(sizes) * len(left) if sizes else None
        lines.append(
            Line(rule, len(left), sum(known), len(left) - len(known), _peak(benchmarks, names), disk),
        )
    return lines


def page(lines: Iterable[Line], suite: str, *, free: float, memory: float) -> Group:
    """Draw the forecast, its sums, and what does not fit.

    Args:
        free: bytes free on the disk of results.
        memory: bytes of this machine's memory.
    """
    lines = list(lines)
    if not lines:
        return Group(Text(f"Suite '{suite}' is done: nothing is left to make."))
    table = Table(title=f"Left of suite '{suite}', as jobs of each kind took on this machine", title_justify="left")
    table.add_column("rule")
    for column in ("jobs", "work", "memory a job", "disk"):
        table.add_column(column, justify="right")
    for line in lines:
        table.add_row(line.rule, str(line.jobs), _work(line), _bytes(line.memory), _bytes(line.disk))
    total = Line(
        "all",
        sum(line.jobs for line in lines),
        sum(line.seconds for line in lines),
        sum(line.unmeasured for line in lines),
        max((line.memory for line in lines if line.memory is not None), default=None),
        sum(line.disk or 0 for line in lines) or None,
    )
    table.add_section()
    table.add_row(total.rule, str(total.jobs), _work(total), _bytes(total.memory), _bytes(total.disk))
    return Group(table, *map(Text, misfits(lines, free=free, memory=memory)))


def misfits(lines: Iterable[Line], *, free: float, memory: float) -> list[str]:
    """Say what does not fit this machine."""
    lines = list(lines)
    found = []
    disk = sum(line.disk or 0 for line in lines)
    if disk > free:
        found.append(f"The results take {_bytes(disk)}, and {_bytes(free)} are free: make room first.")
    for line in lines:
        if line.memory is not None and line.memory > memory:
            found.append(f"A job of {line.rule} holds {_bytes(line.memory)}, and this machine has {_bytes(memory)}.")
    return found


def machine(results: Path = Path("results")) -> Mapping[str, float]:
    """Measure the free disk of results and the memory of this machine, in bytes."""
    free = shutil.disk_usage(results if results.exists() else Path()).free
    return {"free": free, "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")}


def _work(line: Line) -> str:
    if line.unmeasured == line.jobs:
        return UNMEASURED
    return duration(line.seconds) + (f" + {line.unmeasured} {UNMEASURED}" if line.unmeasured else "")


def _bytes(count: float | None) -> str:
    if count is None:
        return UNMEASURED
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / MB:.1f} MB"


def _seconds(report: Report, job: Job, outputs: Mapping[str, list[str]]) -> float | None:
    """Say how long a job takes, as jobs like it took; a training without any as its rehearsal reckons."""
    known = report.expected(job)
    if known is not None or job.rule != "train":
        return known
    run = next((Path(path).parent for path in outputs.get(f"train/{job.name}", []) if path.endswith("/run.json")), None)
    if run is None:
        return None
    variant, sources = run.parts[-3:-1]
    rehearsal = run.parents[3] / "rehearsals" / variant / f"{sources}.json"
    try:
        return float(json.loads(rehearsal.read_text(encoding="utf-8"))["seconds_expected"])
    except (OSError, ValueError, KeyError):  # none yet, or of another version
        return None


def _size(paths: Iterable[str]) -> int:
    """Sum the bytes of results that are there; a network is the folder of its manifest."""
    files = [Path(path) for path in paths if Path(path).is_file()]
    folders = [path.parent for path in files if path.name == MANIFEST]
    files += [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST]
    return sum(path.stat().st_size for path in files)


def _peak(benchmarks: Path, names: Iterable[str]) -> float | None:
    """Read the largest resident memory that Snakemake measured of a rule's jobs, in bytes."""
    found = []
    for name in names:
        try:
            with (benchmarks / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
                found += [float(row["max_rss"]) * MB for row in csv.DictReader(file, delimiter="\t")]
        except (OSError, KeyError, ValueError):  # none, of another version, or of a job too short to be measured
            continue
    return max(found, default=None)
