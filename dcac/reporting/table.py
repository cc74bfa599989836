"""Write one table as Markdown, HTML, LaTeX and CSV. In: the records of a protocol. Out: {table}.md, .html, .tex, .csv and a record."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dcac.provenance import atomic
from dcac.provenance.outputs import require_outputs
from dcac.provenance.record import ask, made_inputs, split_off_records, write_record
from dcac.reporting.configured import configured_scores
from dcac.reporting.html.tables import html_page
from dcac.reporting.tables.accepted import read_accepted
from dcac.reporting.tables.latex import latex_document_part
from dcac.reporting.tables.markdown import markdown_page
from dcac.reporting.tables.page import Page
from dcac.reporting.tables.recorded import read_records
from dcac.suites import Suite, Variant


def run(
    *,
    name: str,
    suite: Suite,
    variants: Mapping[str, Variant],
    records: Path,
    published: Path,
    out: Sequence[Path],
    accepted: Sequence[Path] = (),
) -> None:
    """Write the table in the format that each output's suffix names, .md, .html, .tex or .csv; in .json what it was made from.

    Args:
        accepted: reports (run.json) of runs that a person let stand for other code than their own; a footnote names them.
    """
    require_outputs(out, ".md", ".html", ".tex", ".csv", ".json", inputs=[records, published])
    shown = configured_scores(suite, name, variants, published=published, accepted=accepted)
    asked = ask(__name__, shown, made_inputs([records]))
    page = Page(name, suite, read_records(records), published, variants, accepted=read_accepted(accepted))
    writers = {
        ".md": markdown_page,
        ".html": html_page,
        ".tex": latex_document_part,
        ".csv": lambda p: p.tidy().round(4).to_csv(index=False),
    }
    pages, sidecars = split_off_records(out)
    for path in pages:
        with atomic(path) as temporary:
            temporary.write_text(writers[path.suffix](page), encoding="utf-8")
    for sidecar in sidecars:
        write_record(sidecar, asked)
