"""The workflow on a real SLURM cluster of one machine, whose GPUs are none: every way in which a job loses its node, and the head."""

import csv
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SEEDS = (0, 1)
EPOCHS = 120  # a twentieth of a second each where nothing else runs, and a fault needs seconds
SUITE = f"""\
extends: smoke-gpu
title: "Smoke suite on a cluster"
references: []
variants: [baseline]
overrides:
  epochs: {EPOCHS}
  decay_epochs: [80]
remark: null
figures: {{samples: null, look_alikes: null, tsne: null, ranked_lists: null, attention: null}}
"""
RUNS = "results/few/runs/baseline/smoke-a"
THREADS = ("--set-threads", "train=1", "extract=1")  # other tests run beside this one
PATIENCE = 480  # seconds until something happens
REMEDY = "install Debian's packages slurm-wlm and munge, for accounting also slurmdbd, mariadb-server-core and mariadb-client-core"
ONE = """\
extends: smoke
title: "One training on a cluster with accounts"
seeds: [0]
references: []
variants: [baseline]
overrides:
  epochs: 3
remark: null
protocols: {in-domain: null}
tables: {in_domain: null, ablation: null, overhead: null}
figures: {cmc: null, diagnostics: null, samples: null, look_alikes: null, tsne: null, ranked_lists: null, attention: null}
"""


def programs():
    """Load the script that starts a cluster."""
    spec = importlib.util.spec_from_file_location("cluster", FOLDER / "cluster.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def started(*options):
    """Start a cluster, and yield the environment that speaks to it."""
    if missing := programs().missing(accounting="--accounting" in options):
        pytest.skip(f"{', '.join(missing)} not found: {REMEDY}")
    with tempfile.TemporaryDirectory(prefix="dcac-slurm-") as name:  # a short one: sockets have short names
        folder = Path(name) / "cluster"
        words = [sys.executable, str(FOLDER / "cluster.py"), str(folder), *options]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout.readline().strip() == str(folder), "the cluster does not start; its logs are gone"
            yield {
                "SLURM_CONF": str(folder / "slurm.conf"),
                "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            }
        finally:
            process.stdin.close()
            process.wait(60)


@pytest.fixture
def cluster():
    """A cluster without accounting."""
    with started() as environment:
        yield environment


@pytest.fixture
def accounted():
    """A cluster that keeps accounts, and enforces them."""
    with started("--accounting") as environment:
        yield environment


class Head:
    """Snakemake under the profile `slurm` in one checkout, and what is done to it and its jobs."""

    words = ("snakemake", "--workflow-profile", "slurm", "--slurm-init-seconds-before-status-checks", "1", *THREADS)

    def __init__(self, checkout, cluster):
        self.checkout, self.starts = checkout, 0
        path = f"{cluster['PATH'].partition(os.pathsep)[0]}{os.pathsep}{checkout.environment['PATH']}"
        checkout.environment |= {**cluster, "PATH": path, "DCAC_CARDS": "GPU-none"}
        (checkout.folder / "config/suites/few.yaml").write_text(SUITE)
        checkout.edit("config/config.yaml", "suite: demo ", "suite: few ")
        checkout.edit("config/config.yaml", "  gpu_request: gpus ", "  gpu_request: gres ")

    def start(self):
        """Start a head."""
        self.starts += 1
        with (self.checkout.folder / f"head-{self.starts}.log").open("w") as log:
            self.process = subprocess.Popen(
                [*self.words, "--", "results/tables/dg_single.md"],
                cwd=self.checkout.folder,
                env=self.checkout.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def said(self):
        """Return what all heads have said."""
        logs = sorted(self.checkout.folder.glob("head-*.log"))
        return "".join(log.read_text() for log in logs)

    def slurm(self, *words):
        """Run a command of SLURM."""
        result = self.checkout.run(*words)
        assert result.returncode == 0, result.stdout
        return result.stdout

    def jobs(self, *, state="RUNNING", rule="train"):
        """Return the numbers of jobs, seed by seed."""
        found = {}
        for line in self.slurm("squeue", "--noheader", "--states=all", "--format=%i %T %k").splitlines():
            number, at, comment = line.split(" ", 2)
            if at == state and comment.startswith(f"rule_{rule}_"):
                found[int(comment.rpartition("_")[2])] = number
        return found

    def training(self):
        """Wait until each training has come further than it was, and return their jobs; who is first is held meanwhile."""
        past, held = {seed: self.checkpoint(seed) for seed in SEEDS}, {}

        def both_are_held():
            for seed, number in self.jobs().items():
                if seed not in held and self.checkpoint(seed) > past[seed]:
                    self.slurm("scontrol", "suspend", number)
                    held[seed] = number
            return len(held) == len(SEEDS)

        self.until(both_are_held)
        return held

    def resume(self, jobs):
        """Let jobs go on."""
        self.slurm("scontrol", "resume", ",".join(jobs.values()))

    def checkpoint(self, seed):
        """Return when a training was saved last, 0 if never."""
        file = self.run(seed).with_suffix(".state") / "checkpoint.pt"
        return file.stat().st_mtime_ns if file.exists() else 0

    def run(self, seed):
        """Return the folder of a run."""
        return self.checkout.folder / f"{RUNS}/seed{seed}"

    def until(self, happens):
        """Wait for something."""
        deadline = time.monotonic() + PATIENCE
        while not happens():
            assert time.monotonic() < deadline and self.process.poll() is None, self.said()[-5000:]
            time.sleep(0.3)


@pytest.fixture
def head(cluster, checkout):
    """A head that has been started, and is ended."""
    head = Head(checkout, cluster)
    head.start()
    yield head
    head.process.kill()
    head.process.wait()


@pytest.mark.slow
def test_no_fault_of_the_cluster_costs_a_result(head):
    checkout = head.checkout
    head.until(lambda: (checkout.folder / ".snakemake/slurm_logs").exists())
    assert "LockException" in checkout.run(*head.words).stdout, "a second head is refused"
    jobs = head.training()
    head.resume(jobs)
    head.slurm("scontrol", "requeue", ",".join(jobs.values()))
    jobs = head.training()
    head.resume(jobs)
    head.slurm("scancel", "--signal=USR1", jobs[0])
    head.slurm("scancel", jobs[1])
    jobs = head.training()
    head.resume(jobs)
    head.slurm("sbatch", "--partition=urgent", "--exclusive", "--nodes=2", "--output=/dev/null", "--wrap=sleep 1")
    head.until(lambda: set(head.jobs(state="PREEMPTED").values()) >= set(jobs.values()))
    jobs = head.training()
    head.process.kill()
    head.process.wait()
    checkout.snakemake("--unlock")
    assert head.jobs(state="SUSPENDED") == jobs, "jobs outlive their head"
    head.start()
    head.until(lambda: "of an earlier Snakemake in this folder are not over" in head.said())
    head.resume(jobs)
    head.slurm("scancel", *jobs.values())
    head.slurm("scontrol", "update", "nodename=n1", "state=drain", "reason=test")
    assert head.process.wait(PATIENCE) == 0, head.said()[-5000:]
    assert checkout.planned("results/tables/dg_single.md") == {}
    said = "".join(log.read_text() for log in (checkout.folder / "results/logs/train/.attempts").iterdir())
    assert said.count("continues in epoch") >= 4, "an attempt may end before it says so, but not nearly all"
    submitted = {path.name for path in (checkout.folder / ".snakemake/slurm_logs").iterdir()}
    costly = {"rule_render", "rule_pretrain_encoder", "rule_rehearse", "rule_train", "rule_extract", "rule_score"}
    assert submitted == costly, "tables and settings are made where Snakemake runs"
    for seed in SEEDS:
        epochs = [json.loads(line).get("epoch") for line in (head.run(seed) / "log.jsonl").read_text().splitlines()]
        assert [epoch for epoch in epochs if epoch] == list(range(1, EPOCHS + 1)), "each epoch counts once"
    interrupted = (head.run(0) / "weights.safetensors").read_bytes()
    for folder in (head.run(0), checkout.folder / "results/.kept"):
        shutil.rmtree(folder)
    checkout.snakemake(f"{RUNS}/seed0/run.json", *THREADS)
    assert (head.run(0) / "weights.safetensors").read_bytes() == interrupted, "no interruption, the same weights"


@pytest.mark.slow
def test_dvc_reproduces_on_a_cluster_with_accounts_and_a_clone_has_nothing_to_do(accounted, finished, tmp_path):
    path = f"{accounted['PATH'].partition(os.pathsep)[0]}{os.pathsep}{finished.environment['PATH']}"
    finished.environment |= {**accounted, "PATH": path}
    (finished.folder / "config/suites/one.yaml").write_text(ONE)
    for key, before, after in [
        ("suite", "smoke ", "one "),
        ("profile", "default ", "slurm "),
        ("  account", "null ", "vision "),
        ("  qos", "null", "single"),
    ]:
        finished.edit("config/config.yaml", f"{key}: {before}", f"{key}: {after}")
    finished.edit("profiles/slurm/config.yaml", "before-status-checks: 10", "before-status-checks: 1")
    assert finished.run("git", "init", "-q").returncode == 0
    taken = ("sbatch", "--parsable", "-A", "vision", "--qos=single", "--output=/dev/null", "--wrap=sleep 600")
    other, meanings = finished.run(*taken).stdout.strip(), {}
    with (finished.folder / "repro.log").open("w") as log:
        words = {"cwd": finished.folder, "env": finished.environment, "stdout": log, "stderr": log}
        repro = subprocess.Popen(["dvc", "repro"], start_new_session=True, **words)
    try:
        deadline = time.monotonic() + PATIENCE
        while (waits := ("train", "QOSMaxJobsPerUserLimit")) not in meanings:
            assert repro.poll() is None and time.monotonic() < deadline, (finished.folder / "repro.log").read_text()
            queue = json.loads(finished.run("dcac", "status", "--json").stdout)["queue"]
            meanings |= {(job["rule"], job["reason"]): job["meaning"] for job in queue}
        assert "change `qos`" in meanings[waits]
        assert finished.run("scancel", other).returncode == 0
        assert repro.wait(PATIENCE) == 0, (finished.folder / "repro.log").read_text()[-5000:]
    finally:
        if repro.poll() is None:  # Snakemake would outlive it
            os.killpg(repro.pid, signal.SIGKILL)
    history = finished.run("sacct", "-X", "--parsable2", "--format=jobid,state,account,qos,comment").stdout.splitlines()
    jobs = {job["Comment"].split("_")[1]: job for job in csv.DictReader(history, delimiter="|") if job["Comment"]}
    assert set(jobs) == {"train", "extract", "score"}
    for job in jobs.values():
        assert (job["State"], job["Account"], job["QOS"]) == ("COMPLETED", "vision", "single")
    for command in (
        "git add -A",
        "git -c user.name=A -c user.email=a@b.c commit -q -m Results",
        f"dvc remote add -d store {tmp_path / 'remote'}",
        "dvc push",
        f"git clone -q . {tmp_path / 'clone'}",
    ):
        result = finished.run(*command.split())
        assert result.returncode == 0, result.stdout
    clone = finished.at(tmp_path / "clone")
    shutil.copy(finished.folder / ".dvc/config", clone.folder / ".dvc/config")
    clone.environment |= {**accounted, "PATH": path}
    result = clone.run("bash", "-c", "dvc pull && dvc repro")
    assert result.returncode == 0 and "Nothing to be done" in result.stdout, result.stdout
    weights = "results/one/runs/baseline/smoke-a/seed0/weights.safetensors"
    assert (clone.folder / weights).read_bytes() == (finished.folder / weights).read_bytes()
