"""The CMC figure shows every method, labelled once."""

from dcac.reporting.figures.cmc import draw_cmc
from dcac.reporting.tables.labels import method_labels


def test_every_curve_is_the_mean_over_cells_and_seeds(suite, variants, records):
    colours = {name: variant.colour for name, variant in variants.items()}
    partners = {name: variant.baseline for name, variant in variants.items()}
    looks = {"colours": colours, "partners": partners}
    axes = draw_cmc(records, (*suite.references, *suite.variants), method_labels(variants), **looks, title="t").axes[0]
    curves = {line.get_color(): line.get_ydata() for line in axes.lines}
    assert len(curves) == 3
    assert abs(curves["#112233"][0] - 100 * (0.50 + 0.52 + 0.31 + 0.33) / 4) < 1e-9
    assert sorted(text.get_text() for text in axes.texts) == ["Baseline (ours)", "DCAC (ours)", "chance"]
    dashed = {line.get_color(): line.get_linestyle() for line in axes.lines}
    assert dashed["#445566"] == "--" and dashed["#112233"] == "-", "a variant is dashed where its baseline is drawn too"


def test_no_label_climbs_over_the_title_where_all_curves_end_at_the_top(suite, variants, records):
    records = records.assign(cmc="[0.5, 1.0]")
    looks = {"colours": {}, "partners": {}, "title": "t"}
    figure = draw_cmc(records, (*suite.references, *suite.variants), method_labels(variants), **looks)
    (axes,) = figure.axes
    heights = sorted(text.xyann[1] for text in axes.texts)
    assert heights == [87.5, 92.5, 97.5] and axes.get_ylim() == (0, 100)
