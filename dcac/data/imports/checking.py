"""Check a normalised file again. In: the file with its sidecar. Out: problems; none means it is as it was written."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dcac.data.imports.verifying import Finding, verify
from dcac.data.store import EMBEDDED, SPLITS, Record, content_line, count, read_group, read_sidecar
from dcac.data.stored_rows import open_store
from dcac.data.workers import spread
from dcac.provenance import sha256
from dcac.reading import naming_damage

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checked:
    """The outcome of a check.

    Args:
        sidecar: What the file says of itself.
        problems: Every disagreement between file and sidecar, and every unreadable image; empty when all is well.
    """

    sidecar: dict
    problems: tuple[str, ...]

    @property
    def report(self) -> str:
        """One line when all is well, else one a problem."""
        if self.problems:
            return "\n".join([f"{len(self.problems)} problems:", *(f"  {problem}" for problem in self.problems)])
        stamp = "" if self.sidecar.get("standard", True) else ", NON-STANDARD"
        images = f"{self.sidecar.get('dataset')}: {self.sidecar['images']} images decode"
        return f"{images}; labels, order, counts and hashes agree{stamp}"


def run(path: Path, *, workers: int = 1) -> Checked:
    """Verify that every image decodes and that labels, order, counts, hashes and the embedded facts are the sidecar's.

    Args:
        workers: Processes that decode images.

    Raises:
        ValueError: The sidecar is missing or unusable, or the file is no Parquet file of this kind.
    """
    sidecar = read_sidecar(path)
    problems = []
    if sha256(path) != sidecar.get("sha256"):
        problems.append("the file is not the one its sidecar describes (sha256 differs)")
    with open_store(path) as file:
        groups, metadata = range(file.num_row_groups), file.schema_arrow.metadata or {}
    embedded = _embedded(metadata, path)
    problems += [
        f"{key} is {embedded.get(key)!r} in the file, {sidecar.get(key)!r} in the sidecar"
        for key in EMBEDDED
        if embedded.get(key) != sidecar.get(key)
    ]
    rows, findings = _read_groups(path, groups, workers)
    return Checked(sidecar, (*problems, *_compare(rows, findings, sidecar)))


def _read_groups(path: Path, groups: range, workers: int) -> tuple[list[Record], list[Finding]]:
    results = spread(partial(_check_group, path), groups, workers=workers, progress=_say)
    return [row for rows, _ in results for row in rows], [finding for _, found in results for finding in found]


def _check_group(path: Path, group: int) -> tuple[list[Record], list[Finding]]:
    """Decode one row group; the records returned have no image data, so that they are cheap to send."""
    rows: list[Record] = []
    findings: list[Finding] = []
    for frame in read_group(path, group):
        findings += verify(_records(frame, list(frame["data"])), workers=1)
        rows += _records(frame, [b""] * len(frame))
    return rows, findings


def _embedded(metadata: Mapping[bytes, bytes], path: Path) -> dict:
    """Read the facts within the file; other tools leave them out."""
    if b"dcac" not in metadata:
        return {}
    with naming_damage(path, "import the data set again"):
        return dict(json.loads(metadata[b"dcac"]))


def _say(done: int, groups: int) -> None:
    log.info("checked %d of %d row groups", done, groups)


def _records(frame: "pandas.DataFrame", data: list[bytes]) -> list[Record]:
    columns = [frame[name].tolist() for name in ("split", "pid", "camid", "domain", "path")]
    captions = [tuple(caption) for caption in frame["caption"]] if "caption" in frame else [None] * len(frame)
    return [Record(*row) for row in zip(*columns, data, captions, strict=True)]


def _compare(rows: list[Record], findings: list[Finding], sidecar: dict) -> list[str]:
    problems = [f"{row.path}: {f.problem}" for row, f in zip(rows, findings, strict=True) if f.problem]
    order = [(SPLITS.index(row.split) if row.split in SPLITS else -1, row.path) for row in rows]
    if order != sorted(set(order)) or any(rank < 0 for rank, _ in order):
        problems.append("images are not sorted by split and path, or a path occurs twice")
        return problems
    if any(row.pid < 0 or row.camid < 0 or row.domain != sidecar.get("dataset") for row in rows):
        problems.append(f"a label is negative, or a domain is not {sidecar.get('dataset')}")
    found = count(rows, distractor_pid=sidecar.get("distractor_pid"))
    if found != sidecar.get("counts") or len(rows) != sidecar.get("images"):
        problems.append(f"counts are {found} in the file, {sidecar.get('counts')} in the sidecar")
    content = hashlib.sha256()
    for row, finding in zip(rows, findings, strict=True):
        content.update(content_line(row.split, row.path, row.pid, row.camid, row.domain, finding.digest, row.caption))
    if content.hexdigest() != sidecar.get("content_sha256"):
        problems.append("labels or images are not those that were written (content_sha256 differs)")
    return problems
