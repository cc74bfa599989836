"""A gallery of another run is never searched; where nothing vouches, the log says so."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from dcac.networks.made_by import require_made_by
from dcac.provenance.record import Input

GALLERY = Path("g.npz")


@pytest.fixture
def run(tmp_path):
    report = {"identity": "mine", "settings": {}, "seed": 0, "data": {}, "code": "", "epoch": {}}
    (tmp_path / "run.json").write_text(json.dumps(report))
    return SimpleNamespace(name=str(tmp_path), content=Input("a", "a"))


@pytest.fixture
def file():
    return SimpleNamespace(name="net.onnx", content=Input("b", "b"))


def test_own_gallery_passes_in_silence(run, file, caplog):
    with caplog.at_level(logging.WARNING):
        require_made_by({"run": "mine"}, GALLERY, run)
        require_made_by({"network": {"content": "b"}}, GALLERY, file)
    assert not caplog.text


def test_gallery_of_another_run_is_refused_with_its_names(run):
    meta = {"run": "other", "variant": "dcac", "sources": "MA", "seed": 1}
    with pytest.raises(
        ValueError, match=r"g\.npz was not made by .*, but by another run \(variant dcac, sources MA, seed 1\)"
    ):
        require_made_by(meta, GALLERY, run)


@pytest.mark.parametrize("meta", [{}, {"run": "mine"}, {"network": {"content": "c"}}, {"network": "x"}])
def test_what_nothing_vouches_for_is_said(file, meta, caplog):
    with caplog.at_level(logging.WARNING):
        require_made_by(meta, GALLERY, file)
    assert "g.npz does not say that net.onnx made it" in caplog.text
