"""The kind of file tells the kind of network; what is none is refused with what could be given."""

import json
import shutil

import pytest
import yaml

import dcac
from dcac.provenance import manifest, write_json


@pytest.fixture
def project(tmp_path, monkeypatch, timm_folder, view):
    """A project with one encoder in place, one not yet fetched, and a diffusion model."""
    root = tmp_path / "project"
    (root / "config").mkdir(parents=True)
    hub = {"source": "hub", "repo": "timm/x", "revision": "main", "terms": "none"}
    cards = {
        "tiny": {"kind": "encoder", "source": "folder", "path": str(timm_folder), "terms": "none"},
        "absent": {"kind": "encoder", **hub},
        "prior": {"kind": "diffusion", **hub},
    }
    cards["tiny"]["network"] = {"label": "Tiny ViT", "metric": "euclidean"}
    (root / "config/weights.yaml").write_text(yaml.safe_dump(cards))
    folder = shutil.copytree(timm_folder, root / "results/weights/tiny")
    write_json(folder / "manifest.json", {"files": manifest(folder)})
    monkeypatch.chdir(root)
    return root


def test_a_card_is_loaded_by_its_name(project):
    network = dcac.load("tiny")
    assert network.card.label == "Tiny ViT" and network.card.metric == "euclidean"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tinny", r"tinny does not exist \(did you mean 'tiny'\?\); give a trained run"),
        ("absent", r"network 'absent' is not here yet; run `snakemake results/weights/absent/manifest.json`"),
        ("prior", r"'prior' is a diffusion model, which embeds no pictures"),
        ("config", r"config is no network that can be read; give a trained run"),
    ],
)
def test_a_name_that_is_no_network_is_refused_with_the_remedy(project, name, message):
    with pytest.raises(ValueError, match=message):
        dcac.load(name)


def test_two_networks_in_one_folder_are_told_apart_by_the_user(project):
    for name in ("a.onnx", "b.onnx"):
        (project / name).touch()
    with pytest.raises(ValueError, match=r"holds 2 networks \(a.onnx, b.onnx\)"):
        dcac.load(project)


def test_what_a_network_is_follows_its_files(project, timm_folder):
    before = dcac.load(timm_folder).content
    assert dcac.load("tiny").content == before, "the same files, with or without a manifest"
    config = json.loads((timm_folder / "config.json").read_text())
    (timm_folder / "config.json").write_text(json.dumps({**config, "note": 1}))
    assert dcac.load(timm_folder).content != before


def test_a_hub_that_cannot_be_reached_is_named(monkeypatch):
    import huggingface_hub

    def fail(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(
        ValueError, match=r"cannot fetch timm/vit \(OSError: no route\); correct the name, or give its folder"
    ):
        dcac.load("hf-hub:timm/vit")
