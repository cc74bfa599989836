"""The state of a suite as a page for a terminal."""

from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from dcac.cluster import Queued, told
from dcac.terminal import duration
from dcac.watching import DONE, FAILED, RUNNING, WAITING, Job, Report

STATES = (DONE, RUNNING, WAITING, FAILED)
STYLES = {DONE: "green", RUNNING: "cyan", WAITING: "", FAILED: "bold red"}


def page(report: Report, *, waits: Sequence[Queued] = ()) -> Group:
    """Draw the counts by rule, the trainings that run, the last words of what failed, why jobs wait, and what is left."""
    parts: list[Table | Text] = [_counts(report)]
    running = [job for job in report.jobs if job.state == RUNNING]
    if running:
        parts.append(_running(running))
    for job in report.jobs:
        if job.state == FAILED:
            parts.append(Text(f"{job.rule} {job.name} failed:", style=STYLES[FAILED]))
            parts += [Text(f"  {line}") for line in job.tail]
    parts += [Text(f"SLURM: {line}") for line in told(waits)]
    parts.append(Text(summary(report)))
    return Group(*parts)


def summary(report: Report) -> str:
    """Say in one sentence what is left, as jobs of each kind took on this machine."""
    left = [job for job in report.jobs if job.state != DONE]
    if not left:
        return f"Suite '{report.suite}' is done: everything stands."
    seconds, unknown = report.left()
    sentence = f"{len(left)} of {len(report.jobs)} jobs of suite '{report.suite}' are left"
    if len(left) > unknown:
        sentence += f": {duration(seconds)} of work, as jobs of their kind took here"
    return sentence + (f"; {unknown} of a kind that was not measured here yet." if unknown else ".")


def _counts(report: Report) -> Table:
    table = Table(title=f"Suite '{report.suite}'", title_justify="left")
    table.add_column("rule")
    for state in STATES:
        table.add_column(state, justify="right", style=STYLES[state])
    for rule, counts in report.counts().items():
        table.add_row(rule, *(str(counts.get(state) or "") for state in STATES))
    return table


def _running(jobs: list[Job]) -> Table:
    table = Table(title="Running", title_justify="left")
    table.add_column("job", overflow="fold")  # whole, in a narrow terminal too: the seed stands at its end
    for column in ("epoch", "losses", "images/s", "ETA"):
        table.add_column(column, no_wrap=True)
    for job in jobs:
        table.add_row(f"{job.rule} {job.name}", *_facts(job))
    return table


def _facts(job: Job) -> Iterator[str]:
    known = job.progress or {}
    yield f"{known['epoch']} of {known['epochs']}" if "epochs" in known else ""
    yield "\n".join(f"{name} {value:.3g}" for name, value in known.get("losses", {}).items())
    yield f"{known['images_per_second']:.0f}" if "images_per_second" in known else ""
    yield duration(known["eta_seconds"]) if known.get("eta_seconds") is not None else ""
