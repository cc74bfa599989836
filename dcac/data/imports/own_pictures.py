"""What only the pictures of one's own set can tell: copies under two names, numbers without cameras, photographs to turn."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dcac.data.catalog import Own
from dcac.data.images import upright
from dcac.data.imports.counts import CountError, queries_without_match
from dcac.data.imports.verifying import Finding
from dcac.data.store import Record

UNKNOWN_CAMERAS = "cameras are not known: a picture's number within its person stands for one, so only a query's own picture is left out"


class CopyError(ValueError):
    """One picture stands for two people, or for two cameras; the message names both files."""


class MatchError(CountError):
    """No query has a match, so nothing can be scored."""


@dataclass(frozen=True)
class Upright:
    """Reads a photograph and turns it when called; workers can be sent it."""

    data: Callable[[], bytes]

    def __call__(self) -> bytes:
        return upright(self.data())


def settle(records: Sequence[Record], findings: Sequence[Finding], own: Own) -> tuple[list[Record], list[str]]:
    """Make the records of one's own set final once their pictures are known.

    Args:
        findings: Of the records, in order; all are readable.

    Returns:
        The records, and remarks for people.

    Raises:
        CopyError: Copies of one picture contradict each other.
    """
    copies = _check_copies(records, findings, cameras=own.cameras)
    settled = list(records) if own.cameras else number_pictures(records, findings)
    turned = [finding.turned for finding in findings]
    settled = [
        replace(record, data=Upright(record.load)) if turn else record
        for record, turn in zip(settled, turned, strict=True)
    ]
    remarks = {
        f"photographs that are turned as their EXIF orientation says: {sum(turned)}": sum(turned),
        f"copies of another file of the same person and camera: {copies}; remove them if they are not meant": copies,
    }
    told = [] if own.cameras else [UNKNOWN_CAMERAS]
    told += [remark for remark, times in remarks.items() if times]
    return settled, told + _lonely(settled, cameras=own.cameras)


def number_pictures(records: Sequence[Record], findings: Sequence[Finding]) -> list[Record]:
    """Let the number of a picture within its person stand for the camera: no picture meets itself, nor a copy of it."""
    numbers: dict[int, dict[str, int]] = defaultdict(dict)
    pairs = sorted(zip(records, findings, strict=True), key=lambda pair: (pair[0].pid, pair[0].path))
    for record, finding in pairs:
        numbers[record.pid].setdefault(finding.digest, len(numbers[record.pid]))
    return [
        replace(record, camid=numbers[record.pid][finding.digest])
        for record, finding in zip(records, findings, strict=True)
    ]


def _lonely(records: Sequence[Record], *, cameras: bool) -> list[str]:
    """Say which queries and people the scorer cannot use.

    Raises:
        MatchError: It could use none.
    """
    seen: dict[int, set[int]] = defaultdict(set)
    for record in records:
        if record.split != "train":
            seen[record.pid].add(record.camid)
    queries, without = sum(record.split == "query" for record in records), queries_without_match(records)
    other = "by another camera" if cameras else "of another content"
    if seen and without == queries:
        raise MatchError(
            f"no query has a match {other} in the gallery; give test people who are seen more than once"
            + (", or say --no-cameras where the cameras are not known" if cameras else "")
        )
    once = sum(len(camids) == 1 for camids in seen.values())
    remarks = {
        f"queries without a match {other} in the gallery: {without} of {queries}; scores leave them out": without,
        f"test people seen by one camera only: {once} of {len(seen)}; they match nobody": once if cameras else 0,
    }
    return [remark for remark, times in remarks.items() if times]


def _check_copies(records: Sequence[Record], findings: Sequence[Finding], *, cameras: bool) -> int:
    """Count the files that hold the picture of another file.

    Raises:
        CopyError: Two of them name two people, or two cameras.
    """
    first: dict[str, Record] = {}
    names: dict[str, set[str]] = defaultdict(set)
    for record, finding in zip(records, findings, strict=True):
        other = first.setdefault(finding.digest, record)
        names[finding.digest].add(record.path.partition("/")[2])
        for what, mine, its in (("people", record.pid, other.pid), ("cameras", record.camid, other.camid)):
            if mine != its and (what == "people" or cameras):
                raise CopyError(
                    f"one picture stands for two {what}: {other.path} and {record.path} have the same content; "
                    "remove the wrong one"
                )
    return sum(len(paths) - 1 for paths in names.values())
