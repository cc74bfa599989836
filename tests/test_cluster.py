"""Jobs on a cluster: each state that SLURM knows is an end, a wait or work, and nothing is waited for without end."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace

import pytest

from dcac import cluster
from dcac.cluster import Follower, Queued, await_controller, queue, told, waiting_here


class Executor:
    """What the follower needs of the plugin's executor, and what it was told."""

    run_uuid = "head"
    next_seconds_between_status_checks = None
    _submitted_job_clusters = ()

    def __init__(self, folder="/work"):
        self.said, self.done, self.failed = [], [], {}
        settings = SimpleNamespace(init_seconds_before_status_checks=10)
        self.workflow = SimpleNamespace(executor_settings=settings, workdir_init=folder)
        self.logger = SimpleNamespace(warning=self.said.append)

    def report_job_success(self, job):
        self.done.append(job.external_jobid)

    def report_job_error(self, job, *, msg, aux_logs):
        self.failed[job.external_jobid] = msg


class Controller:
    """A controller whose answer is set, asked by one head."""

    def __init__(self, monkeypatch):
        monkeypatch.setitem(sys.modules, cluster.PLUGIN, SimpleNamespace(get_min_job_age=lambda: self.age))
        monkeypatch.setattr(cluster, "queue", lambda clusters=(): self.answer)
        self.age, self.answer = 300, []
        self.executor = Executor()

    def head(self):
        self.follower = Follower(self.executor)
        return self

    def asked(self, *numbers):
        """Return the numbers of the jobs that go on."""

        async def check():
            jobs = [SimpleNamespace(external_jobid=number, aux={}) for number in numbers]
            return [job.external_jobid async for job in self.follower.check(jobs)]

        return asyncio.run(check())


@pytest.fixture
def controller(monkeypatch):
    return Controller(monkeypatch).head()


def entry(number, state, reason="None", *, name="head", folder="/work", rule="train"):
    return Queued(number, name, state, reason, f"rule_{rule}_wildcards_a_b", folder)


@pytest.mark.parametrize(
    "state", ["PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "CONFIGURING", "STOPPED", "RESIZING"]
)
def test_a_job_that_is_not_over_goes_on(controller, state):
    controller.answer = [entry("1", state)]
    assert controller.asked("1") == ["1"]
    assert not controller.executor.done and not controller.executor.failed


@pytest.mark.parametrize(
    "state", ["CANCELLED", "PREEMPTED", "TIMEOUT", "NODE_FAIL", "FAILED", "OUT_OF_MEMORY", "DEADLINE"]
)
def test_a_job_that_ended_badly_is_an_error_at_once(controller, state):
    controller.answer = [entry("1", state), entry("2", "COMPLETED"), entry("3", "RUNNING")]
    assert controller.asked("1", "2", "3") == ["3"]
    assert controller.executor.done == ["2"] and f"ended as {state}" in controller.executor.failed["1"]


def test_a_job_that_no_node_could_start_is_not_held_for_ever(controller, monkeypatch):
    cancelled = []
    monkeypatch.setattr(subprocess, "run", lambda words, **_: cancelled.append(words))
    controller.answer = [entry("1", "PENDING", cluster.HELD), entry("2", "PENDING", "JobHeldUser")]
    assert controller.asked("1", "2") == ["2"], "what a person holds, a person releases"
    assert cancelled == [["scancel", "1"]] and "could not start SLURM job 1" in controller.executor.failed["1"]


def test_a_forgotten_job_is_tried_again_after_a_second_look(controller):
    assert controller.asked("1") == ["1"]
    assert controller.asked("1") == []
    assert "no longer knows job 1" in controller.executor.failed["1"] and not controller.executor.done


def test_a_job_that_was_missed_once_is_not_forgotten(controller):
    assert controller.asked("1") == ["1"]
    controller.answer = [entry("1", "RUNNING")]
    assert controller.asked("1") == ["1"]
    controller.answer = []
    assert controller.asked("1") == ["1"], "two answers in a row must miss it"


def test_no_job_is_lost_while_the_controller_does_not_answer(controller):
    controller.answer = None
    assert controller.asked("1", "2") == ["1", "2"]
    assert controller.asked("1", "2") == ["1", "2"]
    assert "does not answer" in controller.executor.said[0]


def test_jobs_of_other_snakemakes_are_not_mine(controller):
    controller.answer = [entry("1", "COMPLETED", name="other")]
    assert controller.asked("1") == ["1"] and not controller.executor.done


def test_why_jobs_wait_is_said_once_after_a_minute(controller, monkeypatch):
    seconds = iter((0, 30, 61, 90))
    monkeypatch.setattr(cluster, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    controller.answer = [entry("1", "PENDING", "PartitionTimeLimit"), entry("2", "RUNNING")]
    for _ in range(4):
        controller.asked("1", "2")
    (said,) = controller.executor.said
    assert "1 train: PartitionTimeLimit" in said and "lower `hours`" in said


def test_jobs_of_an_earlier_head_are_named_once(controller):
    others = [
        entry("5", "RUNNING", name="dead"),
        entry("6", "COMPLETED", name="dead"),
        entry("7", "RUNNING", name="x", folder="/y"),
    ]
    controller.answer = [*others, entry("8", "RUNNING")]
    controller.asked("8")
    controller.asked("8")
    (said,) = controller.executor.said
    assert "jobs 5 of an earlier Snakemake" in said and "scancel 5`" in said


@pytest.mark.parametrize(("age", "longest"), [(None, 30), (300, 30), (40, 20), (2, 10)])
def test_questions_become_rarer_but_no_job_is_forgotten_between_two(monkeypatch, age, longest):
    controller = Controller(monkeypatch)
    controller.age, controller.answer = age, [entry("1", "RUNNING")]
    controller.head()
    pauses = []
    for _ in range(8):
        controller.asked("1")
        pauses.append(controller.executor.next_seconds_between_status_checks)
    assert pauses == sorted(pauses) and pauses[-1] == longest
    controller.answer = [entry("1", "COMPLETED")]
    controller.asked("1")
    assert controller.executor.next_seconds_between_status_checks == 10


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [
        ("ReqNodeNotAvail, UnavailableNodes:n1", "the nodes that would do are down"),
        ("QOSMaxGRESPerUser", "a limit of the qos"),
        ("AssocGrpCpuLimit", "a limit of the account"),
        ("MaxJobsPerAccount", "a limit of the account or partition"),
        ("BeginTime", ""),
    ],
)
def test_reasons_are_explained(reason, meaning):
    job = entry("1", "PENDING", reason)
    assert job.meaning.startswith(meaning) and bool(job.meaning) == bool(meaning)
    assert told([job])[0].startswith(f"waits in the queue: 1 train: {reason}{' (' if meaning else ''}{meaning}")


def test_jobs_that_wait_for_one_reason_share_a_line():
    lines = told([entry("1", "PENDING", "Priority"), entry("2", "PENDING", "Priority", rule="extract")])
    assert lines == ["waits in the queue: 1 train, 1 extract: Priority (others come first)"]


def test_only_jobs_of_this_folder_that_wait_are_listed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path.resolve())
    found = [entry("1", "PENDING", folder=here), entry("2", "RUNNING", folder=here), entry("3", "PENDING")]
    monkeypatch.setattr(cluster, "queue", lambda: [*found, entry("4", "REQUEUED", folder=here)])
    assert [job.number for job in waiting_here()] == ["1", "4"]


def test_a_submission_waits_for_a_controller_that_has_answered_before(controller, monkeypatch):
    slept = []
    monkeypatch.setattr(cluster, "time", SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append))
    controller.answer = None
    await_controller(controller.executor)
    assert not slept, "what never answered is no outage"
    controller.answer = []
    await_controller(controller.executor)
    answers = iter([None, None, []])
    monkeypatch.setattr(cluster, "queue", lambda: next(answers))
    await_controller(controller.executor)
    assert slept == [cluster.LONGEST] * 2 and "submitted when it does" in controller.executor.said[0]
    monkeypatch.setattr(cluster, "queue", lambda: None)
    await_controller(controller.executor)
    assert cluster.OUTAGE < sum(slept) <= cluster.OUTAGE + 3 * cluster.LONGEST, "and not for ever"


def test_the_queue_is_read_from_squeue(monkeypatch):
    line = "12\thead\tPENDING\tResources\trule_train_wildcards_a\t/work\n"

    def run(words, **_):
        assert words[0] == "squeue" and {"--me", "--states=all"} <= set(words)
        return SimpleNamespace(stdout=f"CLUSTER: one\n{line}")

    monkeypatch.setattr(subprocess, "run", run)
    (job,) = queue()
    assert (job.number, job.state, job.rule, job.folder) == ("12", "PENDING", "train", "/work")


def test_where_there_is_no_slurm_nothing_waits(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert queue() is None and waiting_here() == []


def test_the_plugin_is_as_we_know_it():
    plugin = pytest.importorskip(cluster.PLUGIN)
    own = {name: getattr(plugin.Executor, name) for name in ("check_active_jobs", "run_job")}
    try:
        cluster.follow_jobs()
        assert all(getattr(plugin.Executor, name) is not method for name, method in own.items())
        assert callable(plugin.get_min_job_age)
    finally:
        for name, method in own.items():
            setattr(plugin.Executor, name, method)
