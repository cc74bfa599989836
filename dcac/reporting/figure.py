"""Draw one figure. In: what its kind is drawn from. Out: {figure}.pdf, {figure}.png and a record."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dcac.provenance import atomic
from dcac.provenance.record import ask, made_inputs, split_off_records, write_record
from dcac.reporting.configured import configured_figure
from dcac.reporting.figures.attention import draw_attention
from dcac.reporting.figures.cmc import draw_cmc
from dcac.reporting.figures.correlation import draw_correlation
from dcac.reporting.figures.diagnostics import draw_diagnostics, read_logs
from dcac.reporting.figures.ranked_lists import NAMED, draw_ranked_lists
from dcac.reporting.figures.samples import draw_samples
from dcac.reporting.figures.tsne import draw_tsne
from dcac.reporting.labels import method_labels
from dcac.reporting.records import read_records
from dcac.suites import Figure, Suite, Variant


def run(
    *, name: str, suite: Suite, variants: Mapping[str, Variant], inputs: Sequence[Path], out: Sequence[Path]
) -> None:
    """Draw the figure in the format that each output's suffix names; in .json what it was drawn from."""
    import matplotlib

    matplotlib.use("Agg")
    asked = ask(__name__, configured_figure(suite, name, variants), made_inputs(inputs))
    figure = draw(name, suite, method_labels(variants), inputs)
    pictures, sidecars = split_off_records(out)
    for path in pictures:
        with atomic(path) as temporary:
            metadata = {"CreationDate": None} if path.suffix == ".pdf" else {}
            figure.savefig(temporary, format=path.suffix[1:], dpi=150, metadata=metadata, bbox_inches="tight")
    for sidecar in sidecars:
        write_record(sidecar, asked)


def draw(name: str, suite: Suite, labels: Mapping[str, str], inputs: Sequence[Path]):
    """Draw a figure of the suite as its kind asks.

    Args:
        inputs: records for `cmc`, logs of runs for `diagnostics`, one file of `dcac samples` or `dcac correlation` for
            the kinds of that name, a feature file a variant, in the figure's order, for `tsne`; for `ranked_lists` then the
            first variant's score and the target's normalised file; for `attention` a file of that step a variant and the
            normalised file.
    """
    entry = suite.figure(name)
    title = f"{suite.title}: {entry.title}"
    if entry.kind == "cmc":
        methods = (*suite.references, *suite.variants_of(entry.table))
        return draw_cmc(read_records(inputs[0]), methods, labels, title=title)
    if entry.kind == "diagnostics":
        return draw_diagnostics(read_logs(inputs), suite.variants_of(entry.table), labels, title=title)
    if entry.kind in ("ranked_lists", "attention"):
        *files, store = inputs
        return _draw_pictures(entry, files, store, labels, title=title)
    if entry.kind == "tsne":
        return draw_tsne(dict(zip(entry.variants, inputs, strict=True)), labels, title=title)
    draw_run = {"samples": draw_samples, "correlation": draw_correlation}[entry.kind]
    return draw_run(inputs[0], title=f"{title}, {labels[entry.variants[0]]}")


def _draw_pictures(entry: Figure, files: Sequence[Path], store: Path, labels: Mapping[str, str], *, title: str):
    """Draw a kind of figure that shows pictures of a target."""
    own = dict(zip(entry.variants, files, strict=False))
    if entry.kind == "attention":
        return draw_attention(own, store, labels, faces=entry.faces, title=title)
    queries = files[-1].with_suffix(".queries.parquet")
    chosen = entry.queries or tuple(NAMED)
    return draw_ranked_lists(own, queries, store, labels, chosen=chosen, faces=entry.faces, title=title)
