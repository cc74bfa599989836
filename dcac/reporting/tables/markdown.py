"""Tables as a Markdown page, in blocks that a screen is wide enough for."""

from collections.abc import Iterator

import pandas as pd
from tabulate import tabulate

from dcac.declared import diagnostics
from dcac.reporting.tables.cells import METRIC_NAMES, METRICS, Cell, Row
from dcac.reporting.tables.comparisons import INTERVAL_NOTE
from dcac.reporting.tables.page import Page
from dcac.reporting.tables.ranking import BEST, places, shown

RUN_HEADINGS = {"variant": "method"}
TURNED = 4  # methods side by side
DIAGNOSTICS_NOTE = (
    "Conditioning diagnostics of the last epoch, mean over seeds: norm of each unweighted loss term's gradient at the encoder's "
    "features, cosine between the noise term and the sum of the others, sharpness of p, and the noise loss of held-out people under "
    "their own condition, none (null), and another image's (other), with 95 % intervals of the paired differences over a run's images."
)


def markdown_page(page: Page) -> str:
    """Write the whole page: blocks, summary, diagnostics, notes."""
    parts = [f"# {page.title}", page.notes[0]]
    for cells, rows in page.narrow_blocks:
        parts += [*trained_on(cells), block(cells, rows)]
    if len(page.levels):
        note = f" {INTERVAL_NOTE}" if "interval of mAP" in page.levels else ""
        parts += [f"**Mean over all cells**.{note}", grid(page.levels)]
    if len(page.differences):
        parts += ["**Differences**, paired by seed, on the mean over all cells.", turned(page.differences)]
    parts += page.notes[1:]
    if len(page.diagnostics):
        parts.append(DIAGNOSTICS_NOTE)
        for sources, few in diagnostic_blocks(page.diagnostics):
            parts += [f"**Trained on {sources}**", grid(few)]
    if any(mark in row.name for _, rows in page.blocks for row in rows for mark in "†‡"):
        parts.append("† uses target data. ‡ input larger than 256 × 128. – not reported.")
    return "\n\n".join(parts) + "\n"


def trained_on(cells: list[Cell]) -> list[str]:
    """Say once what the methods of a block learnt from, where all its cells share it."""
    return [f"**Trained on {cells[0].sources}**"] if common_sources(cells) else []


def common_sources(cells: list[Cell]) -> bool:
    """Tell whether a block is of several targets of one source set."""
    return len(cells) > 1 and len({cell.sources for cell in cells}) == 1


def block(cells: list[Cell], rows: list[Row]) -> str:
    """Write one block: a row a method, mAP and R1 of every cell; the head names sources where they differ."""
    columns = [(cell, metric) for cell in cells for metric in METRICS]
    ranked = {column: places(rows, *column) for column in columns}
    body = []
    for row in rows:
        sign = row.kind == "difference"
        line = [marked(shown(row.values.get(c), sign=sign), ranked[c].get(row.name)) for c in columns]
        body.append([row.name, *line])
    shared = common_sources(cells)
    headers = ["method", *(f"{c.target if shared else c} {METRIC_NAMES[metric]}" for c, metric in columns)]
    return pipes(body, headers)


def marked(text: str, place: str | None) -> str:
    """Set the best number bold and the second underlined."""
    if place is None:
        return text
    return f"**{text}**" if place == BEST else f"<u>{text}</u>"


def grid(table: pd.DataFrame) -> str:
    """Write a data frame of finished texts."""
    return pipes(table.values.tolist(), list(table.columns))


def turned(table: pd.DataFrame) -> str:
    """Write a data frame of finished texts, a column a method, as long as they are few."""
    return grid(side_by_side(table))


def side_by_side(table: pd.DataFrame) -> pd.DataFrame:
    """Turn a table of few methods so that each has a column."""
    if table.empty or len(table) > TURNED:
        return table
    name, *properties = table.columns
    rows = [[key, *table[key]] for key in properties]
    return pd.DataFrame(rows, columns=[name, *table[name]])


def diagnostic_blocks(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the source sets of a table of diagnostics, each with finished texts of a few methods, a column a method."""
    for sources, own in table.groupby("sources", sort=False) if len(table) else ():
        texts = own.drop(columns="sources").rename(columns=RUN_HEADINGS | diagnostics()).map(compact)
        for start in range(0, len(texts), TURNED):
            yield str(sources), side_by_side(texts.iloc[start : start + TURNED])


def pipes(body: list[list[str]], headers: list[str]) -> str:
    """Write rows of finished texts as a pipe table; a pipe or a line break within a text does not end its cell."""
    rows = [[" ".join(str(text).split("\n")).replace("|", "\\|") for text in row] for row in (headers, *body)]
    return tabulate(rows[1:], headers=rows[0], tablefmt="github", disable_numparse=True)


def compact(value: object) -> str:
    """Write a diagnostic with three significant digits; a missing one as –."""
    if isinstance(value, str):
        return value
    return "–" if pd.isna(value) else f"{value:.3g}"
