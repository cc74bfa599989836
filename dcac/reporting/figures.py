"""Draw one figure. In: the records of a protocol, or the logs of its runs. Out: {figure}.pdf and {figure}.png."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dcac.config import Suite, Variant
from dcac.provenance import atomic
from dcac.reporting.figure_cmc import draw_cmc
from dcac.reporting.figure_diagnostics import draw_diagnostics, read_logs
from dcac.reporting.labels import method_labels
from dcac.reporting.records import read_records


def run(
    *, name: str, suite: Suite, variants: Mapping[str, Variant], inputs: Sequence[Path], out: Sequence[Path]
) -> None:
    """Draw the figure in the format that each output's suffix names."""
    import matplotlib

    matplotlib.use("Agg")
    figure = draw(name, suite, method_labels(variants), inputs)
    for path in out:
        with atomic(path) as temporary:
            metadata = {"CreationDate": None} if path.suffix == ".pdf" else {}
            figure.savefig(temporary, format=path.suffix[1:], dpi=150, metadata=metadata)


def draw(name: str, suite: Suite, labels: Mapping[str, str], inputs: Sequence[Path]):
    """Draw a figure of the suite as its kind asks: `cmc` from one file of records, `diagnostics` from the runs' logs."""
    entry = suite.figure(name)
    title = f"{suite.title}: {entry.title}"
    if entry.kind == "cmc":
        return draw_cmc(read_records(inputs[0]), suite, labels, title=title)
    return draw_diagnostics(read_logs(inputs), suite.variants, labels, title=title)
