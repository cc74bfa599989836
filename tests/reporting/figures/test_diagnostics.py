"""The figure of conditioning diagnostics: what it averages, and what it says of a curve that is not there."""

import json
from dataclasses import dataclass

import pytest

from dcac.reporting.figures.diagnostics import TERM_COLOURS, curves, draw_diagnostics, read_logs

LABELS = {"dcac": "DCAC (ours)", "dcac-hard-label": "DCAC, hard label"}


@dataclass(frozen=True)
class Epoch:
    """One line of a log."""

    noise: float
    held_out: tuple[float, float, float] | None  # under the own, no and another image's condition

    def line(self, number):
        """Return the line as training writes it."""
        line = {"event": "epoch", "epoch": number, "gradient_id": 0.1, "gradient_prototype": 5.0}
        triple = dict(zip(("noise_own", "noise_null", "noise_other"), self.held_out or (), strict=False))
        ends = {"noise_null_low": 0.0, "noise_null_high": 0.01, "noise_other_low": -0.01, "noise_other_high": 0.03}
        return line | {"gradient_noise": self.noise} | triple | (ends if triple else {})


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a run's log where the workflow does, and gives its path."""

    def put(variant, seed, *epochs):
        path = tmp_path / f"results/s/runs/{variant}/MA/seed{seed}/log.jsonl"
        path.parent.mkdir(parents=True)
        lines = [{"event": "start", "seed": seed}, *(e.line(i) for i, e in enumerate(epochs, 1)), {"event": "end"}]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return put


@pytest.fixture
def logs(write):
    """Two runs of DCAC and one of the hard-label control, of two epochs each."""
    return read_logs(
        [
            write("dcac", 0, Epoch(1e-4, (0.50, 0.51, 0.52)), Epoch(2e-4, (0.40, 0.40, 0.42))),
            write("dcac", 1, Epoch(3e-4, (0.50, 0.50, 0.50)), Epoch(4e-4, (0.20, 0.20, 0.20))),
            write("dcac-hard-label", 0, Epoch(0.0, None), Epoch(0.0, None)),
        ]
    )


def test_logs_are_named_after_their_folders_and_hold_epochs_only(logs):
    assert logs.groupby("variant")["epoch"].apply(list).to_dict() == {
        "dcac": [1, 2, 1, 2],
        "dcac-hard-label": [1, 2],
    }


def test_curves_are_means_over_runs_and_excess_is_percent_of_the_own_conditions_loss(logs):
    means = curves(logs)
    assert means.loc[("dcac", 1), "gradient_noise"] == pytest.approx(2e-4)
    assert means.loc[("dcac", 1), "excess_null"] == pytest.approx((2 + 0) / 2)
    assert means.loc[("dcac", 2), "excess_other"] == pytest.approx((5 + 0) / 2)


def test_bands_are_paired_intervals_above_the_condition_below(logs):
    means = curves(logs)
    assert means.loc[("dcac", 1), "excess_null_high"] == pytest.approx(2.0)
    assert means.loc[("dcac", 1), "excess_other_low"] == pytest.approx((0 + -2) / 2)
    assert means.loc[("dcac", 1), "excess_other_high"] == pytest.approx((8 + 6) / 2)
    last = draw_diagnostics(logs[logs["epoch"] == 2], ["dcac"], LABELS, title="t").axes[1]
    bars = [bar.get_segments() for bar in last.collections if hasattr(bar, "get_segments")]
    ends = [[means.loc[("dcac", 2), f"excess_{name}_{end}"] for end in ("low", "high")] for name in ("null", "other")]
    assert [[y for _, y in segment] for (segment,) in bars] == ends, "a single epoch has its intervals too"


def test_each_curve_is_named_once_and_a_missing_one_is_explained(logs):
    figure = draw_diagnostics(logs, ["baseline", "dcac", "dcac-hard-label"], LABELS, title="t")
    gradient, excess, control, nothing = figure.axes
    assert [axes.get_title(loc="left") for axes in (gradient, control)] == list(LABELS.values())
    assert gradient.get_yscale() == "log"
    assert {text.get_text().strip() for text in gradient.texts} == {"prototype", "ID", "noise"}
    assert {text.get_text().strip() for text in excess.texts} == {"own", "none", "another's"}
    assert {text.get_text().strip() for text in control.texts} == {"prototype", "ID", "no gradient from the noise loss"}
    assert {text.get_text().strip() for text in nothing.texts} == {"no held-out noise loss"}


def test_names_stand_in_the_order_of_their_curves(logs):
    axes = draw_diagnostics(logs, ["dcac"], LABELS, title="t").axes[0]
    heights = {text.get_text().strip(): text.get_position()[1] for text in axes.texts}
    assert heights["noise"] < heights["ID"] < heights["prototype"]
    assert {line.get_color() for line in axes.lines} == set(TERM_COLOURS[:3])
