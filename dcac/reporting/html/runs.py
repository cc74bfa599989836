"""The runs of a suite: what each cost, on which machine, and how its losses and diagnostics went."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dcac.declared import diagnostics, term_labels
from dcac.reading import naming_damage, read_json
from dcac.reporting.html.charts import lines

ASIDE = ("event", "epoch", "seconds", "peak_memory_bytes")  # of an epoch's line: no curves
REMEDY = "delete the run's folder and train it again"
HOUR = 3600  # seconds


class Run(NamedTuple):
    """One finished training."""

    variant: str
    sources: str
    seed: str
    report: Mapping[str, Any]  # run.json
    start: Mapping[str, Any]  # the log's first line: machine, versions
    epochs: tuple[Mapping[str, Any], ...]  # a line each

    @property
    def pace(self) -> float:
        """Images a second, median over epochs."""
        return float(np.median([line["images_per_second"] for line in self.epochs]))


class Curve(NamedTuple):
    """One chart: its title, its specification, and what it shows in words."""

    title: str
    chart: dict[str, Any]
    text: str


def read_run(report: Path) -> Run:
    """Read a run by its report (run.json); the log lies beside it."""
    variant, sources, seed = report.parts[-4:-1]
    log = report.with_name("log.jsonl")
    with naming_damage(log, REMEDY, also=(ValueError, LookupError)):
        events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        start, epochs = events[0], tuple(line for line in events if line["event"] == "epoch")
    content = read_json(report, keys=("seconds", "peak_memory_bytes", "code"), remedy=REMEDY)
    return Run(variant, sources, seed.removeprefix("seed"), content, start, epochs)


def duration(seconds: float) -> str:
    """Write a time in the unit that fits it."""
    unit, size = next(((u, s) for u, s in (("h", HOUR), ("min", 60)) if seconds >= s), ("s", 1))
    return f"{seconds / size:.1f} {unit}"


def cost_table(runs: Sequence[Run], labels: Mapping[str, str]) -> dict[str, list]:
    """Write what each run cost."""
    rows = [
        [
            labels.get(run.variant, run.variant),
            run.sources,
            run.seed,
            str(len(run.epochs)),
            duration(run.report["seconds"]),
            f"{run.pace:.0f}",
            f"{run.report['peak_memory_bytes'] / 2**30:.2f}",
            str(run.start.get("device", "–")),
        ]
        for run in runs
    ]
    columns = ["method", "trained on", "seed", "epochs", "time", "images/s", "peak memory (GiB)", "machine"]
    return {"columns": columns, "rows": rows}


def machines(runs: Sequence[Run]) -> list[str]:
    """Name the machines, each with its number of runs and its libraries."""
    found: dict[str, int] = {}
    for run in runs:
        versions = run.start.get("environment", {})
        libraries = ", ".join(f"{name} {versions[name]}" for name in ("python", "torch", "timm") if name in versions)
        words = f"{run.start.get('device', 'unknown')} × {run.start.get('processes', 1)}: {libraries}"
        found[words] = found.get(words, 0) + 1
    return [f"{words} ({count} run{'' if count == 1 else 's'})" for words, count in found.items()]


def curves(runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> dict[str, list[Curve]]:
    """Draw the curves of all runs of each source set: a chart a quantity, a line a run.

    Returns:
        The charts of each source set.
    """
    names = titles()
    found: dict[str, list[Curve]] = {}
    for sources in dict.fromkeys(run.sources for run in runs):
        own = [run for run in runs if run.sources == sources]
        keys = dict.fromkeys(key for run in own for line in run.epochs for key in line if key not in ASIDE)
        for key in sorted(keys, key=lambda key: list(names).index(key) if key in names else len(names)):
            title = names.get(key, key)
            rows = [
                {
                    "method": labels.get(run.variant, run.variant),
                    "seed": run.seed,
                    "epoch": line["epoch"],
                    title: line[key],
                }
                for run in own
                for line in run.epochs
                if line.get(key) is not None
            ]
            if rows:
                text = _text(title, sources, own, key, labels)
                chart = lines(rows, x="epoch", y=title, colours=colours, detail="seed", text=text)
                found.setdefault(sources, []).append(Curve(title, chart, text))
    return found


def titles() -> dict[str, str]:
    """Name the quantities of an epoch's line, in the order of the page."""
    losses = {f"loss_{name}": f"loss: {label}" for name, label in term_labels().items()}
    return losses | {"images_per_second": "images/s", "lr": "learning rate"} | diagnostics()


def _text(title: str, sources: str, runs: Sequence[Run], key: str, labels: Mapping[str, str]) -> str:
    """Say in words where the lines start and end."""
    ends = []
    for run in runs:
        values = [line[key] for line in run.epochs if line.get(key) is not None]
        if values:
            name = labels.get(run.variant, run.variant)
            ends.append(f"{name}, seed {run.seed}: {values[0]:.3g} to {values[-1]:.3g}")
    return f"{title} by epoch, trained on {sources}. {'; '.join(ends)}."
