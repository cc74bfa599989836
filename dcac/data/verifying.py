"""Decode every image once, in one or several processes, so that nothing downstream meets an unreadable one."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from dcac.data.images import image_problem
from dcac.data.store import Record

CHUNK = 500  # images a task
log = logging.getLogger(__name__)


class UnreadableError(ValueError):
    """Some images cannot be decoded; the message lists them and the remedy."""


@dataclass(frozen=True)
class Finding:
    """What one image turned out to be: the sha256 of its bytes, and the problem, "" where there is none."""

    digest: str
    problem: str


def verify(records: Sequence[Record], *, workers: int) -> list[Finding]:
    """Read and decode all images.

    Args:
        records: Their `data` functions are sent to the workers, so the images themselves never are.
        workers: Number of processes, 1 or more; 1 works in this process.

    Returns:
        One finding a record, in order.
    """
    if workers < 1:
        raise ValueError(f"{workers} workers; give 1 or more")
    starts = range(0, len(records), CHUNK)
    if workers == 1 or len(starts) < 2:
        return [finding for start in starts for finding in _verify_chunk(records, start)]
    context = get_context("spawn")  # no open file or lock is shared with this process
    with ProcessPoolExecutor(workers, context, initializer=_keep, initargs=(records,)) as pool:
        return [finding for chunk in pool.map(_verify_kept, starts) for finding in chunk]


def refuse_or_drop(
    records: Sequence[Record], findings: Sequence[Finding], *, drop: bool
) -> tuple[list[Record], list[str]]:
    """Split off the unreadable images.

    Returns:
        The readable records, and the paths of the others with their problem.

    Raises:
        UnreadableError: Some are unreadable and `drop` is false.
    """
    pairs = list(zip(records, findings, strict=True))
    problems = [f"{record.path} ({finding.problem})" for record, finding in pairs if finding.problem]
    if problems and not drop:
        shown = "\n  ".join(problems[:20] + [f"... and {len(problems) - 20} more"] * (len(problems) > 20))
        raise UnreadableError(
            f"{len(problems)} of {len(records)} images cannot be read:\n  {shown}\n"
            "Get the set again, or pass --drop-unreadable to leave them out; the result is then marked as non-standard."
        )
    return [record for record, finding in pairs if not finding.problem], problems


def _verify_chunk(records: Sequence[Record], start: int) -> Iterator[Finding]:
    for record in records[start : start + CHUNK]:
        try:
            data = record.load()
        except Exception as error:  # a damaged archive or frame makes the libraries raise errors of many kinds
            yield Finding("", f"{type(error).__name__}: {error}".replace("\n", " "))
        else:
            yield Finding(hashlib.sha256(data).hexdigest(), image_problem(data))
    log.info("decoded %d of %d images", min(start + CHUNK, len(records)), len(records))


_kept: Sequence[Record] = ()  # in a worker: all records, sent once when it starts


def _keep(records: Sequence[Record]) -> None:
    global _kept
    _kept = records


def _verify_kept(start: int) -> list[Finding]:
    return list(_verify_chunk(_kept, start))
