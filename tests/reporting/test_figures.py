"""The CMC figure shows every method, labelled once, and labels do not overlap."""

from dcac.reporting import figures


def test_the_figure_is_written_in_both_formats_and_repeatably(suite, records, tmp_path):
    records.to_csv(tmp_path / "r.csv", index=False)
    for folder in ("a", "b"):
        figures.run(
            name="cmc",
            suite=suite,
            records=tmp_path / "r.csv",
            out=[tmp_path / folder / "cmc.pdf", tmp_path / folder / "cmc.png"],
        )
    for suffix in ("pdf", "png"):
        first, second = (tmp_path / folder / f"cmc.{suffix}" for folder in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_every_curve_is_the_mean_over_cells_and_seeds(suite, records):
    axes = figures.draw_cmc(records, suite, title="t").axes[0]
    curves = {line.get_color(): line.get_ydata() for line in axes.lines}
    assert len(curves) == 3
    assert abs(curves[figures.COLOURS["baseline"]][0] - 100 * (0.50 + 0.52 + 0.31 + 0.33) / 4) < 1e-9


def test_labels_keep_their_distance():
    placed = figures.spread_labels([10.0, 11.0, 12.0, 40.0], gap=5.0)
    assert placed == [10.0, 15.0, 20.0, 40.0]
