"""The CMC figure shows every method, labelled once."""

from dcac.reporting.figures.cmc import draw_cmc
from dcac.reporting.figures.style import method_colour
from dcac.reporting.labels import method_labels


def test_every_curve_is_the_mean_over_cells_and_seeds(suite, variants, records):
    axes = draw_cmc(records, (*suite.references, *suite.variants), method_labels(variants), title="t").axes[0]
    curves = {line.get_color(): line.get_ydata() for line in axes.lines}
    assert len(curves) == 3
    assert abs(curves[method_colour("baseline")][0] - 100 * (0.50 + 0.52 + 0.31 + 0.33) / 4) < 1e-9
    assert sorted(text.get_text() for text in axes.texts) == ["Baseline (ours)", "DCAC (ours)", "chance"]
