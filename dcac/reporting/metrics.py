"""The headline numbers of all tables, for `dvc metrics show`. In: record files. Out: metrics.json."""

from collections.abc import Sequence
from pathlib import Path

from dcac.provenance import write_json
from dcac.reporting.records import read_records


def run(*, records: Sequence[Path], out: Path) -> None:
    """Average mAP and rank-1 over cells and seeds: {table: {variant: {mAP, rank1}}}, in percent."""
    content = {}
    for path in records:
        means = read_records(path).groupby("variant")[["mAP", "rank1"]].mean() * 100
        content[path.stem] = {name: {k: round(float(v), 2) for k, v in row.items()} for name, row in means.iterrows()}
    write_json(out, content)
