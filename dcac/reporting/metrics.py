"""The headline numbers of all tables, for `dvc metrics show`. In: record files. Out: metrics.json."""

from collections.abc import Sequence
from pathlib import Path

from dcac.provenance import atomic, json_text
from dcac.provenance.outputs import require_output
from dcac.reporting.tables.recorded import read_records


def run(*, records: Sequence[Path], out: Path) -> None:
    """Write the headline numbers of all tables."""
    require_output(out, ".json", inputs=records)
    with atomic(out) as temporary:
        temporary.write_text(headline(records), encoding="utf-8")


def headline(records: Sequence[Path]) -> str:
    """Average mAP and rank-1 over cells and seeds, as JSON: {table: {variant: {mAP, rank1}}}, in percent."""
    content = {}
    for path in records:
        means = read_records(path).groupby("variant")[["mAP", "rank1"]].mean() * 100
        content[path.stem] = {name: {k: round(float(v), 2) for k, v in row.items()} for name, row in means.iterrows()}
    return json_text(content)
