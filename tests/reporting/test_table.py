"""Tables against golden files, and what they must say."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from dcac.closed import ConfigError, parse
from dcac.evaluation.statistics import Difference
from dcac.reporting import table
from dcac.reporting.tables import latex, page
from dcac.reporting.tables.cells import Cell, Row, Value
from dcac.reporting.tables.markdown import diagnostic_blocks
from dcac.reporting.tables.ranking import places, shown
from dcac.suites import Remark, Variant

HERE = Path(__file__).parent
PUBLISHED = HERE.parents[1] / "config/published.csv"


@pytest.fixture
def written(suite, variants, records, tmp_path):
    """The table in all three formats."""
    records.to_csv(tmp_path / "records.csv", index=False)
    out = [tmp_path / f"dg_single.{suffix}" for suffix in ("md", "tex", "csv")]
    files = {"records": tmp_path / "records.csv", "published": PUBLISHED, "out": out}
    table.run(name="dg_single", suite=suite, variants=variants, **files)
    return out


@pytest.mark.parametrize("suffix", ["md", "tex", "csv"])
def test_the_table_equals_its_golden_file(written, suffix):
    path = next(path for path in written if path.suffix == f".{suffix}")
    assert path.read_text(encoding="utf-8") == (HERE / f"golden/dg_single.{suffix}").read_text(encoding="utf-8")


def test_non_standard_data_are_named_in_the_caption(written):
    assert "Non-standard counts, accepted by hand: C3" in written[0].read_text(encoding="utf-8")


def test_an_unknown_table_is_refused_by_name(suite, variants, records, tmp_path):
    records.to_csv(tmp_path / "records.csv", index=False)
    with pytest.raises(ValueError, match=r"unknown table: 'dg_singel' \(did you mean 'dg_single'"):
        files = {"records": tmp_path / "records.csv", "published": PUBLISHED, "out": []}
        table.run(name="dg_singel", suite=suite, variants=variants, **files)


def test_equal_printed_numbers_share_a_place():
    cell = Cell("a", "b")
    rows = [
        Row(name, "ours", {(cell, "mAP"): Value(mean, None, 1)})
        for name, mean in (("x", 50.04), ("y", 50.01), ("z", 49.0))
    ]
    assert places(rows, cell, "mAP") == {"x": "best", "y": "best", "z": "second"}


def test_a_missing_number_is_a_dash_and_a_single_one_has_no_sd():
    assert shown(None) == "–"
    assert shown(Value(12.34, None, 1)) == "12.3"
    assert shown(Value(12.34, 0.56, 2)) == "12.3 ± 0.6"


def test_a_suite_remarks_on_its_variant_with_the_variants_numbers(suite, variants, records, remark):
    shown_page = page.Page("dg_single", suite.model_copy(update={"remark": remark}), records, PUBLISHED, variants)
    said = "Ours minus baseline is +2.25 ± 0.35; it pulls with 1e-04; another condition changes it by +1.00 %."
    assert shown_page.notes[-1] == said
    placebo = records[records["variant"] == "dcac"].assign(variant="dcac-placebo", mAP=lambda rows: rows["mAP"] - 0.01)
    controlled = variants | {"dcac": variants["dcac"]._replace(control="dcac-placebo")}
    table = suite.model_copy(update={"remark": remark})
    shown_page = page.Page("dg_single", table, pd.concat([records, placebo]), PUBLISHED, controlled)
    assert "is +2.25 ± 0.35, minus its control +1.00 ± 0.00; it pulls" in shown_page.notes[-1]
    other = remark.model_copy(update={"variant": "dcac-silu"})
    shown_page = page.Page("dg_single", suite.model_copy(update={"remark": other}), records, PUBLISHED, variants)
    assert "Ours" not in "".join(shown_page.notes), "a table without the variant has no remark"


def test_a_remark_says_what_the_interval_says(suite, variants, records, remark):
    said = remark.model_copy(update={"text": "{interval}: {verdict}"})
    shown_page = page.Page("dg_single", suite.model_copy(update={"remark": said}), records, PUBLISHED, variants)
    row = shown_page.summary.set_index("method").loc["DCAC (ours)"]
    assert shown_page.notes[-1] == f"{row['interval of mAP − baseline']}: {row['verdict on mAP − baseline']}"


@pytest.fixture
def corrected(suite):
    """The suite, with one more variant in its table and tests corrected for their number."""
    changes = {"correction": "holm", "variants": ("baseline", "dcac", "another")}
    return suite.model_copy(update={"tables": {"dg_single": suite.tables["dg_single"].model_copy(update=changes)}})


def test_tests_of_several_configurations_are_corrected_for_their_number(suite, corrected, variants, records):
    worse = records[records["variant"] == "dcac"].assign(variant="another", mAP=lambda rows: rows["mAP"] - 0.2)
    known = variants | {"another": Variant("Another", {})}
    shown = page.Page("dg_single", corrected, pd.concat([records, worse]), PUBLISHED, known).summary
    mine = page.of_protocol(records, suite.protocols["single-source"])
    p = page.compared(mine, "dcac", "baseline").p
    assert shown.set_index("method")["p of mAP − baseline (Holm, 2 tests)"].to_dict() == {
        "Baseline (ours)": "–",
        "DCAC (ours)": f"{min(1, 2 * p):.3f}",
        "Another": f"{min(1, 2 * p):.3f}",
    }


@pytest.mark.parametrize(("p", "verdict"), [(0.02, "worse"), (0.03, "worse (as the only test; not among all of them)")])
def test_a_verdict_that_falls_to_the_correction_says_so(corrected, variants, records, monkeypatch, p, verdict):
    another = records[records["variant"] == "dcac"].assign(variant="another")
    found = {
        "dcac": Difference(0.0, -1.0, 1.0, "no clear difference", 0.9),
        "another": Difference(-1.0, -2.0, -0.1, "worse", p),
    }
    monkeypatch.setattr(page, "compared", lambda records, variant, partner: found[variant])
    known = variants | {"another": Variant("Another", {})}
    shown = page.Page("dg_single", corrected, pd.concat([records, another]), PUBLISHED, known).summary.set_index(
        "method"
    )
    said = shown["verdict on mAP − baseline"]
    assert said["DCAC (ours)"].startswith("no clear difference") and "only test" not in said["DCAC (ours)"]
    assert said["Another"].replace(" in these 2 pairs of runs", "") == verdict


@pytest.mark.parametrize("text", ["it is {differnce}", "it is {", "it is {}", "it is {difference.mean}"])
def test_a_remark_with_a_place_that_nothing_fills_is_refused(text):
    with pytest.raises(ConfigError, match=r"use \{difference\}, \{interval\}, \{verdict\}, \{control\}, "):
        parse(Remark, {"variant": "dcac", "text": text}, "test")


def test_an_ablation_is_listed_in_the_suites_order_and_judged_by_the_method_alone(suite, variants, records, remark):
    loud = records[records["variant"] == "dcac"].assign(variant="another", gradient_noise=2.0)
    records = pd.concat([records, loud]).sort_values("variant")
    changes = {"remark": remark, "variants": ("baseline", "dcac", "another")}
    shown_page = page.Page("dg_single", suite.model_copy(update=changes), records, PUBLISHED, variants)
    assert list(shown_page.diagnostics["variant"]) == ["DCAC (ours)", "another"]
    assert "it pulls with 1e-04" in shown_page.notes[-1]


def test_diagnostics_stand_a_few_methods_side_by_side():
    runs = [{"variant": f"method {i}", "sources": s, "p_max": 0.1 * i} for s in ("MA", "MS") for i in range(6)]
    blocks = [(sources, few.columns.tolist()) for sources, few in diagnostic_blocks(pd.DataFrame(runs))]
    assert blocks == [
        (sources, ["method", *(f"method {i}" for i in few)])
        for sources in ("MA", "MS")
        for few in (range(4), range(4, 6))
    ]
    (_, few), *_ = diagnostic_blocks(pd.DataFrame(runs))
    assert few.values.tolist() == [["mean max p", "0", "0.1", "0.2", "0.3"]]
    assert list(diagnostic_blocks(pd.DataFrame())) == []


def test_a_table_shows_its_own_variants_and_no_other(suite, variants, records):
    extra = records[records["variant"] == "dcac"].assign(variant="dcac-silu")
    table = suite.tables["dg_single"].model_copy(update={"variants": ("dcac-silu", "baseline")})
    shown_page = page.Page(
        "dg_single",
        suite.model_copy(update={"tables": {"dg_single": table}}),
        pd.concat([records, extra]),
        PUBLISHED,
        variants | {"dcac-silu": Variant("DCAC, silu", {})},
    )
    ours = [row.name for row in shown_page.blocks[0][1] if row.kind == "ours"]
    assert ours == ["DCAC, silu", "Baseline (ours)"]
    assert shown_page.summary["method"].tolist() == ours
    assert shown_page.diagnostics["variant"].tolist() == ["DCAC, silu"]


def test_a_variant_is_compared_with_the_baseline_it_names(suite, variants, records):
    """DCAC with another encoder is worth what it adds to that encoder's own baseline."""
    pairs = {"baseline": "baseline-other", "dcac": "dcac-other"}
    other = records[records["variant"].isin(pairs)].assign(mAP=lambda rows: 2 * rows["mAP"])
    other = other.assign(variant=other["variant"].map(pairs))
    known = variants | {
        "baseline-other": Variant("Baseline, other", {}),
        "dcac-other": Variant("DCAC, other", {}, baseline="baseline-other"),
    }
    changed = suite.model_copy(update={"variants": tuple(known)})
    table = page.Page("dg_single", changed, pd.concat([records, other]), PUBLISHED, known).summary.set_index("method")
    assert table["baseline"].tolist() == ["–", "Baseline (ours)", "Baseline (ours)", "Baseline, other"]
    assert table.loc["DCAC (ours)", "mAP − baseline"] == "+2.25 ± 0.35"
    assert table.loc["DCAC, other", "mAP − baseline"] == "+4.50 ± 0.71"


def test_the_latex_compiles(written, tmp_path):
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed")
    (tmp_path / "main.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}\\input{dg_single.tex}\\end{document}"
    )
    result = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"], cwd=tmp_path, capture_output=True
    )
    assert result.returncode == 0, result.stdout.decode(errors="replace")[-2000:]


def test_a_source_set_stands_once_above_a_line_over_its_targets():
    ends = [Cell("MA", "D"), Cell("MA", "C3"), Cell("D", "MA")]
    lines = latex.block(ends, [Row("a_b", "ours")], caption="", label="").splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("trained on"))
    assert lines[head] == r"trained on & \multicolumn{4}{c}{MA} & \multicolumn{2}{c}{D} \\"
    assert lines[head + 1] == r"\cmidrule(lr){2-5} \cmidrule(lr){6-7}"
    assert lines[head + 2] == r"tested on & D mAP & D R1 & C3 mAP & C3 R1 & MA mAP & MA R1 \\"


def test_a_narrow_table_is_not_blown_up_to_the_width_of_the_page(written):
    (fitting,) = [line for line in written[1].read_text(encoding="utf-8").splitlines() if "resizebox" in line]
    assert fitting == r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%"


def test_tidy_csv_has_one_row_a_method_cell_and_metric(written):
    table = pd.read_csv(written[2])
    ours = table[(table["method"] == "DCAC (ours)") & (table["target"] == "MS") & (table["metric"] == "mAP")]
    assert ours[["mean_percent", "n"]].to_numpy().tolist() == [[23.5, 2]]


def test_targets_scored_on_several_splits_are_named_in_the_caption(suite, records):
    assert "splits" not in page.caption(records, suite)
    records.loc[records["target"] == "C3", "num_splits"] = 10
    assert "Each score on C3 is the mean over 10 random splits (seed dcac-splits-1)." in page.caption(records, suite)


def test_targets_without_cameras_are_named_in_the_caption(suite, records):
    assert "Without cameras" not in page.caption(records, suite)
    records.loc[records["target"] == "MS", "data_variant"] = "no-cameras"
    told = page.caption(records, suite)
    assert "Without cameras on MS: only a query's own picture is left out of its ranking." in told
