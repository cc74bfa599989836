"""Decode every image once, in one or several processes, so that nothing downstream meets an unreadable one."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from dcac.data.images import image_problem, is_turned, opened
from dcac.data.store import Record
from dcac.data.workers import spread

CHUNK = 500  # images a task
ANOTHER_COPY = (
    "Get the set again, or pass --drop-unreadable to leave them out; the result is then marked as non-standard."
)
log = logging.getLogger(__name__)


class UnreadableError(ValueError):
    """Some images cannot be decoded; the message lists them and the remedy."""


@dataclass(frozen=True)
class Finding:
    """What one image turned out to be.

    Args:
        digest: The sha256 of its bytes.
        problem: "" where there is none.
        turned: Whether its EXIF orientation asks for turning it; only sets of one's own heed it.
    """

    digest: str
    problem: str
    turned: bool = False


def verify(records: Sequence[Record], *, workers: int) -> list[Finding]:
    """Read and decode all images.

    Args:
        records: Their `data` functions are sent to the other processes, so the images themselves never are.
        workers: Number of processes, 1 or more; this one is among them.

    Returns:
        One finding a record, in order.
    """
    starts = range(0, len(records), CHUNK)
    chunks = spread(partial(_verify_chunk, records), starts, workers=workers, progress=partial(_say, len(records)))
    return [finding for chunk in chunks for finding in chunk]


def refuse_or_drop(
    records: Sequence[Record], findings: Sequence[Finding], *, drop: bool, remedy: str = ANOTHER_COPY
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
        raise UnreadableError(f"{len(problems)} of {len(records)} images cannot be read:\n  {shown}\n{remedy}")
    return [record for record, finding in pairs if not finding.problem], problems


def _verify_chunk(records: Sequence[Record], start: int) -> list[Finding]:
    return [_verify_one(record) for record in records[start : start + CHUNK]]


def _verify_one(record: Record) -> Finding:
    try:
        data = record.load()
    except Exception as error:  # a damaged archive or frame makes the libraries raise errors of many kinds
        return Finding("", f"{type(error).__name__}: {error}".replace("\n", " "))
    problem = image_problem(data)
    return Finding(hashlib.sha256(data).hexdigest(), problem, turned=not problem and _asks_for_turning(data))


def _asks_for_turning(data: bytes) -> bool:
    with opened(data) as image:
        return is_turned(image)


def _say(images: int, done: int, _chunks: int) -> None:
    log.info("decoded %d of %d images", min(done * CHUNK, images), images)
