"""Runs that a person lets stand for other code than their own: a table says so below it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dcac.provenance.code import statement
from dcac.provenance.record import accepted_modules, read_record


class Accepted(NamedTuple):
    """A finished run that a person lets stand for other code than its own."""

    run: str  # variant, sources and seed
    modules: tuple[str, ...]  # whose code changed since


def read_accepted(reports: Sequence[Path]) -> list[Accepted]:
    """Read from the reports of runs whose code was accepted by hand what changed in it.

    Raises:
        ValueError: a run was not accepted for the code of today.
    """
    return [_read_accepted(report) for report in reports]


def _read_accepted(report: Path) -> Accepted:
    record = read_record(report)
    modules = accepted_modules(record, statement(record["step"])) if record else None
    if modules is None:
        raise ValueError(
            f"{report} is not accepted for today's code; run `dcac accept {report.parent}`, or train again"
        )
    return Accepted("/".join(report.parts[-4:-1]), tuple(modules))
