"""`dcac records | table | overhead_table | figure | report | metrics`: what people read."""

from pathlib import Path
from typing import Annotated

import typer

from dcac.cli_given import methods_of
from dcac.cli_options import Panels, Steps, named_once, once_each, suffixed
from dcac.cli_words import SuiteName, TableFiles, TableName, written

app = Steps()
PANEL = Panels.ORDER[5]
Published = Annotated[Path, typer.Option(help="other methods' numbers (.csv)")]
Accepted = Annotated[
    list[Path] | None,
    typer.Option(callback=once_each, help="report (run.json) of a run accepted by hand, for the footnote; repeat"),
]


@app.command("records", rich_help_panel=PANEL)
def records(
    scores: Annotated[list[Path], typer.Argument(callback=once_each, help="score files (.json)")],
    out: Annotated[Path, written(".csv")],
) -> None:
    """Collect score files into one record file.

    Example: dcac records scores/*/MA/seed*/D.json --out single.csv
    """
    from dcac.reporting import records

    records.run(scores=scores, out=out)


@app.command("table", rich_help_panel=PANEL)
def table(
    name: TableName,
    records: Annotated[Path, typer.Argument(help="records of the table (.csv)")],
    suite: SuiteName,
    published: Published,
    out: TableFiles,
    accepted: Accepted = None,
) -> None:
    """Write one table as Markdown, HTML, LaTeX and CSV.

    Example: dcac table dg_single single.csv --suite paper --published config/published.csv --out dg_single.md
    """
    from dcac.reporting import table
    from dcac.suites import load_suite

    chosen = load_suite(suite)
    table.run(
        name=name,
        suite=chosen,
        variants=methods_of(chosen),
        records=records,
        published=published,
        out=out,
        accepted=accepted or [],
    )


@app.command("overhead_table", rich_help_panel=PANEL)
def overhead_table(
    name: TableName,
    inputs: Annotated[
        list[Path], typer.Argument(callback=once_each, help="measurements of the table's variants (.json)")
    ],
    suite: SuiteName,
    out: TableFiles,
) -> None:
    """Write one table of what training costs as Markdown, HTML, LaTeX and CSV.

    Example: dcac overhead_table overhead overhead/*/MA.json --suite paper --out overhead.md
    """
    from dcac.reporting import overhead_table
    from dcac.suites import load_suite

    chosen = load_suite(suite)
    overhead_table.run(name=name, suite=chosen, variants=methods_of(chosen), inputs=inputs, out=out)


@app.command("figure", rich_help_panel=PANEL)
def figure(
    name: Annotated[str, typer.Argument(help="a figure of the suite")],
    inputs: Annotated[
        list[Path],
        typer.Argument(
            callback=once_each, help="what its kind is drawn from: records, logs, samples, correlation, features"
        ),
    ],
    suite: SuiteName,
    out: Annotated[
        list[Path],
        typer.Option(
            callback=suffixed(".pdf", ".svg", ".png", ".json"),
            help="outputs: .pdf, .svg, .png, and .json for what it was drawn from",
        ),
    ],
) -> None:
    """Draw one figure as PDF, SVG and PNG.

    Example: dcac figure cmc single.csv --suite paper --out cmc.pdf
    """
    from dcac.reporting import figure
    from dcac.suites import load_suite

    chosen = load_suite(suite)
    figure.run(name=name, suite=chosen, variants=methods_of(chosen), inputs=inputs, out=out)


@app.command("report", rich_help_panel=PANEL)
def report(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            callback=once_each,
            help="records (.csv), scores (.json), features (.npz) for ranked lists, runs (run.json), normalised files (.parquet), "
            "figures (.svg, each with its .png beside it)",
        ),
    ],
    suite: SuiteName,
    published: Published,
    out: Annotated[
        list[Path], typer.Option(callback=suffixed(".html", ".json"), help="outputs: .html, and .json for its record")
    ],
    accepted: Accepted = None,
    told: Annotated[list[str] | None, typer.Option(help="a sentence on what is not possible here; repeat")] = None,
) -> None:
    """Write the suite on one page: tables, what stands behind each number, training, data, what is missing.

    Example: dcac report results/demo/records/*.csv results/demo/scores/*/*/*/*.json --suite demo --published
    config/published.csv --out report.html
    """
    from dcac.data.catalog import load_catalog
    from dcac.reporting import report
    from dcac.suites import CONFIG_DIR, load_suite

    chosen = load_suite(suite)
    cards = load_catalog(CONFIG_DIR / "datasets.yaml")
    report.run(
        suite=chosen,
        variants=methods_of(chosen),
        cards={code: cards[code] for code in chosen.domains if code in cards},
        inputs=inputs,
        published=published,
        out=out,
        accepted=accepted or [],
        told=told or [],
    )


@app.command("metrics", rich_help_panel=PANEL)
def metrics(
    records: Annotated[
        list[Path], typer.Argument(callback=named_once, help="record files (.csv), named as their tables")
    ],
    out: Annotated[Path, written(".json")],
) -> None:
    """Write the headline numbers that `dvc metrics show` prints.

    Example: dcac metrics results/paper/records/*.csv --out results/metrics.json
    """
    from dcac.reporting import metrics

    metrics.run(records=records, out=out)
