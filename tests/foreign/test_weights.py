"""The `weights` step brings a network into the layout that the later steps read, checked by sha256."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from dcac.closed import parse
from dcac.demo.recipes import recipe
from dcac.foreign import single_file, weights
from dcac.foreign.weights_card import Weights
from dcac.locking import InUse
from dcac.provenance import manifest, sha256

FILE = {"kind": "diffusion", "source": "file", "architecture": "sd-1", "ema": True, "terms": "test"}


@pytest.fixture
def converter(monkeypatch, prior_folder):
    """Replace the conversion by a ready folder; what it was asked for is kept."""
    asked = []

    def run(path, out, *, architecture, ema):
        asked.append((path, architecture, ema))
        shutil.copytree(prior_folder, out, dirs_exist_ok=True)

    monkeypatch.setattr(single_file, "run", run)
    return asked


@pytest.fixture
def file(tmp_path):
    """A file of some bytes."""
    path = tmp_path / "sd.ckpt"
    path.write_bytes(b"weights")
    return path


def test_single_file_is_converted_and_listed(tmp_path, file, converter):
    card = Weights(**FILE, path=str(file), sha256={"sd.ckpt": sha256(file), "other.safetensors": "0" * 64})
    weights.run(name="sd", card=card, out=tmp_path / "out")
    assert converter == [(file, "sd-1", True)]
    written = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert written["revision"] == f"file sd.ckpt sha256 {sha256(file)}, moving average"
    assert written["files"] == manifest(tmp_path / "out") and "unet/config.json" in written["files"]


def test_single_file_with_another_checksum_is_never_read(tmp_path, file, converter):
    card = Weights(**FILE, path=str(file), sha256={"sd.ckpt": "0" * 64})
    with pytest.raises(ValueError, match=f"has not the sha256 {'0' * 64} of the card; fetch it again"):
        weights.run(name="sd", card=card, out=tmp_path / "out")
    assert not converter and not (tmp_path / "out").exists()


def test_two_fetches_of_one_network_do_not_write_one_folder(tmp_path, file, monkeypatch, prior_folder):
    card = Weights(**FILE, path=str(file))

    def convert(path, out, **_):
        with pytest.raises(InUse, match="another process fetches sd; wait for it or stop it"):
            weights.run(name="sd", card=card, out=tmp_path / "out")
        shutil.copytree(prior_folder, out)

    monkeypatch.setattr(single_file, "run", convert)
    weights.run(name="sd", card=card, out=tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").is_file()
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("source", ["file", "folder"])
def test_path_that_does_not_exist_is_named(tmp_path, source):
    single = {"architecture": "sd-1", "ema": False} if source == "file" else {}
    card = Weights(kind="diffusion", source=source, path=str(tmp_path / "no"), terms="test", **single)
    with pytest.raises(ValueError, match=f"weights 'sd': path .*no is not a {source}; correct `path`"):
        weights.run(name="sd", card=card, out=tmp_path / "out")


def test_folder_is_copied_and_its_checksums_hold(tmp_path, prior_folder):
    known = {"unet/config.json": sha256(prior_folder / "unet" / "config.json")}
    card = Weights(kind="diffusion", source="folder", path=str(prior_folder), sha256=known, terms="test")
    weights.run(name="own", card=card, out=tmp_path / "out")
    found = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
    assert found == manifest(Path(prior_folder))
    wrong = card.model_copy(update={"sha256": {"unet/config.json": "0" * 64}})
    with pytest.raises(ValueError, match="has not the sha256"):
        weights.run(name="own", card=wrong, out=tmp_path / "out")


def test_folder_of_another_kind_is_refused(tmp_path, encoder_folder):
    card = Weights(kind="diffusion", source="folder", path=str(encoder_folder), terms="test")
    with pytest.raises(ValueError, match=r"lacks vae/config.json, unet/config.json, scheduler/scheduler_config.json"):
        weights.run(name="own", card=card, out=tmp_path / "out")


def test_hub_files_are_fetched_at_one_commit_and_renamed(tmp_path, prior_folder, monkeypatch):
    import huggingface_hub

    def fetch(repo, *, revision, allow_patterns, local_dir):
        assert (repo, revision, allow_patterns) == ("a/b", "c0ffee", ["unet/before.safetensors"])
        shutil.copytree(prior_folder, local_dir)
        (local_dir / "unet/before.safetensors").write_bytes(b"before averaging")

    info = type("Info", (), {"sha": "c0ffee"})
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda self, repo, revision: info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    place = "unet/diffusion_pytorch_model.safetensors"
    hub = {"source": "hub", "repo": "a/b", "revision": "main", "files": ("unet/before.safetensors",)}
    card = Weights(kind="diffusion", terms="test", rename={"unet/before.safetensors": place}, **hub)
    weights.run(name="sd", card=card, out=tmp_path / "out")
    assert (tmp_path / "out" / place).read_bytes() == b"before averaging"
    assert json.loads((tmp_path / "out/manifest.json").read_text())["revision"] == "c0ffee"


def test_a_hub_out_of_reach_is_named_with_the_remedy(tmp_path, monkeypatch):
    import huggingface_hub

    def refuse(self, repo, revision):
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    card = Weights(kind="diffusion", source="hub", repo="a/b", revision="main", terms="test")
    with pytest.raises(ValueError, match=r"cannot fetch a/b \(ConnectionError: no route\).*source: folder"):
        weights.run(name="sd", card=card, out=tmp_path / "out")


def test_a_fetch_that_fails_leaves_the_network_that_is_there(tmp_path, prior_folder, file, converter):
    out = tmp_path / "out"
    weights.run(name="sd", card=Weights(**FILE, path=str(file)), out=out)
    before = manifest(out)
    with pytest.raises(ValueError, match="fetch it again"):
        weights.run(name="sd", card=Weights(**FILE, path=str(file), sha256={"sd.ckpt": "0" * 64}), out=out)
    assert manifest(out) == before


def test_no_file_of_an_older_network_stays_beside_a_newer_one(tmp_path, prior_folder):
    card = Weights(kind="diffusion", source="folder", path=str(prior_folder), terms="test")
    out = tmp_path / "out"
    (out / "unet").mkdir(parents=True)
    (out / "unet" / "older.safetensors").write_bytes(b"older")
    weights.run(name="own", card=card, out=out)
    assert manifest(out) == manifest(prior_folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_network_put_back_stands_alone_in_its_folder(tmp_path, file, converter):
    out = tmp_path / "results" / "weights" / "sd"
    card = Weights(**FILE, path=str(file))
    weights.run(name="sd", card=card, out=out)
    before = manifest(out)
    (out / "manifest.json").unlink()
    (out / "older.safetensors").write_bytes(b"older")
    weights.run(name="sd", card=card, out=out)
    assert manifest(out) == before and len(converter) == 1


def test_examples_in_comments_are_cards(config_dir):
    text = (config_dir / "weights.yaml").read_text(encoding="utf-8")
    examples = re.findall(r"^# ([\w-]+:\n(?:#   .*\n)+)", text, flags=re.MULTILINE)
    cards = {}
    for example in examples:
        cards |= yaml.safe_load(example.replace("\n# ", "\n"))
    assert {card["source"] for card in cards.values()} == {"demo", "folder", "file"}
    for name, card in cards.items():
        parsed = parse(Weights, card, name)
        assert parsed.source != "demo" or recipe(parsed.kind, parsed.pretraining)
