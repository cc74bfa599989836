"""Which GPUs of this machine a step computes on: the first free ones, held by a lock until the step ends in any way.

Each card has a lock file in the machine's own temporary folder (never on a shared file system), so that jobs of one Snakemake,
of several, and of other clones share the cards. The kernel gives a lock back when its process ends, by kill -9 too. An
allocation of a scheduler and a rank of `torchrun` keep the cards that they were given.
"""

import itertools
import logging
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from dcac.locking import InUse
from dcac.locking import take as take_lock

VISIBLE = "CUDA_VISIBLE_DEVICES"
HIDING = ("", "-1", "NoDevFiles")  # in that list: neither it nor what stands behind it is shown
FAKE = "DCAC_CARDS"  # names of cards, joined by commas, in place of those the driver finds: for tests
SCHEDULED = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "FLUX_JOB_ID")  # set in an allocation
ALLOCATED = ("SLURM_JOB_GPUS", "SLURM_GPUS_ON_NODE", "SLURM_STEP_GPUS")  # set in an allocation with GPUs
RANKED = ("LOCAL_RANK", "RANK")  # set in a process that torchrun or accelerate started
LOCKS = Path(tempfile.gettempdir()) / "dcac-cards"
LOOK = 1.0  # seconds between two looks for a free card
REPEAT = 60  # looks between two lines about it
_held: list[IO[str]] = []  # open lock files; the kernel holds the locks as long as this process lives
log = logging.getLogger(__name__)


def cards() -> list[str]:
    """Name the cards that this process may use, by UUID: those of CUDA_VISIBLE_DEVICES, or all that the driver finds."""
    found = os.environ[FAKE].split(",") if FAKE in os.environ else _driver()
    allowed = os.environ.get(VISIBLE)
    if allowed is None:
        return found
    names = itertools.takewhile(lambda name: name not in HIDING, map(str.strip, allowed.split(",")))
    return [_whole(name, found) for name in names]


def _whole(name: str, found: Sequence[str]) -> str:
    """Return the UUID of a card that is named by its number or by the beginning of its UUID; an unknown one as it is."""
    if name.isdigit() and int(name) < len(found):
        return found[int(name)]
    return next((card for card in found if card.startswith(name)), name)


def is_ranked() -> bool:
    """Tell whether a launcher has started this process as one of several."""
    return any(name in os.environ for name in RANKED)


def is_assigned() -> bool:
    """Tell whether a scheduler or a launcher has already chosen the cards of this process."""
    return is_ranked() or any(name in os.environ for name in SCHEDULED)


def promised() -> str:
    """Say who promises a GPU to this process: its allocation, or the driver; empty where nobody does."""
    if FAKE in os.environ:  # names compute nothing
        return ""
    allocated = next((name for name in ALLOCATED if os.environ.get(name)), None)
    if allocated:
        return f"this job was given a GPU ({allocated}={os.environ[allocated]})"
    known = cards()
    shown = "CUDA_VISIBLE_DEVICES names" if os.environ.get(VISIBLE) else "the driver shows"
    return f"{shown} {len(known)} GPU{'s' if len(known) > 1 else ''} ({known[0]})" if known else ""


def hold_on() -> None:
    """Keep the cards of this process through an `exec`."""
    for file in _held:
        os.set_inheritable(file.fileno(), True)


def take(count: int = 1) -> list[str]:
    """Take free cards for this process, before torch is imported; wait until there are enough.

    Args:
        count: how many cards.

    Returns:
        Their names, which are now all that CUDA shows; empty where there is nothing to choose: no card, a single one on a
        machine without locks, or cards that a scheduler or launcher assigned.

    Raises:
        ValueError: the machine has fewer cards than asked for.
    """
    known = [] if is_assigned() or _held else cards()
    if not known:
        return []
    if count > len(known):
        raise ValueError(f"{count} GPUs are asked for, and this process may use {len(known)}; lower gpus_per_training")
    looks = 0
    while (taken := _try(known, count)) is None:
        if looks % REPEAT == 0:
            log.info("all %d GPUs are taken by other steps; waiting for %d", len(known), count)
        looks += 1
        time.sleep(LOOK * random.uniform(0.5, 1.5))  # two who each hold half of what they want do not meet for ever
    os.environ[VISIBLE] = ",".join(taken)
    log.info("computing on GPU %s of %d", ", ".join(taken), len(known))
    return taken


def _try(known: Sequence[str], count: int) -> list[str] | None:
    """Lock the first free cards; None, and nothing locked, if there are too few."""
    LOCKS.mkdir(exist_ok=True)
    _open_to_all(LOCKS, 0o1777)
    taken: dict[str, IO[str]] = {}
    for name in known:
        if (file := _lock(name)) is not None:
            taken[name] = file
        if len(taken) == count:
            _held.extend(taken.values())
            return list(taken)
    for file in taken.values():
        file.close()
    return None


def _lock(name: str) -> IO[str] | None:
    path = LOCKS / "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
    if not path.exists():
        path.touch()
        _open_to_all(path, 0o666)
    file = path.open("r+", encoding="utf-8")  # not to make it: another user's file there could not be opened so
    try:
        take_lock(file, f"computes on GPU {name}")
    except InUse:
        file.close()
        return None
    return file


def _open_to_all(path: Path, mode: int) -> None:
    try:
        path.chmod(mode)
    except PermissionError:  # another user's, who has opened it already
        return


def _driver() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    return answer.stdout.split() if answer.returncode == 0 else []
