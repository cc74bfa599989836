"""Say what lies in a results folder that nothing made there needs, and free it when told."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dcac.provenance.keep import FOLDER, INDEX, SHOWN
from dcac.provenance.record import ACCEPTED, read_record
from dcac.provenance.shared import FOLDER as CACHE


@dataclass(frozen=True)
class Leftover:
    """A folder that can go."""

    path: Path
    bytes: int  # that its going frees: files that also lie elsewhere, by hard links, cost nothing
    why: str


def leftovers(results: Path) -> Iterator[Leftover]:
    """Find what was kept under identities that no record below `results` has, resume states of finished runs, and caches."""
    identities = set(_identities(results))
    for index in sorted((results / FOLDER).glob(f"*/*/{INDEX}")):
        folder = index.parent
        if folder.name not in identities:
            yield Leftover(folder, _size(folder), "kept, but nothing here was made under its identity")
    for state in sorted(results.rglob("*.state")):
        if state.is_dir() and (state.with_suffix("") / "run.json").is_file():
            yield Leftover(state, _size(state), "resume state of a finished run")
    if (results / CACHE).is_dir():
        yield Leftover(results / CACHE, _size(results / CACHE), "decoded pictures; the next run decodes them again")


def free(found: list[Leftover]) -> None:
    """Delete what was found."""
    for leftover in found:
        shutil.rmtree(leftover.path)


def _identities(results: Path) -> Iterator[str]:
    for path in sorted(results.rglob("*.json")):
        if FOLDER in path.parts:
            continue
        record = read_record(path)
        if record is not None:
            for entry in (record, *record.get(ACCEPTED, [])):
                yield entry["identity"][:SHOWN]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.stat().st_nlink == 1)
