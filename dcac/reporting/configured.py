"""What a page or picture prints beside its records: words and cells from the configuration, and runs accepted by hand.

Tables and figures stand by it: a changed title, label or published number makes exactly what shows it again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dcac import declared
from dcac.provenance import sha256
from dcac.reporting.html.template import look
from dcac.reporting.tables.accepted import read_accepted
from dcac.suites import Suite, Variant


def configured(suite: Suite, table: str, variants: Mapping[str, Variant]) -> dict[str, Any]:
    """Return what a table, or a figure drawn from it, takes from the configuration, as plain JSON values."""
    entry = suite.table(table)
    shown = [
        *suite.references,
        *suite.variants_of(table),
        *(variants[name].baseline for name in suite.variants_of(table)),
    ]
    return {
        "title": suite.title,
        "demo": suite.demo,
        "remark": suite.remark.model_dump(mode="json") if suite.remark else None,
        "table": entry.model_dump(mode="json", exclude={"seeds", "on_demand"}),
        "cells": {sources: list(targets) for sources, targets in suite.protocols[entry.protocol].items()},
        "references": list(suite.references),
        "names": {"diagnostics": declared.diagnostics(), "terms": declared.term_labels()},
        "variants": {
            name: {key: value for key, value in variants[name]._asdict().items() if key != "changes"}
            for name in dict.fromkeys(shown)
            if name in variants
        },
    }


def configured_scores(
    suite: Suite,
    table: str,
    variants: Mapping[str, Variant],
    *,
    published: Path,
    accepted: Sequence[Path] = (),
) -> dict[str, Any]:
    """Return what a table of scores prints beside its records: `configured`, published numbers, and runs accepted by hand.

    Args:
        published: file of other methods' numbers, which acts by its content.
        accepted: reports (run.json) of the accepted runs among the table's.
    """
    notes = {entry.run: list(entry.modules) for entry in read_accepted(accepted)}
    return configured(suite, table, variants) | {"published": sha256(published), "accepted": notes}


def configured_figure(suite: Suite, name: str, variants: Mapping[str, Variant]) -> dict[str, Any]:
    """Return what a figure takes from the configuration: its entry, and what its table does."""
    entry = suite.figure(name)
    return configured(suite, entry.table, variants) | {"figure": entry.model_dump(mode="json", exclude={"on_demand"})}


def configured_report(
    suite: Suite,
    tables: Sequence[str],
    variants: Mapping[str, Variant],
    cards: Mapping[str, Any],
    *,
    published: Path,
    accepted: Sequence[Path] = (),
    told: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what the page of a suite takes from elsewhere than its inputs: what its tables do, data cards, and its look.

    Args:
        cards: what is printed of the data sets' cards.
        told: sentences on what is not possible here.
    """
    own = {
        name: configured_scores(suite, name, variants, published=published, accepted=accepted)
        for name in sorted(tables)
    }
    later = {
        kind: [[name, entry.title, entry.on_demand] for name, entry in entries.items()]
        for kind, entries in (("tables", suite.tables), ("figures", suite.figures))
    }
    return {
        "tables": own,
        "all": later,
        "cards": dict(cards),
        "figures": {name: entry.model_dump(mode="json") for name, entry in suite.figures.items()},
        "faces": suite.report_faces,
        "told": list(told),
        "look": look(),
    }
