"""Counts found beside counts expected: the box that every import prints; and whether anything can be scored at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dcac.data.catalog import SetVariant
from dcac.data.store import Record

FIELDS = ("ids", "images", "cameras")


class CountError(ValueError):
    """The counts of a data set are not those of its card; the message holds the box."""


def queries_without_match(records: Iterable[Record]) -> int:
    """Count the queries whose identity no other camera of the gallery shows; the scorer skips them."""
    records = list(records)
    cameras: dict[int, set[int]] = {}
    for record in records:
        if record.split == "gallery":
            cameras.setdefault(record.pid, set()).add(record.camid)
    queries = (record for record in records if record.split == "query")
    return sum(not cameras.get(query.pid, set()) - {query.camid} for query in queries)


def require_matches(records: Iterable[Record], name: str) -> None:
    """Refuse a data set that nothing could ever be scored on.

    Raises:
        CountError: There are queries, but not one has a gallery image of its identity by another camera.
    """
    records = list(records)
    queries = [record for record in records if record.split == "query"]
    if not queries or queries_without_match(records) < len(queries):
        return
    cameras = sorted({record.camid for record in records if record.split != "train"})
    seen = f"all are of camera {cameras[0]}" if len(cameras) == 1 else f"{len(cameras)} cameras are told apart"
    raise CountError(
        f"{name}: not one of {len(queries)} queries has a gallery image of its identity by another camera ({seen}), so "
        "nothing can be scored; correct the cameras in the names, or leave query and gallery out and import the train "
        "images alone"
    )


@dataclass(frozen=True)
class Comparison:
    """Counts of an import against the card.

    Args:
        found: Per split, ids, images and cameras.
        dropped: Images left out on purpose, by reason.
        expected: The variant of the card.
    """

    found: Mapping[str, Mapping[str, int]]
    dropped: Mapping[str, int]
    expected: SetVariant

    def deviations(self) -> list[str]:
        """Name every count that is not the expected one."""
        rows = [(row, cells) for row, cells in self._rows() if any(wanted not in (None, got) for got, wanted in cells)]
        return [
            f"{row} {field} {got}, expected {wanted}"
            for row, cells in rows
            for field, (got, wanted) in zip(FIELDS, cells, strict=True)
            if wanted not in (None, got)
        ]

    def box(self) -> str:
        """Draw `subset | # ids | # images | # cameras`; a count that differs shows the expected one beside it."""
        table: list[tuple[str, ...]] = [("subset", "# ids", "# images", "# cameras")]
        table += [(row, *(_cell(got, wanted) for got, wanted in cells)) for row, cells in self._rows()]
        widths = [max(len(line[column]) for line in table) for column in range(4)]
        lines = [" | ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in table]
        return "\n".join([lines[0], "-+-".join("-" * width for width in widths), *lines[1:]])

    def _rows(self) -> list[tuple[str, list[tuple[int | None, int | None]]]]:
        """Return each row's name and its (found, expected) pairs; None is not counted or not known."""
        rows: list[tuple[str, list[tuple[int | None, int | None]]]] = []
        expected = self.expected.splits()
        for split in ("train", "query", "gallery"):
            if split not in self.found and split not in expected:
                continue
            got, wanted = self.found.get(split, {}), expected.get(split)
            absent = 0 if wanted is None else None  # a split that the card does not have must stay empty
            rows.append((split, [(got.get(field, 0), getattr(wanted, field, absent)) for field in FIELDS]))
        for reason in sorted({*self.dropped, *self.expected.dropped}):
            pair = (self.dropped.get(reason, 0), self.expected.dropped.get(reason, 0))
            rows.append((f"dropped: {reason}", [(None, None), pair, (None, None)]))
        return rows


def _cell(found: int | None, expected: int | None) -> str:
    if found is None:
        return ""
    return str(found) if expected in (None, found) else f"{found} (expected {expected})"
