"""Write the table of computational overhead. In: one measurement a variant and source set. Out: {table}.md, .html, .tex, .csv, a record."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dcac.provenance import atomic
from dcac.provenance.outputs import require_outputs
from dcac.provenance.record import ask, made_inputs, split_off_records, write_record
from dcac.reading import read_json
from dcac.reporting.configured import configured
from dcac.reporting.html.tables import plain_page
from dcac.reporting.tables.labels import method_labels
from dcac.reporting.tables.latex import PREAMBLE, escape, fitted, symbols
from dcac.reporting.tables.markdown import grid
from dcac.suites import Suite, Variant

Measurement = Mapping[
    str, Any
]  # as the step `overhead` writes it, with the variant that it is compared with as `baseline`
Measurements = Mapping[str, Measurement]  # under the names of their rows, in the table's order
COUNTS = ("total", "trained", "tested")
NEEDED = (
    "variant",
    "sources",
    "batch",
    "precision",
    "runtime",
    "device",
    "environment",
    "steps",
    "parameters",
    "seconds",
)
COLUMNS = (
    "method",
    "parameters (M)",
    "trained (M)",
    "needed to test (M)",
    "ms a step (quartiles)",
    "images/s",
    "peak memory (GiB)",
    "time × baseline",
    "memory × baseline",
)
MEANING = (
    "Cost of a training step: parameters of the whole model (a frozen U-Net included), of what trains, and of what testing "
    "needs (encoder and BNNeck), in millions; median time and quartiles; peak memory; time and memory as multiples of "
    "the baseline's."
)
GPU_MEMORY = "Memory on a GPU is what the tensors of the timed steps hold at most."
CPU_MEMORY = "Memory on a CPU is what the whole process holds at most, libraries and data included."


def run(
    *, name: str, suite: Suite, variants: Mapping[str, Variant], inputs: Sequence[Path], out: Sequence[Path]
) -> None:
    """Write the table in the format that each output's suffix names, .md, .html, .tex or .csv; in .json what it was made from.

    Raises:
        ValueError: a measurement does not belong in the table, or two are of the same variant and sources.
    """
    require_outputs(out, ".md", ".html", ".tex", ".csv", ".json", inputs=inputs)
    table = suite.table(name)
    measured = read_measurements(inputs, name, suite, variants)
    title, rows = f"{suite.title}: {table.title}", printed(measured)
    notes = [MEANING, *describe(measured), *([table.note] if table.note else [])]
    writers = {
        ".md": lambda: "\n\n".join([f"# {title}", notes[0], grid(rows), *notes[1:]]) + "\n",
        ".html": lambda: plain_page(title, notes, rows),
        ".tex": lambda: latex(rows, caption=" ".join([f"{title}.", *notes]), label=f"tab:{name}"),
        ".csv": lambda: tidy(measured).to_csv(index=False, float_format="%.6g"),
    }
    asked = ask(__name__, configured(suite, name, variants), made_inputs(inputs))
    pages, sidecars = split_off_records(out)
    for path in pages:
        with atomic(path) as temporary:
            temporary.write_text(writers[path.suffix](), encoding="utf-8")
    for sidecar in sidecars:
        write_record(sidecar, asked)


def read_measurements(paths: Sequence[Path], name: str, suite: Suite, variants: Mapping[str, Variant]) -> Measurements:
    """Read the measurements into the table's order; a row names its sources only where the table has several."""
    protocol = suite.protocols[suite.table(name).protocol]
    wanted = [(variant, sources) for sources in protocol for variant in suite.variants_of(name)]
    found: dict[tuple[str, str], Measurement] = {}
    for path in paths:
        content = read_json(path, keys=NEEDED, remedy="delete it and run `dcac overhead` again")
        key = content["variant"], content["sources"]
        what = f"{path} measures '{key[0]}' on {key[1]}"
        if key not in wanted:
            raise ValueError(f"{what}, which table '{name}' does not compare; leave it out, or add it to the suite")
        if key in found:
            raise ValueError(f"{what}, as another file does; give one of them")
        found[key] = {**content, "baseline": variants[key[0]].baseline if key[0] in variants else key[0]}
    labels = method_labels(variants)
    several = len({sources for _, sources in found}) > 1
    names = {key: labels.get(key[0], key[0]) + (f", {key[1]}" if several else "") for key in wanted}
    return {names[key]: found[key] for key in wanted if key in found}


def conditions(measurement: Measurement) -> dict[str, str]:
    """Name everything that must be equal for two measurements to be compared."""
    processes = measurement["processes"]
    switches = [
        name.replace("_", " ") + ("" if value is True else f" {value}")
        for name, value in measurement["runtime"].items()
        if value not in (None, False)
    ]
    return {
        "batch": f"a batch of {measurement['batch']} images",
        "precision": measurement["precision"],
        "runtime": ", ".join(switches) or "no runtime switch on",
        "hardware": measurement["device"] + (f" × {processes}" if processes > 1 else ""),
        "software": f"torch {measurement['environment']['torch']}",
    }


def describe(measured: Measurements) -> list[str]:
    """Say under what conditions was measured, where they differ, and what memory means."""
    found = pd.DataFrame.from_dict({name: conditions(m) for name, m in measured.items()}, orient="index")
    common = [values.iloc[0] for _, values in found.items() if values.nunique() == 1]
    steps = " or ".join(str(number) for number in sorted({m["steps"] for m in measured.values()}))
    sources = ", ".join(dict.fromkeys(m["sources"] for m in measured.values()))
    notes = [f"Measured with {'; '.join([*common, f'trained on {sources}', f'timed steps: {steps}'])}."]
    mixed = [
        f"{condition} ({'; '.join(f'{name}: {value}' for name, value in values.items())})"
        for condition, values in found.items()
        if values.nunique() > 1
    ]
    if mixed:
        notes.append(
            f"Not comparable throughout, since measured under different conditions: {', '.join(mixed)}; "
            "a multiple stands only where the baseline was measured under the same."
        )
    on_cpu = {m["device"].startswith("cpu") for m in measured.values()}
    return notes + ([GPU_MEMORY] if False in on_cpu else []) + ([CPU_MEMORY] if True in on_cpu else [])


def multiples(measured: Measurements, name: str) -> tuple[float, float] | None:
    """Divide time and memory by those of its baseline on the same sources; None without one under the same conditions."""
    own = measured[name]
    for other in measured.values():
        if (other["variant"], other["sources"]) == (own["baseline"], own["sources"]) and conditions(
            other
        ) == conditions(own):
            time = own["seconds"]["median"] / other["seconds"]["median"]
            return time, own["peak_memory_bytes"] / other["peak_memory_bytes"]
    return None


def printed(measured: Measurements) -> pd.DataFrame:
    """Write every number as the table shows it."""
    rows = []
    for name, m in measured.items():
        median, low, high = (f"{1000 * m['seconds'][key]:.1f}" for key in ("median", "low", "high"))
        factors = multiples(measured, name)
        relative = [f"{factor:.2f}" for factor in factors] if factors else ["–", "–"]
        counts = [f"{m['parameters'][kind] / 1e6:.2f}" for kind in COUNTS]
        pace = [f"{median} ({low}–{high})", f"{m['images_per_second']:.1f}", f"{m['peak_memory_bytes'] / 2**30:.2f}"]
        rows.append([name, *counts, *pace, *relative])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def latex(rows: pd.DataFrame, *, caption: str, label: str) -> str:
    """Write the rows as a table environment."""
    style = rows.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    body = style.to_latex(hrules=True, column_format="l" + "c" * (len(rows.columns) - 1))
    return symbols(
        f"{PREAMBLE}\\begin{{table*}}\n\\centering\n\\caption{{{escape(caption)}}}\n\\label{{{label}}}\n"
        f"{fitted(body)}\n\\end{{table*}}\n"
    )


def tidy(measured: Measurements) -> pd.DataFrame:
    """Return one row a measurement, in base units."""
    rows = []
    for name, m in measured.items():
        numbers = {f"parameters_{kind}": m["parameters"][kind] for kind in COUNTS}
        numbers |= {f"seconds_{key}": m["seconds"][key] for key in ("median", "low", "high")}
        numbers |= {key: m[key] for key in ("images_per_second", "peak_memory_bytes")}
        numbers |= dict(
            zip(("time_multiple", "memory_multiple"), multiples(measured, name) or (None, None), strict=True)
        )
        origin = {key: m[key] for key in ("sources", "batch", "steps", "precision", "device", "processes")}
        origin |= {"runtime": conditions(m)["runtime"], "torch": m["environment"]["torch"]}
        rows.append({"method": name, **numbers, **origin})
    return pd.DataFrame(rows)
