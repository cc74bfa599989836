"""Outputs never take the place of what a step reads, whichever way it is called."""

import pytest

from dcac.evaluation import score, search
from dcac.foreign import weights
from dcac.foreign.weights_card import Weights
from dcac.model import latents
from dcac.provenance.outputs import require_output, require_outputs
from dcac.reporting import records


@pytest.fixture
def file(tmp_path):
    """Return a function that makes a file of some bytes."""

    def make(name):
        (tmp_path / name).write_bytes(b"mine")
        return tmp_path / name

    return make


@pytest.mark.parametrize(
    ("out", "inputs"),
    [("a.json", ["a.parquet"]), ("a.npz.json", ["a.npz"]), ("a.json", ["a.json"]), ("sub/../a.json", ["a.json"])],
)
def test_inputs_and_their_records_are_safe(tmp_path, out, inputs):
    (tmp_path / "sub").mkdir()
    with pytest.raises(ValueError, match=r"a(\.npz)?\.json would overwrite .*, which belongs to .*; give another name"):
        require_output(tmp_path / out, ".json", inputs=[None, *(tmp_path / name for name in inputs)])


def test_sidecar_of_a_store_that_is_no_input_is_safe_too(tmp_path, file):
    store = file("MA.parquet")
    with pytest.raises(ValueError, match=rf"which belongs to {store}"):
        require_output(tmp_path / "MA.json", ".json")


def test_other_names_pass(tmp_path):
    require_output(tmp_path / "b.json", ".json", beside=[tmp_path / "b.png"], inputs=[tmp_path / "a.npz", None])
    require_outputs([tmp_path / "b.md", tmp_path / "b.csv"], ".md", ".csv", inputs=[tmp_path / "a.csv"])


def test_another_suffix_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"b\.txt does not end in \.md or \.csv"):
        require_outputs([tmp_path / "b.md", tmp_path / "b.txt"], ".md", ".csv")


def test_a_photograph_is_not_overwritten_by_the_strip_of_its_search(tmp_path, file):
    photo = file("me.png")
    with pytest.raises(ValueError, match=r"me\.csv would overwrite .*me\.png, which belongs to"):
        search.run(
            gallery=file("g.npz"),
            pictures=[photo],
            features=[[1.0]],
            out=tmp_path / "me.csv",
            store=file("s.parquet"),
            count=1,
        )
    assert photo.read_bytes() == b"mine"


def test_a_score_is_not_overwritten_by_the_record_of_its_records(tmp_path, file):
    path = file("s.json")
    with pytest.raises(ValueError, match=r"s\.csv would overwrite .*s\.json"):
        records.run(scores=[path], out=tmp_path / "s.csv")
    assert path.read_bytes() == b"mine"


def test_library_checks_suffixes_as_the_command_line_does(tmp_path, file):
    with pytest.raises(ValueError, match=r"s\.npz does not end in \.json"):
        score.run(file("f.npz"), tmp_path / "s.npz")
    with pytest.raises(ValueError, match=r"a\.parquet does not end in \.safetensors"):
        latents.run(store=file("a.parquet"), prior=tmp_path, size=8, out=tmp_path / "a.parquet", device="cpu")


def test_folder_of_something_else_is_never_cleared_for_a_network(tmp_path, file):
    mine = file("thesis.tex")
    card = Weights(kind="encoder", source="folder", path=str(tmp_path), terms="test")
    with pytest.raises(ValueError, match="is there and is no folder of a network; give a new folder"):
        weights.run(name="x", card=card, out=tmp_path)
    assert mine.read_bytes() == b"mine"
