"""Faults at random moments on a SLURM cluster of this machine, while the smoke suite runs on it; nothing may be lost.

    python tests/benchmarks/slurm.py [--accounting] [--faults 30] [--seed 0] [--epochs 60] [--folder FOLDER]

Needs Debian's slurm-wlm and munge, with `--accounting` also slurmdbd, mariadb-server-core and mariadb-client-core. First the
trainings run here without a fault; then the suite runs on the cluster, and every few seconds something happens to a job, a node
or Snakemake itself. Prints each fault and, at the end, what was checked.
"""

import argparse
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).parents[1]
HEAD = [
    "snakemake",
    "--workflow-profile",
    "slurm",
    "--slurm-init-seconds-before-status-checks",
    "2",
    "--set-threads",
    "train=1",
]
RETRIES = ["--retries", "50"]  # every fault is an attempt, and thirty may hit one job
RUNS = "results/many/runs"
SUITE = """\
extends: smoke-gpu
title: "Smoke suite under faults"
overrides:
  epochs: {epochs}
  decay_epochs: [{decay}]
"""


class Trial:
    """One suite on one cluster, and what can happen to it."""

    def __init__(self, checkout, epochs: int, seed: int):
        """Prepare the suite in a checkout whose environment speaks to the cluster."""
        self.checkout, self.epochs, self.draw = checkout, epochs, random.Random(seed)
        text = SUITE.format(epochs=epochs, decay=epochs * 2 // 3)
        (checkout.folder / "config/suites/many.yaml").write_text(text)
        checkout.edit("config/config.yaml", "suite: demo ", "suite: many ")
        self.heads = 0
        self.process: subprocess.Popen | None = None

    def reference(self) -> dict[str, bytes]:
        """Train everything here without a fault, and remove it again."""
        runs = [f"{RUNS}/{variant}/smoke-a/seed{seed}" for variant in ("baseline", "dcac") for seed in (0, 1)]
        self.checkout.snakemake(*(f"{run}/run.json" for run in runs), "--set-threads", "train=1")
        weights = {run: (self.checkout.folder / run / "weights.safetensors").read_bytes() for run in runs}
        for folder in ("results/many", "results/.kept"):
            shutil.rmtree(self.checkout.folder / folder)
        return weights

    def history(self) -> Counter:
        """Count the jobs of Snakemake in SLURM's accounts by their last state, each of which has its account and comment."""
        asked = ["sacct", "-X", "-n", "-P", "--duplicates", "--format=state,account,comment"]
        rows = [line.split("|") for line in self.slurm(*asked).splitlines()]
        ours = [row for row in rows if row[2].startswith("rule_")]
        assert {account for _, account, _ in ours} == {"vision"}, rows
        return Counter(state.partition(" ")[0] for state, _, _ in ours)

    def start(self) -> None:
        """Start Snakemake."""
        self.heads += 1
        with (self.checkout.folder / f"head-{self.heads}.log").open("w") as log:
            words = {"cwd": self.checkout.folder, "env": self.checkout.environment, "stdout": log, "stderr": log}
            self.process = subprocess.Popen([*HEAD, *RETRIES], **words)

    def slurm(self, *words: str) -> str:
        """Run a command of SLURM, whatever it answers: a job may have ended just now."""
        return self.checkout.run(*words).stdout

    def job(self) -> str | None:
        """Choose a job that runs."""
        running = self.slurm("squeue", "--noheader", "--states=RUNNING", "--format=%i %k").splitlines()
        numbers = [line.split()[0] for line in running if " rule_" in line]
        return self.draw.choice(numbers) if numbers else None

    def scancel(self) -> None:
        """Cancel a job."""
        self.slurm("scancel", self.job() or "0")

    def usr1(self) -> None:
        """Send USR1 to a job."""
        self.slurm("scancel", "--signal=USR1", self.job() or "0")

    def term(self) -> None:
        """Send TERM to a job."""
        self.slurm("scancel", "--signal=TERM", self.job() or "0")

    def kill(self) -> None:
        """Send KILL to a job."""
        self.slurm("scancel", "--signal=KILL", self.job() or "0")

    def requeue(self) -> None:
        """Put a job back into the queue."""
        self.slurm("scontrol", "requeue", self.job() or "0")

    def limit(self) -> None:
        """Let a job run into its time limit, a minute after its start."""
        self.slurm("scontrol", "update", f"jobid={self.job() or '0'}", "timelimit=1")

    def preempt(self) -> None:
        """Take all nodes for a more urgent job."""
        self.slurm("sbatch", "--partition=urgent", "--exclusive", "--nodes=2", "--output=/dev/null", "--wrap=sleep 1")

    def drain(self) -> None:
        """Drain a node, and give it back after some seconds."""
        self._close("drain")

    def fail(self) -> None:
        """Declare a node dead, and give it back after some seconds."""
        self._close("down")

    def behead(self) -> None:
        """Kill Snakemake, and start it again while jobs run."""
        self.process.kill()
        self.process.wait()
        self.checkout.run("snakemake", "--unlock")
        self.start()

    def _close(self, state: str) -> None:
        node = self.draw.choice(("n1", "n2"))
        self.slurm("scontrol", "update", f"nodename={node}", f"state={state}", "reason=trial")
        time.sleep(self.draw.uniform(2, 8))
        self.slurm("scontrol", "update", f"nodename={node}", "state=resume")

    def mend(self) -> None:
        """Give back the nodes that SLURM itself has drained, as an administrator would: one that could not start a job, say."""
        self.slurm("scontrol", "update", "nodename=n1,n2", "state=resume")

    def faults(self) -> list[Callable[[], None]]:
        """List all that can happen."""
        names = "scancel usr1 term kill requeue limit preempt drain fail behead"
        return [getattr(self, name) for name in names.split()]

    def check(self, reference: dict[str, bytes]) -> None:
        """Assert that nothing is lost, and that no two processes wrote one run."""
        assert self.checkout.planned() == {}, "all of the suite stands"
        for run, weights in reference.items():
            lines = (self.checkout.folder / run / "log.jsonl").read_text().splitlines()
            epochs = [epoch for line in lines if (epoch := json.loads(line).get("epoch"))]
            assert epochs == list(range(1, self.epochs + 1)), f"{run}: {epochs}"
            assert (self.checkout.folder / run / "weights.safetensors").read_bytes() == weights, run


def checkout_in(folder: Path, cluster: Path):
    """Copy the project into a folder whose commands speak to the cluster."""
    spec = importlib.util.spec_from_file_location("conftest", TESTS / "workflow/conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder.mkdir()
    checkout = module.Checkout.fresh(folder)
    spoken = {"SLURM_CONF": str(cluster / "slurm.conf"), "DCAC_CARDS": "GPU-a,GPU-b"}
    checkout.environment |= {**spoken, "PATH": f"{cluster / 'bin'}{os.pathsep}{checkout.environment['PATH']}"}
    return checkout


def main() -> None:
    """Run a trial and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounting", action="store_true", help="on a cluster that keeps accounts, and enforces them")
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--pause", type=float, default=12.0, help="seconds between two faults, in the mean")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "dcac-slurm-trial")
    given = parser.parse_args()
    given.folder.mkdir()
    cluster = given.folder / "cluster"
    options = ["--accounting"] if given.accounting else []
    words = [sys.executable, str(TESTS / "workflow/cluster.py"), str(cluster), *options]
    daemons = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert daemons.stdout.readline().strip() == str(cluster)
    try:
        trial = Trial(checkout_in(given.folder / "checkout", cluster), given.epochs, given.seed)
        if given.accounting:
            trial.checkout.edit("config/config.yaml", "  account: null ", "  account: vision ")
        reference = trial.reference()
        began, done = time.monotonic(), Counter()
        trial.start()
        kinds = trial.faults()
        while sum(done.values()) < given.faults and trial.process.poll() is None:
            time.sleep(trial.draw.uniform(0.2, 2) * given.pause / 1.1)
            fault = trial.draw.choice(kinds)
            fault()
            done[fault.__name__] += 1
            print(f"{time.monotonic() - began:6.0f} s  {fault.__name__}", flush=True)
        while (code := trial.process.poll()) is None:
            time.sleep(5)
            trial.mend()
        assert code == 0, f"Snakemake ended with {code}; see head-{trial.heads}.log in {trial.checkout.folder}"
        trial.check(reference)
        if given.accounting:
            print("sacct:", ", ".join(f"{state} {number}" for state, number in sorted(trial.history().items())))
        submitted = sum(log.read_text().count("has been submitted") for log in trial.checkout.folder.glob("head-*.log"))
        minutes = (time.monotonic() - began) / 60
        print(f"{sum(done.values())} faults ({', '.join(f'{name} {count}' for name, count in sorted(done.items()))})")
        print(
            f"{submitted} jobs by {trial.heads} Snakemakes in {minutes:.0f} minutes: all stands, weights equal to the bit"
        )
    finally:
        if "trial" in locals() and trial.process is not None:
            trial.process.kill()
        daemons.stdin.close()
        daemons.wait(60)


if __name__ == "__main__":
    main()
