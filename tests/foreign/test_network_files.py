"""Networks that are tested as they are come to results/weights with a manifest, checked; anything else is refused."""

import json

import pytest

from dcac.foreign import network_files
from dcac.foreign.weights_card import Weights
from dcac.locking import InUse, locked_while
from dcac.provenance import sha256


def card(path, **changes):
    return Weights.model_validate({"kind": "network", "source": "file", "path": str(path), "terms": "none", **changes})


@pytest.fixture
def network(tmp_path):
    """An ONNX file with external data beside it, and something that is none of it."""
    (tmp_path / "net.onnx").write_bytes(b"graph")
    (tmp_path / "net.onnx.data").write_bytes(b"tensors")
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path / "net.onnx"


def test_a_file_comes_with_its_external_data_and_a_manifest(network, tmp_path):
    out = tmp_path / "results/weights/net"
    network_files.run(name="net", card=card(network), out=out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert (
        set(manifest["files"]) == {"net.onnx", "net.onnx.data"} == {p.name for p in out.iterdir()} - {"manifest.json"}
    )
    assert manifest["made"]["step"] == "dcac.foreign.network_files" and manifest["terms"] == "none"


def test_a_changed_file_is_brought_anew(network, tmp_path):
    out = tmp_path / "results/weights/net"
    network_files.run(name="net", card=card(network), out=out)
    before = json.loads((out / "manifest.json").read_text())["made"]["meaning"]
    network.write_bytes(b"GRAPH")
    network_files.run(name="net", card=card(network), out=out)
    assert (out / "net.onnx").read_bytes() == b"GRAPH"
    assert json.loads((out / "manifest.json").read_text())["made"]["meaning"] != before


def test_how_a_network_is_used_does_not_fetch_it_again(network):
    plain, used = card(network), card(network, network={"trained_on": ["MS"], "metric": "cosine"})
    assert plain.made_from() == used.made_from() and "network" not in plain.made_from()


def test_checksums_are_held(network, tmp_path):
    right = {"net.onnx": sha256(network)}
    network_files.run(name="net", card=card(network, sha256=right), out=tmp_path / "out")
    with pytest.raises(ValueError, match=r"net.onnx has not the sha256 0+ of the card"):
        network_files.run(name="net", card=card(network, sha256={"net.onnx": 64 * "0"}), out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"weights 'net': path .*absent.onnx is not a file; correct `path`"):
        network_files.run(name="net", card=card(tmp_path / "absent.onnx"), out=tmp_path / "out")


@pytest.mark.parametrize("names", [["a.txt"], ["a.onnx", "b.pt2"]])
def test_a_hub_must_give_one_network(tmp_path, monkeypatch, names):
    import huggingface_hub

    def download(repo, *, local_dir, **_):
        local_dir.mkdir(parents=True)
        for name in names:
            (local_dir / name).touch()

    class Api:
        def model_info(self, *_, **__):
            return type("Info", (), {"sha": "abc"})

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    hub = Weights(kind="network", source="hub", repo="a/b", revision="main", terms="none")
    with pytest.raises(
        ValueError, match=rf"holds {len([n for n in names if not n.endswith('txt')])} networks .*, not one"
    ):
        network_files.run(name="net", card=hub, out=tmp_path / "out")


def test_a_folder_of_something_else_is_left_alone(network, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="mine is there and is no folder of a network"):
        network_files.run(name="net", card=card(network), out=tmp_path / "mine")
    assert (tmp_path / "mine/thesis.tex").read_text() == "years of work"


def test_two_processes_do_not_bring_one_network_at_once(network, tmp_path):
    with locked_while(tmp_path / ".net.lock", "fetches net"), pytest.raises(InUse, match="another process fetches net"):
        network_files.run(name="net", card=card(network), out=tmp_path / "net")
