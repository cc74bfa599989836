"""Draw one figure. In: what its kind is drawn from. Out: {figure}.pdf, .svg, .png and a record."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dcac.provenance import atomic
from dcac.provenance.outputs import require_outputs
from dcac.provenance.record import ask, made_inputs, split_off_records, write_record
from dcac.reporting import figures
from dcac.reporting.configured import configured_figure
from dcac.reporting.figures.kind import Drawing
from dcac.reporting.figures.style import DPI
from dcac.reporting.tables.labels import method_labels
from dcac.suites import Suite, Variant

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNDATED = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}  # equal inputs give equal bytes


def run(
    *, name: str, suite: Suite, variants: Mapping[str, Variant], inputs: Sequence[Path], out: Sequence[Path]
) -> None:
    """Draw the figure in the format that each output's suffix names; in .json what it was drawn from."""
    require_outputs(out, ".pdf", ".svg", ".png", ".json", inputs=inputs)
    import matplotlib

    matplotlib.use("Agg")
    asked = ask(__name__, configured_figure(suite, name, variants), made_inputs(inputs))
    figure = draw(name, suite, variants, inputs)
    pictures, sidecars = split_off_records(out)
    for path in pictures:
        metadata = UNDATED.get(path.suffix, {})
        with atomic(path) as temporary, matplotlib.rc_context({"svg.hashsalt": name}):  # same names within it each time
            figure.savefig(temporary, format=path.suffix[1:], dpi=DPI, metadata=metadata, bbox_inches="tight")
    for sidecar in sidecars:
        write_record(sidecar, asked)


def draw(name: str, suite: Suite, variants: Mapping[str, Variant], inputs: Sequence[Path]) -> "Figure":
    """Draw a figure of the suite as its kind asks.

    Args:
        inputs: what its kind is drawn from, in that order.
    """
    entry = suite.figure(name)
    drawing = Drawing(
        inputs=inputs,
        title=f"{suite.title}: {entry.title}",
        methods=(*suite.references, *suite.variants_of(entry.table)),
        named=entry.variants,
        labels=method_labels(variants),
        colours={name: variant.colour for name, variant in variants.items()},
        partners={name: variant.baseline for name, variant in variants.items()},
        queries=entry.queries,
        faces=entry.faces,
    )
    return next(kind for kind in figures.KINDS if kind.name == entry.kind).draw(drawing)
