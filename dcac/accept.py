"""Let finished runs stand although the statement of their code changed: a person vouches that nothing they compute did."""

import json
from pathlib import Path

from dcac.provenance import write_json
from dcac.provenance.code import digest, statement
from dcac.provenance.keep import keep
from dcac.provenance.record import ACCEPTED, KEY, asked_of, moved_modules, read_record, stands_for


def run(folders: list[Path]) -> list[str]:
    """Record in each run's report that it stands for today's code too, and keep the run under its new identity.

    Returns:
        A sentence a run.

    Raises:
        ValueError: a folder holds no finished run with a record.
    """
    return [_accept(folder) for folder in folders]


def _accept(folder: Path) -> str:
    report = folder / "run.json"
    record = read_record(report)
    if record is None:
        raise ValueError(f"{report} is missing or has no record of its code; train the run, there is nothing to accept")
    now = statement(record["step"])
    if stands_for(record, now):
        return f"{folder} stands for this code already"
    moved, accepted = moved_modules(record, now), asked_of(record, code=now)
    entry = {"code": digest(now), "identity": accepted.identity, "modules": moved}
    record[ACCEPTED] = [*record.get(ACCEPTED, []), entry]
    content = json.loads(report.read_text(encoding="utf-8"))
    write_json(report, {**content, KEY: record})
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    names = [*(name for name in names if name != report.name), report.name]
    for asked in (asked_of(record), accepted):
        keep(asked, folder, names)
    return f"{folder} stands for the code of today ({digest(record['code'])} -> {digest(now)}; {', '.join(moved)})"
