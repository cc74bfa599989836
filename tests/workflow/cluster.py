"""A SLURM cluster on this machine, in the foreground: two nodes with two GPUs each that are none, until standard input ends.

    python tests/workflow/cluster.py FOLDER [--accounting] [KEY=VALUE ...]

Prints FOLDER once it answers. With SLURM_CONF=FOLDER/slurm.conf and FOLDER/bin first in PATH, every command of SLURM speaks to this
cluster, and Snakemake under `--workflow-profile slurm`. Words KEY=VALUE are lines of slurm.conf. With `--accounting` it keeps
accounts and enforces them: this user may use the account `vision`, and under the QOS `single` one job at a time. Needs Debian's
packages slurm-wlm and munge, for accounting also slurmdbd, mariadb-server-core and mariadb-client-core; no system service.
"""

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
ACCOUNTANTS = ("slurmdbd", "mariadbd", "mariadb-install-db", "my_print_defaults", "sacctmgr")
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
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
PreemptType=preempt/partition_prio
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
{accounting}
{settings}
NodeName={nodes[0]} NodeHostname={host} Port={ports[1]} CPUs=32 RealMemory=256000 Gres=gpu:2 Features=a100
NodeName={nodes[1]} NodeHostname={host} Port={ports[2]} CPUs=32 RealMemory=256000 Gres=gpu:2
PartitionName=main Nodes=ALL Default=YES MaxTime=1-00:00:00 PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=1-00:00:00 PriorityTier=10 PreemptMode=OFF
"""
WITHOUT_ACCOUNTING = "AccountingStorageType=accounting_storage/none\nJobAcctGatherType=jobacct_gather/none"
WITH_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost={host}
AccountingStoragePort={ports[3]}
AccountingStoragePass={folder}/munge/socket
AccountingStorageEnforce=associations,limits,qos
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
JobAcctGatherType=jobacct_gather/linux"""
ACCOUNTANT = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost={host}
DbdPort={ports[3]}
SlurmUser={user}
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[4]}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm
"""
DATABASE = """\
CREATE USER slurm@127.0.0.1 IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO slurm@127.0.0.1;
"""
ACCOUNTS = (  # words of sacctmgr
    "add cluster fake",
    "add account vision",
    "add qos single",
    "modify qos single set MaxJobsPerUser=1",
    "add user {user} account=vision qos=normal,single",
)
SETTINGS = {"MinJobAge": "20", "KillWait": "10", "PreemptMode": "CANCEL"}


def missing(*, accounting: bool = False) -> list[str]:
    """Name the programs that are not here."""
    needed = (*DAEMONS, *(ACCOUNTANTS if accounting else ()))
    return [name for name in needed if shutil.which(name, path=search_path()) is None]


def search_path() -> str:
    """Return where programs are looked for, with the folders of daemons."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def configure(folder: Path, settings: dict[str, str], *, accounting: bool) -> dict:
    """Write the files of a cluster and return what is written in them."""
    for name in ("state", "munge", "bin", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)  # munged insists that nobody else may write on the way to its socket
    key = folder / "munge/key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    lines = "\n".join(f"{name}={value}" for name, value in settings.items())
    values = {"host": socket.gethostname(), "user": getpass.getuser(), "ports": free_ports(5), "nodes": NODES}
    values |= {"folder": folder, "password": secrets.token_hex(16)}
    accounts = (WITH_ACCOUNTING if accounting else WITHOUT_ACCOUNTING).format(**values)
    (folder / "slurm.conf").write_text(CONFIGURATION.format(accounting=accounts, settings=lines, **values))
    for name, text in {"slurmdbd.conf": ACCOUNTANT, "database.sql": DATABASE}.items():
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(text.format(**values))
    (folder / "gres.conf").write_text("".join(f"NodeName={','.join(NODES)} Name=gpu File={gpu}\n" for gpu in GPUS))
    srun = folder / "bin/srun"  # Snakemake's executor inside a job takes SLURM_CONF away from it
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)
    return values


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(folder: Path, settings: dict[str, str], *, accounting: bool = False) -> list[subprocess.Popen]:
    """Start the daemons and wait until every node is idle."""
    values = configure(folder, settings, accounting=accounting)
    munge = folder / "munge"
    files = [f"--{name}-file={munge / name}" for name in ("key", "pid", "log", "seed")]
    daemons: list[subprocess.Popen] = []
    try:
        begin(daemons, folder, "munged", "--foreground", "--force", f"--socket={munge / 'socket'}", *files)
        if accounting:
            keep_accounts(daemons, folder, values)
        begin(daemons, folder, "slurmctld", "-D")
        for node in NODES:
            begin(daemons, folder, "slurmd", "-D", "-N", node)
        until(folder, ["sinfo", "-h", "-o", "%D %T", "-p", "main"], f"{len(NODES)} idle")
    except BaseException:
        stop(daemons)
        raise
    return daemons


def begin(daemons: list[subprocess.Popen], folder: Path, *command: str) -> None:
    """Start a daemon."""
    with (folder / f"{len(daemons)}-{command[0]}.out").open("w") as out:
        words = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out}
        daemons.append(subprocess.Popen(command, env=environment_of(folder), **words))
    time.sleep(0.3)


def keep_accounts(daemons: list[subprocess.Popen], folder: Path, values: dict) -> None:
    """Start a database and SLURM's accountant, and tell it of an account."""
    data, user = folder / "database", f"--user={values['user']}"
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db", user]
    subprocess.run(install, env=environment_of(folder), check=True, stdout=subprocess.DEVNULL)
    places = [f"--datadir={data}", f"--socket={folder / 'mariadb'}", f"--pid-file={folder / 'mariadb.pid'}"]
    where = ["--bind-address=127.0.0.1", f"--port={values['ports'][4]}", "--skip-name-resolve"]
    small = ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0"]
    first = f"--init-file={folder / 'database.sql'}"
    begin(daemons, folder, "mariadbd", "--no-defaults", user, first, *places, *where, *small)
    deadline = time.monotonic() + PATIENCE
    while socket.socket().connect_ex(("127.0.0.1", values["ports"][4])) and time.monotonic() < deadline:
        time.sleep(0.2)
    begin(daemons, folder, "slurmdbd", "-D")
    until(folder, ["sacctmgr", "--noheader", "--parsable2", "list", "qos", "format=name"], "normal")
    for words in ACCOUNTS:
        said = subprocess.run(
            ["sacctmgr", "--immediate", *words.format(**values).split()],
            env=environment_of(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if said.returncode:
            raise SystemExit(f"sacctmgr {words}: {said.stdout}")


def environment_of(folder: Path) -> dict[str, str]:
    """Return the environment in which commands speak to this cluster."""
    return {**os.environ, "PATH": search_path(), "SLURM_CONF": str(folder / "slurm.conf")}


def until(folder: Path, asked: list[str], wanted: str) -> None:
    """Wait until a command of SLURM gives an answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answer = subprocess.run(asked, env=environment_of(folder), capture_output=True, text=True)
        if answer.stdout.strip() == wanted:
            return
        time.sleep(0.2)
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
    words = sys.argv[2:]
    accounting = "--accounting" in words
    if absent := missing(accounting=accounting):
        more = ", slurmdbd, mariadb-server-core and mariadb-client-core" if accounting else ""
        raise SystemExit(f"{', '.join(absent)} not found; install Debian's packages slurm-wlm, munge{more}")
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell has its background processes ignore the second
        signal.signal(number, signal.default_int_handler)
    folder = Path(sys.argv[1]).absolute()
    given = dict(word.split("=", 1) for word in words if word != "--accounting")
    daemons = start(folder, {**SETTINGS, **given}, accounting=accounting)
    try:
        print(folder, flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        pass
    finally:
        stop(daemons, environment_of(folder))


if __name__ == "__main__":
    main()
