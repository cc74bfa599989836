"""A SLURM cluster on this machine, in the foreground: two nodes with two GPUs each that are none, until standard input ends.

    python tests/workflow/cluster.py FOLDER [KEY=VALUE ...]

Prints FOLDER once it answers. With SLURM_CONF=FOLDER/slurm.conf and FOLDER/bin first in PATH, every command of SLURM speaks to this
cluster, and Snakemake under `--workflow-profile slurm`. Words KEY=VALUE are lines of slurm.conf. Needs Debian's packages slurm-wlm
and munge, no system service and no accounting.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
NODES = ("n1", "n2")
GPUS = ("/dev/zero", "/dev/full")  # a GPU of SLURM is a device file, and these are everywhere
PATIENCE = 30  # seconds until all nodes answer
# cred_expire is also how long SLURM holds a job back that was put into the queue again: two minutes unless said otherwise
CONFIGURATION = """\
ClusterName=fake
SlurmctldHost={host}
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
PreemptType=preempt/partition_prio
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
{settings}
NodeName={nodes[0]} NodeHostname={host} Port={ports[1]} CPUs=32 RealMemory=256000 Gres=gpu:2 Features=a100
NodeName={nodes[1]} NodeHostname={host} Port={ports[2]} CPUs=32 RealMemory=256000 Gres=gpu:2
PartitionName=main Nodes=ALL Default=YES MaxTime=1-00:00:00 PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=1-00:00:00 PriorityTier=10 PreemptMode=OFF
"""
SETTINGS = {"MinJobAge": "20", "KillWait": "10", "PreemptMode": "CANCEL"}


def missing() -> list[str]:
    """Name the programs that are not here."""
    return [name for name in DAEMONS if shutil.which(name, path=search_path()) is None]


def search_path() -> str:
    """Return where programs are looked for, with the folders of daemons."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def configure(folder: Path, settings: dict[str, str]) -> Path:
    """Write the files of a cluster and return its slurm.conf."""
    for name in ("state", "munge", "bin", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)  # munged insists that nobody else may write on the way to its socket
    key = folder / "munge/key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    lines = "\n".join(f"{name}={value}" for name, value in settings.items())
    values = {"host": socket.gethostname(), "user": getpass.getuser(), "ports": free_ports(3), "nodes": NODES}
    (folder / "slurm.conf").write_text(CONFIGURATION.format(folder=folder, settings=lines, **values))
    (folder / "gres.conf").write_text("".join(f"NodeName={','.join(NODES)} Name=gpu File={gpu}\n" for gpu in GPUS))
    srun = folder / "bin/srun"  # Snakemake's executor inside a job takes SLURM_CONF away from it
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)
    return folder / "slurm.conf"


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(folder: Path, settings: dict[str, str]) -> list[subprocess.Popen]:
    """Start the daemons and wait until every node is idle."""
    configuration = configure(folder, settings)
    munge = folder / "munge"
    files = [f"--{name}-file={munge / name}" for name in ("key", "pid", "log", "seed")]
    environment = {**os.environ, "PATH": search_path(), "SLURM_CONF": str(configuration)}
    commands = [["munged", "--foreground", "--force", f"--socket={munge / 'socket'}", *files], ["slurmctld", "-D"]]
    commands += [["slurmd", "-D", "-N", node] for node in NODES]
    daemons = []
    for command in commands:
        with (folder / f"{len(daemons)}-{command[0]}.out").open("w") as out:
            daemons.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out))
        time.sleep(0.3)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answer = subprocess.run(
            ["sinfo", "-h", "-o", "%D %T", "-p", "main"], env=environment, capture_output=True, text=True
        )
        if answer.stdout.strip() == f"{len(NODES)} idle":
            return daemons
        time.sleep(0.2)
    stop(daemons)
    raise SystemExit(f"no cluster within {PATIENCE} s: {answer.stdout}{answer.stderr}; its logs are in {folder}")


def stop(daemons: list[subprocess.Popen], environment: dict[str, str] | None = None) -> None:
    """End all jobs where there may be some, then the daemons, the last one started first."""
    if environment is not None:
        subprocess.run(["scancel", "--me"], env=environment, check=False)
        deadline = time.monotonic() + PATIENCE
        asked = ["squeue", "--me", "--noheader"]
        while subprocess.run(asked, env=environment, capture_output=True).stdout and time.monotonic() < deadline:
            time.sleep(0.2)
    for daemon in reversed(daemons):
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()


def main() -> None:
    """Run a cluster until standard input ends."""
    if missing():
        raise SystemExit(f"{', '.join(missing())} not found; install Debian's packages slurm-wlm and munge")
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    folder = Path(sys.argv[1]).absolute()
    daemons = start(folder, {**SETTINGS, **dict(word.split("=", 1) for word in sys.argv[2:])})
    try:
        print(folder, flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        pass
    finally:
        stop(daemons, {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")})


if __name__ == "__main__":
    main()
