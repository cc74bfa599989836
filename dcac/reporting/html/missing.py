"""What a report does not show, and why."""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from dcac.suites import Suite


def missing(
    suite: Suite,
    records: Mapping[str, pd.DataFrame],
    labels: Mapping[str, str],
    told: Sequence[str],
    figures: Collection[str] = (),
) -> list[str]:
    """Name what is not possible here, cells without numbers, and what is made only when asked for.

    Args:
        records: by table.
        told: sentences on what is not possible.
        figures: names of those that are made.
    """
    found = list(told)
    for name, table in suite.tables.items():
        if table.kind == "scores" and not table.on_demand and name not in records:
            found.append(f"{table.title}: not among what this page was made from; ask for results/tables/{name}.md.")
    for name, own in records.items():
        found += [f"{suite.tables[name].title}: {cell}." for cell in _cells(suite, name, own, labels)]
    for kind, entries in (("tables", suite.tables), ("figures", suite.figures)):
        later = [
            f"{name} ({entry.title})" for name, entry in entries.items() if entry.on_demand and name not in figures
        ]
        if later:
            found.append(f"Made when asked for, by snakemake on_demand: {kind} {', '.join(later)}.")
    return found


def _cells(suite: Suite, name: str, records: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    """Name the cells of a table that a variant has no number in."""
    there = set(zip(records["variant"], records["sources"], records["target"], strict=True))
    protocol = suite.protocols[suite.tables[name].protocol]
    return [
        f"{labels.get(variant, variant)} has no number on {sources} → {target}"
        for variant in suite.variants_of(name)
        for sources, targets in protocol.items()
        for target in targets
        if (variant, sources, target) not in there
    ]
