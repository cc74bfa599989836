"""Figures are written in all formats and repeatably, from what their kind needs."""

import json

import pytest

from dcac.reporting import figure


@pytest.fixture
def inputs(suite, records, tmp_path):
    """Return a function that gives the input files of a kind."""

    def files(kind):
        if kind == "cmc":
            records.to_csv(tmp_path / "r.csv", index=False)
            return [tmp_path / "r.csv"]
        log = tmp_path / "runs/dcac/MA/seed1/log.jsonl"
        log.parent.mkdir(parents=True)
        gradients = {f"gradient_{term}": 0.1 for term in ("id", "prototype", "noise")}
        held_out = {f"noise_{condition}": 0.5 for condition in ("own", "null", "other")}
        log.write_text(json.dumps({"event": "epoch", "epoch": 1, **gradients, **held_out}) + "\n")
        return [log]

    return files


@pytest.mark.parametrize("kind", ["cmc", "diagnostics"])
def test_the_figure_is_written_in_all_formats_and_repeatably(suite, variants, inputs, tmp_path, kind):
    entry = suite.figures["cmc"].model_copy(update={"kind": kind})
    chosen, files = suite.model_copy(update={"figures": {"f": entry}}), inputs(kind)
    for folder in ("a", "b"):
        out = [tmp_path / folder / f"f.{suffix}" for suffix in ("pdf", "svg", "png")]
        figure.run(name="f", suite=chosen, variants=variants, inputs=files, out=out)
    for suffix in ("pdf", "svg", "png"):
        first, second = (tmp_path / folder / f"f.{suffix}" for folder in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_a_log_that_breaks_off_is_named(suite, variants, inputs, tmp_path):
    entry = suite.figures["cmc"].model_copy(update={"kind": "diagnostics"})
    chosen, (log,) = suite.model_copy(update={"figures": {"f": entry}}), inputs("diagnostics")
    log.write_text(log.read_text()[:-20])
    with pytest.raises(ValueError, match=rf"{log} is damaged or was copied in part .*train it again"):
        figure.run(name="f", suite=chosen, variants=variants, inputs=[log], out=[tmp_path / "f.pdf"])
