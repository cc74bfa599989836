"""Jobs on a SLURM cluster: what has become of them, and why one waits.

Snakemake's executor plugin submits jobs and cancels them. Only how it asks after them is replaced here: with its versions 2.5 to
2.8 the head waits without end for a job that was preempted and cancelled, for one that the controller has forgotten, for one
that was cancelled where it asks `sacct`, and for all of them once the controller has not answered for some seconds. And a job is
not submitted while the controller is away, which would use up its attempts within seconds.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

PLUGIN = "snakemake_executor_plugin_slurm"
FORMAT = "%i\t%j\t%T\t%r\t%k\t%Z"  # of squeue: number, name, state, reason, comment, folder
GONE = frozenset(  # states from which no job comes back by itself, but for COMPLETED
    ["BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"]
)
WAITING = frozenset(["PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT"])
HELD = (
    "launch failed requeued held"  # reason of a job that a node could not start, which waits for a hand to release it
)
PATIENCE = 60.0  # seconds that a job may wait before the head says why
LONGEST = 30.0  # seconds between two questions, at most
REMEMBERED = 300  # seconds for which a controller knows a job after its end, where its configuration is not known
COMMENT = "rule_"  # how the plugin's comment of each job begins
REMEDIES = {  # what a reason means to whoever waits, where SLURM's word alone does not help
    "PartitionTimeLimit": "the partition gives less time than is asked for: lower `hours`, or name another partition",
    "PartitionNodeLimit": "the partition has no node that is large enough: name another partition",
    "PartitionConfig": "the partition gives less of something than is asked for: lower `hours`, or name another partition",
    "PartitionDown": "the partition is closed: name another partition, or wait",
    "PartitionInactive": "the partition is closed: name another partition, or wait",
    "ReqNodeNotAvail": "the nodes that would do are down, drained or reserved: name another partition, or wait",
    "Nodes required for job are DOWN": "name another partition, or wait",
    "BadConstraints": "no node has what is asked for: change `constraint`, or name another partition",
    "AccountNotAllowed": "the partition does not serve this account: change `account` or the partition",
    "InvalidAccount": "the cluster does not know this account: change `account`",
    "InvalidQOS": "the cluster does not know this qos: change `qos`",
    "JobHeldUser": "somebody holds it: `scontrol release` with its number",
    "JobHeldAdmin": "the administrators hold it: ask them",
    "Resources": "it is its turn when enough is free",
    "Priority": "others come first",
}
LIMITS = {  # beginnings of reasons that name a limit
    "Assoc": "a limit of the account: wait until others of its jobs end, or change `account`",
    "QOS": "a limit of the qos: wait until others of its jobs end, or change `qos`",
    "Max": "a limit of the account or partition: wait until other jobs end",
}
OUTAGE = 1800.0  # seconds for which a submission waits for a controller that is away
Jobs = Sequence[Any]  # the plugin's SubmittedJobInfo


@dataclass(frozen=True)
class Queued:
    """A job as the controller knows it."""

    number: str
    name: str  # that of one Snakemake, for all its jobs
    state: str
    reason: str
    comment: str
    folder: str

    @property
    def rule(self) -> str:
        """The rule of a job that Snakemake submitted."""
        return self.comment.removeprefix(COMMENT).partition("_wildcards_")[0]

    @property
    def meaning(self) -> str:
        """What SLURM's reason for a wait means, and what helps; empty where its word says it all."""
        word = self.reason.partition(",")[0]
        return REMEDIES.get(word) or next((limit for start, limit in LIMITS.items() if word.startswith(start)), "")

    def is_of(self, folder: Path) -> bool:
        """Tell whether a Snakemake in this folder submitted it and it is not over."""
        is_over = self.state in GONE or self.state == "COMPLETED"
        return not is_over and self.comment.startswith(COMMENT) and self.folder == str(folder)


def queue(clusters: Iterable[str] = ()) -> list[Queued] | None:
    """Ask the controller for all jobs of this user that it still knows; None where it does not answer."""
    chosen = ["--clusters", ",".join(sorted(clusters))] if clusters else []
    asked = ["squeue", "--me", "--array", "--states=all", "--noheader", f"--format={FORMAT}", *chosen]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [line.split("\t") for line in answer.stdout.splitlines()]
    return [Queued(*(word.strip() for word in row)) for row in rows if len(row) == len(fields(Queued))]


def told(jobs: Iterable[Queued]) -> list[str]:
    """Say in a line for each reason which of some waiting jobs have it."""
    counts: dict[str, Counter] = {}
    for job in jobs:
        reason = f"{job.reason} ({job.meaning})" if job.meaning else job.reason
        counts.setdefault(reason, Counter())[job.rule] += 1
    return [
        f"waits in the queue: {', '.join(f'{number} {rule}' for rule, number in rules.items())}: {reason}"
        for reason, rules in counts.items()
    ]


class Follower:
    """What the head of one Snakemake has seen and said of its jobs."""

    def __init__(self, executor: Any):
        """Follow the jobs of an executor of the plugin."""
        self.executor = executor
        age = sys.modules[PLUGIN].get_min_job_age() or REMEMBERED
        self._soon: float = executor.workflow.executor_settings.init_seconds_before_status_checks
        self._longest = max(self._soon, min(LONGEST, age / 2))
        self._submitted: dict[str, float] = {}  # number of a job -> when it was first asked after
        self._missed: set[str] = set()  # jobs that the last answer did not name
        self._told: set[tuple[str, str]] = set()  # job and reason
        self._asked_before = False

    async def check(self, active: Jobs) -> AsyncIterator[Any]:
        """Report the jobs that have ended, and yield the others."""
        executor = self.executor
        if not active:
            self._pause(has_ended=True)
            return
        clusters = tuple(executor._submitted_job_clusters)  # a submission may add one meanwhile
        found = await asyncio.to_thread(queue, clusters)
        if found is None:
            executor.logger.warning("SLURM does not answer `squeue`; the jobs go on, and it is asked again.")
            self._pause(has_ended=False)
            for job in active:
                yield job
            return
        self._tell_of_others(found)
        known = {job.number: job for job in found if job.name == executor.run_uuid}
        self._tell_of_waits(active, known)
        kept = [job for job in active if self._goes_on(job, known.get(job.external_jobid))]
        self._pause(has_ended=len(kept) < len(active))
        for job in kept:
            yield job

    def _goes_on(self, job: Any, entry: Queued | None) -> bool:
        """Report a job that has ended; one that the controller forgot is started again and finds what it has made."""
        number = job.external_jobid
        log = [str(job.aux["slurm_logfile"])] if job.aux.get("slurm_logfile") else []
        if entry is None:
            if number not in self._missed:  # a second look, lest an answer came too early
                self._missed.add(number)
                return True
            ending = f"SLURM no longer knows job {number}; what it has made is found by its next attempt. "
            self.executor.report_job_error(job, msg=ending, aux_logs=log)
            return False
        self._missed.discard(number)
        if entry.state == "COMPLETED":
            self.executor.report_job_success(job)
            return False
        if entry.state not in GONE and entry.reason != HELD:
            return True
        ending = f"SLURM job {number} ended as {entry.state} (reason: {entry.reason}). "
        if entry.reason == HELD:  # where `scancel` fails it stays held, and does no harm
            subprocess.run(["scancel", number], capture_output=True, check=False)
            ending = (
                f"A node could not start SLURM job {number}, which SLURM holds; it is cancelled and submitted again. "
            )
        self.executor.report_job_error(job, msg=ending, aux_logs=log)
        return False

    def _pause(self, *, has_ended: bool) -> None:
        """Ask again soon after an end, and less often while nothing ends."""
        last = self.executor.next_seconds_between_status_checks or self._soon
        self.executor.next_seconds_between_status_checks = self._soon if has_ended else min(1.5 * last, self._longest)

    def _tell_of_waits(self, active: Jobs, known: Mapping[str, Queued]) -> None:
        now = time.monotonic()
        fresh = []
        for job in active:
            entry = known.get(job.external_jobid)
            since = self._submitted.setdefault(job.external_jobid, now)
            if entry is None or entry.state not in WAITING or now - since < PATIENCE:
                continue
            if (entry.number, entry.reason) not in self._told:
                self._told.add((entry.number, entry.reason))
                fresh.append(entry)
        for line in told(fresh):
            self.executor.logger.warning(f"After more than a minute {line}")

    def _tell_of_others(self, found: Iterable[Queued]) -> None:
        """Say once which jobs of an earlier head still run in this folder."""
        if self._asked_before:
            return
        self._asked_before = True
        here = Path(self.executor.workflow.workdir_init)
        others = [job.number for job in found if job.name != self.executor.run_uuid and job.is_of(here)]
        if others:
            self.executor.logger.warning(
                f"SLURM jobs {', '.join(others)} of an earlier Snakemake in this folder are not over. What is trained there is "
                f"waited for and taken over; `scancel {' '.join(others)}` hands it over at once."
            )


def await_controller(executor: Any) -> None:
    """Wait until SLURM answers, where it has answered this head before; else the submission itself says what is wrong."""
    deadline = time.monotonic() + OUTAGE
    while queue() is None:
        if not getattr(executor, "_has_answered", False) or time.monotonic() > deadline:
            return
        executor.logger.warning("SLURM does not answer `squeue`; the next job is submitted when it does.")
        time.sleep(LONGEST)
    executor._has_answered = True


def follow_jobs() -> None:
    """Make the executors of the SLURM plugin, where Snakemake has loaded it, submit and ask as said above."""
    plugin = sys.modules.get(PLUGIN)
    if plugin is None:
        return

    async def check_active_jobs(self: Any, active_jobs: Jobs) -> AsyncIterator[Any]:
        if not hasattr(self, "_follower"):
            self._follower = Follower(self)
        async for job in self._follower.check(active_jobs):
            yield job

    submit = plugin.Executor.run_job

    def run_job(self: Any, job: Any) -> None:
        await_controller(self)
        submit(self, job)

    plugin.Executor.check_active_jobs = check_active_jobs
    plugin.Executor.run_job = run_job


def waiting_here() -> list[Queued]:
    """List the jobs of this folder that wait in the queue; none where there is no SLURM, or no such job."""
    here = Path(os.path.realpath("."))
    return [job for job in queue() or () if job.is_of(here) and job.state in WAITING]
