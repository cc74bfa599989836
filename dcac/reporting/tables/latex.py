"""Tables as LaTeX (booktabs), ready for \\input; escaping is done by pandas."""

from collections.abc import Sequence
from itertools import groupby

import pandas as pd

from dcac.reporting.tables.cells import METRIC_NAMES, METRICS, Cell, Row
from dcac.reporting.tables.page import Page
from dcac.reporting.tables.ranking import BEST, places, shown

PREAMBLE = "% needs \\usepackage{booktabs,graphicx}\n"
SYMBOLS = {
    "±": r"$\pm$",
    "→": r"$\rightarrow$",
    "−": r"$-$",
    "–": "--",
    "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "×": r"$\times$",
    "λ": r"$\lambda$",
    "τ": r"$\tau$",
}


def latex_document_part(page: Page) -> str:
    """Write every block as a table environment; the first carries the whole caption."""
    parts = []
    for number, (cells, rows) in enumerate(page.blocks):
        text = " ".join([f"{page.title}.", *page.notes]) if number == 0 else f"{page.title}, continued."
        parts.append(block(cells, rows, caption=text, label=f"tab:{page.name}{f'-{number + 1}' if number else ''}"))
    return PREAMBLE + "\n".join(parts)


def block(cells: list[Cell], rows: list[Row], *, caption: str, label: str) -> str:
    """Write one block with its caption; the best number is bold, the second underlined."""
    columns = [(cell, metric) for cell in cells for metric in METRICS]
    header = pd.MultiIndex.from_tuples(
        [(cell.sources, f"{cell.target} {METRIC_NAMES[metric]}") for cell, metric in columns],
        names=["trained on", "tested on"],
    )
    texts = [[shown(row.values.get(c), sign=row.kind == "difference") for c in columns] for row in rows]
    frame = pd.DataFrame(texts, index=[row.name for row in rows], columns=header)
    ranked = [places(rows, *column) for column in columns]
    styles = [[css(ranked[j].get(row.name)) for j in range(len(columns))] for row in rows]
    style = frame.style.format(escape="latex").format_index(escape="latex", axis=0).format_index(escape="latex", axis=1)
    style = style.apply(lambda _: pd.DataFrame(styles, index=frame.index, columns=frame.columns), axis=None)
    body = style.to_latex(hrules=True, column_format="l" + "c" * len(columns), multicol_align="c")
    body = with_rules(body, [cell.sources for cell, _ in columns])
    return symbols(
        "\\begin{table*}\n\\centering\n"
        f"\\caption{{{escape(caption)}}}\n\\label{{{label}}}\n\\smallskip\n"
        f"{fitted(body)}\n\\end{{table*}}\n"
    )


def with_rules(body: str, sources: Sequence[str]) -> str:
    """Draw a line under each source set of the first head row.

    Args:
        sources: of each column of numbers.
    """
    ends, rules = 1, []
    for _, group in groupby(sources):
        start, ends = ends + 1, ends + len(list(group))
        rules.append(f"\\cmidrule(lr){{{start}-{ends}}}")
    head, rest = body.split("\\\\\n", 1)
    return f"{head}\\\\\n{' '.join(rules)}\n{rest}"


def fitted(body: str) -> str:
    """Shrink a table that is wider than the page; a narrower one keeps its size."""
    return f"\\resizebox{{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}}{{!}}{{%\n{body}}}"


def css(place: str | None) -> str:
    """Return the pandas style that wraps a cell in a LaTeX command."""
    if place is None:
        return ""
    return "textbf:--rwrap;" if place == BEST else "underline:--rwrap;"


def escape(text: str) -> str:
    """Escape a running text with pandas' own table."""
    style = pd.DataFrame([[text]]).style.format(escape="latex").hide(axis="index").hide(axis="columns")
    return style.to_latex().splitlines()[1].removesuffix(r"\\").strip()


def symbols(text: str) -> str:
    """Write the symbols that pdflatex does not know by their commands."""
    for symbol, command in SYMBOLS.items():
        text = text.replace(symbol, command)
    return text
