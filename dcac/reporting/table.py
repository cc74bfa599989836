"""Write one table as Markdown, LaTeX and CSV. In: the records of a protocol. Out: {table}.md, .tex, .csv."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dcac.provenance import atomic
from dcac.reporting.latex import latex_document_part
from dcac.reporting.markdown import markdown_page
from dcac.reporting.page import Page
from dcac.reporting.records import read_records
from dcac.suites import Suite, Variant


def run(
    *, name: str, suite: Suite, variants: Mapping[str, Variant], records: Path, published: Path, out: Sequence[Path]
) -> None:
    """Write the table in the format that each output's suffix names: .md, .tex or .csv."""
    page = Page(name, suite, read_records(records), published, variants)
    writers = {
        ".md": markdown_page,
        ".tex": latex_document_part,
        ".csv": lambda p: p.tidy().round(4).to_csv(index=False),
    }
    for path in out:
        with atomic(path) as temporary:
            temporary.write_text(writers[path.suffix](page), encoding="utf-8")
