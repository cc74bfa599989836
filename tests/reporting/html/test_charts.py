"""Charts of the page: whoever compares two of them finds a method again."""

from dcac.reporting.html.charts import lines

COLOURS = {"Baseline": "#000001", "Placebo": "#000002", "DCAC": "#000003"}


def drawn(*methods):
    rows = [{"method": name, "epoch": epoch, "loss": 0.5 / epoch} for name in methods for epoch in (1, 2)]
    return lines(rows, x="epoch", y="loss", colours=COLOURS, text="what it shows")["encoding"]


def test_a_method_has_its_colour_and_dashes_in_every_chart():
    whole, part = drawn(*COLOURS), drawn("DCAC", "Placebo")
    for channel in ("color", "strokeDash"):
        styles = [
            dict(zip(c["domain"], map(str, c["range"]), strict=True))
            for c in (whole[channel]["scale"], part[channel]["scale"])
        ]
        assert len(set(styles[0].values())) == 3
        assert styles[1] == {name: styles[0][name] for name in ("Placebo", "DCAC")}


def test_epochs_are_whole_numbers():
    assert drawn("DCAC")["x"]["axis"]["format"] == "d"
