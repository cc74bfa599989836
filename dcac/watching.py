"""What of the active suite is done, running, waiting or failed, from the files alone, whether Snakemake runs or not.

A job is done when what it makes stands; it runs while its process holds the lock of its log; it has failed when its log ends
in an error and what it makes does not stand; otherwise it waits.
"""

import fcntl
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from dcac.artefacts import Artefact
from dcac.cluster import Queued
from dcac.standing import Standing

DONE, RUNNING, WAITING, FAILED = "done", "running", "waiting", "failed"
LOGS = Path("results/logs")
ENDED = re.compile(r"done in ([\d.]+) s$")  # the last line of a step that succeeded
REUSED = ("put back, nothing is computed", "is complete already")  # of a job that measures nothing
ORDER = (  # of the data
    *("render", "import_data", "pretrain_encoder", "pretrain_diffusion", "weights", "latents"),
    *("rehearse", "train", "overhead"),
    *("reference", "embed", "extract", "samples", "correlation", "attention", "score", "records", "table"),
    *("overhead_table", "figure", "report", "metrics"),
)
TAIL = 3  # last lines of a failed job's log that are shown


@dataclass(frozen=True)
class Job:
    """One job of the suite."""

    rule: str
    name: str
    state: str
    seconds: float | None = None  # that it took here the last time, if it computed
    progress: Mapping[str, Any] | None = None  # of a training: epoch, losses, images per second, ETA in seconds
    tail: tuple[str, ...] = ()  # last lines of the log, of a failed one


@dataclass(frozen=True)
class Report:
    """All jobs of the suite that its tables and figures need."""

    suite: str
    jobs: tuple[Job, ...]

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the jobs of each rule by their state."""
        found: dict[str, Counter] = {}
        for job in self.jobs:
            found.setdefault(job.rule, Counter())[job.state] += 1
        return {rule: dict(states) for rule, states in found.items()}

    def left(self) -> tuple[float, int]:
        """Sum the seconds of the jobs still to do, as jobs of their kind took here.

        Returns:
            The sum, and how many jobs are not in it because none of their kind was measured here.
        """
        expected = [self.expected(job) for job in self.jobs if job.state != DONE]
        known = [seconds for seconds in expected if seconds is not None]
        return sum(known), len(expected) - len(known)

    def expected(self, job: Job) -> float | None:
        """Say how many seconds a job still needs: by its own account, else as jobs like it took here."""
        told = (job.progress or {}).get("eta_seconds")
        return self._usual(job) if told is None else told

    def as_json(self, *, waits: Iterable[Queued] = ()) -> str:
        """Write everything for scripts.

        Args:
            waits: jobs that wait in the queue of a cluster.
        """
        seconds, unknown = self.left()
        jobs = [asdict(job) for job in self.jobs]
        content = {"suite": self.suite, "counts": self.counts(), "seconds_left": seconds, "unmeasured": unknown}
        queue = [
            {name: getattr(job, name) for name in ("number", "rule", "state", "reason", "meaning")} for job in waits
        ]
        return json.dumps({**content, "jobs": jobs, "queue": queue}, indent=1)

    def _usual(self, job: Job) -> float | None:
        """Average what jobs like this one took: those whose names differ in the seed alone, else those of its rule."""
        like = [other for other in self.jobs if other.rule == job.rule and other.seconds is not None]
        same = [other for other in like if _but_for_seed(other.name) == _but_for_seed(job.name)]
        took = [other.seconds for other in same or like if other.seconds is not None]
        return fmean(took) if took else None


def look(standing: Standing, *, logs: Path = LOGS) -> Report:
    """Find the state of every job that the tables and figures of the active suite need by themselves."""
    artefacts: dict[str, list[Artefact]] = {}
    for artefact in standing.artefacts.needed():
        artefacts.setdefault(artefact.job, []).append(artefact)
    jobs = [_job(name, made, standing, logs) for name, made in artefacts.items()]
    jobs.sort(key=lambda job: ORDER.index(job.rule) if job.rule in ORDER else len(ORDER))
    return Report(standing.plan.project.suite, tuple(jobs))


def _job(name: str, made: Sequence[Artefact], standing: Standing, logs: Path) -> Job:
    log = logs / f"{name}.log"
    rule, _, rest = name.partition("/")
    lines = _last_lines(log)
    seconds = _seconds(log, lines)
    if is_held(log):
        return Job(rule, rest, RUNNING, seconds, progress=_progress(made))
    if not any(standing.due(artefact) for artefact in made):
        return Job(rule, rest, DONE, seconds)
    if lines and not ENDED.search(lines[-1]):
        return Job(rule, rest, FAILED, tail=tuple(lines[-TAIL:]))
    return Job(rule, rest, WAITING, seconds)


def is_held(log: Path) -> bool:
    """Tell whether a process speaks into a log, by the lock that it holds."""
    try:
        with log.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or the file system knows no locks
        return False
    return False


def _progress(made: Iterable[Artefact]) -> Mapping[str, Any] | None:
    """Read how far a training has come."""
    for artefact in made:
        if artefact.step == "dcac.training.train":
            file = Path(artefact.sidecar).parent.with_suffix(".state") / "progress.json"
            try:
                return json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                return None
    return None


def _last_lines(log: Path) -> list[str]:
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
    except OSError:
        return []


def _seconds(log: Path, lines: Sequence[str]) -> float | None:
    ended = ENDED.search(lines[-1]) if lines else None
    reused = any(sentence in line for line in lines for sentence in REUSED)
    return None if ended is None or reused else float(ended[1])


def _but_for_seed(name: str) -> str:
    return re.sub(r"-seed\d+", "", name)
