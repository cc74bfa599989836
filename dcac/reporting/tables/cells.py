"""What stands in a table's cells: means over seeds, published numbers, paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dcac.evaluation.statistics import mean_and_sd
from dcac.reading import naming_damage
from dcac.suites import Variant

METRIC_NAMES = {"mAP": "mAP", "rank1": "R1"}
METRICS = tuple(METRIC_NAMES)
MARKS = {"uses-target-data": "†", "input>256x128": "‡"}
CELLS_PER_BLOCK = 6  # the paper's Tables 2 and 3 have as many
CELLS_PER_NARROW_BLOCK = 3  # with mAP and rank-1 of each, some hundred characters


class Cell(NamedTuple):
    """One column pair: what was learnt from, and what was scored."""

    sources: str
    target: str

    def __str__(self) -> str:
        return f"{self.sources} → {self.target}"


class Value(NamedTuple):
    """A number of a table, in percent."""

    mean: float
    sd: float | None  # sample standard deviation over seeds; None for a single number
    n: int  # seeds; 0 for a published number


@dataclass
class Row:
    """One method's numbers."""

    name: str
    kind: str  # published, reference, ours, difference
    values: dict[tuple[Cell, str], Value] = field(default_factory=dict)
    variant: str = ""  # whose numbers, or difference to the paper, they are; none of published rows


def blocks(protocol: Mapping[str, Sequence[str]]) -> list[list[Cell]]:
    """Group a protocol's cells into tables of at most six, keeping the targets of one source set together."""
    groups: list[list[Cell]] = []
    for sources, targets in protocol.items():
        cells = [Cell(sources, target) for target in targets]
        if groups and len(groups[-1]) + len(cells) <= CELLS_PER_BLOCK:
            groups[-1] += cells
        else:
            groups.append(cells)
    return groups


def narrow_blocks(protocol: Mapping[str, Sequence[str]]) -> list[list[Cell]]:
    """Group a protocol's cells into tables that a screen is wide enough for: one a source set, at most three cells each.

    Neighbouring source sets with a single target each share a table.
    """
    groups: list[list[Cell]] = []
    alone = False  # whether the last group is of source sets with one target
    for sources, targets in protocol.items():
        cells = [Cell(sources, target) for target in targets]
        if alone and len(cells) == 1:
            groups[-1] += cells
        else:
            groups.append(cells)
        alone = len(cells) == 1
    return [part for group in groups for part in _in_equal_parts(group, most=CELLS_PER_NARROW_BLOCK)]


def _in_equal_parts(cells: Sequence[Cell], *, most: int) -> list[list[Cell]]:
    count = -(-len(cells) // most)
    starts = [len(cells) * part // count for part in range(count + 1)]
    return [list(cells[start:end]) for start, end in pairwise(starts)]


def own_rows(
    records: pd.DataFrame,
    cells: Sequence[Cell],
    order: Sequence[str],
    labels: Mapping[str, str],
    *,
    references: Sequence[str] = (),
) -> list[Row]:
    """Average our runs over seeds; what learnt from no source repeats in every column of its target.

    Args:
        references: those of `order` that were not trained here; a network of others has numbers where its sources are a cell's.
    """
    rows = []
    for variant in order:
        mine = records[records["variant"] == variant]
        learnt = not (mine["sources"] == "none").all()
        foreign = learnt and variant in references
        name = labels.get(variant, variant) + (marks_of(mine) if variant in references else "")
        row = Row(name, "ours" if learnt and not foreign else "reference", variant=variant)
        for cell in cells:
            found = mine[(mine["target"] == cell.target) & (mine["sources"] == (cell.sources if learnt else "none"))]
            for metric in METRICS if len(found) else ():
                mean, sd, n = mean_and_sd((100 * found.sort_values("seed")[metric]).tolist())
                row.values[cell, metric] = Value(mean, sd, n)
        rows.append(row)
    return rows


def marks_of(records: pd.DataFrame) -> str:
    """Mark a network whose images are larger than the literature's 256 x 128, as published rows are marked."""
    sizes = records.get("image_height", pd.Series()) * records.get("image_width", pd.Series())
    return f" {MARKS['input>256x128']}" if (sizes > 256 * 128).any() else ""


def published_rows(path: Path, protocol: str, origins: Sequence[str], cells: Sequence[Cell]) -> list[Row]:
    """Read other methods' numbers for these cells, in the papers' row order, marked † and ‡ as there.

    Args:
        protocol: Protocol-2 and Protocol-3 have the same cells, often from the same origin.
        origins: their rows follow each other in this order.
    """
    with naming_damage(path, "correct it, or take it from the repository again", also=(ValueError,)):
        table = pd.read_csv(path, na_values=["unknown", "not reported"])
    table = table[(table["protocol"] == protocol) & table["origin"].isin(origins)]
    table = table.assign(place=table["origin"].map(list(origins).index)).sort_values(["place", "order"])
    rows: dict[str, Row] = {}
    for entry in table.itertuples():
        cell = Cell(entry.sources, entry.target)
        if cell not in cells:
            continue
        row = rows.setdefault(entry.method, Row(entry.method, "published"))
        for metric in METRICS:
            value = getattr(entry, metric)
            if pd.notna(value):
                row.values[cell, metric] = Value(float(value), None, 0)
        marks = "".join(mark for flag, mark in MARKS.items() if flag in str(entry.flags).split(";"))
        row.name = entry.method + (f" {marks}" if marks else "")
    return list(rows.values())


def differences_to_paper(rows: Sequence[Row], variants: Mapping[str, Variant]) -> list[Row]:
    """Subtract the paper's own rows from ours, where both exist."""
    by_name = {row.name: row for row in rows if row.kind == "published"}
    found = []
    for key, variant in variants.items():
        ours = next((row for row in rows if row.kind == "ours" and row.name == variant.label), None)
        if ours is None or variant.published not in by_name:
            continue
        theirs = by_name[variant.published].values
        values = {at: Value(v.mean - theirs[at].mean, None, v.n) for at, v in ours.values.items() if at in theirs}
        found.append(Row(f"{ours.name} − paper", "difference", values, key))
    return found


def paired_differences(records: pd.DataFrame, variant: str, baseline: str) -> pd.DataFrame:
    """Subtract the baseline from a variant, seed by seed: percent points, one row a cell and seed."""
    keys = ["sources", "target", "seed"]
    verdicts = [f"{metric}_verdict" for metric in METRICS]
    mine = records[records["variant"] == variant][[*keys, *METRICS, *verdicts]]
    theirs = records[records["variant"] == baseline][[*keys, *METRICS]]
    joined = mine.merge(theirs, on=keys, suffixes=("", "_baseline"))
    for metric in METRICS:
        joined[f"{metric}_difference"] = 100 * (joined[metric] - joined[f"{metric}_baseline"])
    return joined
