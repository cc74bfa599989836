"""What of a suite is published: a small tree of results, of which some may not go out."""

import json
import tarfile
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from safetensors.numpy import save

from dcac import publish
from dcac.planning import Plan
from dcac.provenance.record import KEY, Asked, Input

WEIGHTS = save({"bias": np.zeros(2)}, metadata={"identity": "me"})
REPORT = {"code": "c", "identity": "me", "settings": {}, "seed": 0, "data": {}, "epoch": {}}


def write(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def record(meaning, *inputs):
    asked = Asked("dcac.x", {}, {"dcac.x": "0"}, {path: Input("recipe", "meaning") for path in inputs})
    return {KEY: asked.record(meaning=meaning)}


@pytest.fixture
def plan(config_dir, tmp_path):
    """The smoke suite, as if its people were real, and what lies of it in a folder of results."""
    found = Plan.read(given={"suite": "smoke"}, root=config_dir)
    cards = {**found.cards, "smoke-b": found.cards["smoke-b"].model_copy(update={"status": "withdrawn"})}
    folder = tmp_path / "results/smoke"
    for sources in ("smoke-a", "smoke-a+smoke-b"):
        run = folder / f"runs/dcac/{sources}/seed0"
        write(run.parent / "config.yaml")
        write(run / "weights.safetensors", WEIGHTS)
        write(run / "lora/adapter.safetensors")
        write(run / "run.json", REPORT | record(sha256(WEIGHTS).hexdigest()))
        write(run.with_name("seed0.state") / "checkpoint.pt")
    write(folder / "runs/dcac/smoke-b/seed1.state/checkpoint.pt")
    write(folder / "features/dcac/smoke-a/seed0/smoke-b.npz")
    write(folder / "samples/dcac/smoke-a/seed0.npz")
    write(folder / "scores/dcac/smoke-a/seed0/smoke-b.json")
    write(folder / "tables/dg_single.md")
    write(folder / "tables/.dg_single.md.host-1.tmp")
    for name, source in (("cmc", "results/smoke/records/dg_single.csv"), ("faces", "results/data/smoke-b.parquet")):
        write(folder / f"figures/{name}.png")
        write(folder / f"figures/{name}.json", record("m", source))
    return replace(found, suite=found.suite.model_copy(update={"demo": False}), cards=cards)


def test_what_may_go_out_does_and_the_rest_is_named(plan, tmp_path):
    told = publish.run(plan, tmp_path / "out", results=tmp_path / "results")
    run = "smoke/runs/dcac/smoke-a"
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names == {
        *(f"{run}/{name}" for name in ("config.yaml", "seed0/run.json", "seed0/weights.safetensors")),
        *(f"{run}/seed0/lora/adapter.safetensors", f"{run}+smoke-b/config.yaml", f"{run}+smoke-b/seed0/run.json"),
        *("smoke/scores/dcac/smoke-a/seed0/smoke-b.json", "smoke/tables/dg_single.md"),
        *("smoke/figures/cmc.png", "smoke/figures/cmc.json", "TERMS.md", "manifest.json"),
    }
    text = "\n".join(told)
    for part in ("not published: features", "figure faces (it shows pictures", "weights of dcac/smoke-a+smoke-b/seed0"):
        assert part in text
    assert "data smoke-a" in text and "network smoke-encoder: made by the workflow" in text
    listed = json.loads((tmp_path / "out/manifest.json").read_text())["files"]
    assert listed[f"{run}/seed0/weights.safetensors"]["sha256"] == sha256(WEIGHTS).hexdigest()
    assert all(line in (tmp_path / "out/TERMS.md").read_text() for line in told[1:])


def test_an_archive_holds_the_same(plan, tmp_path):
    publish.run(plan, tmp_path / "out", results=tmp_path / "results")
    publish.run(plan, tmp_path / "dcac.tar", results=tmp_path / "results")
    with tarfile.open(tmp_path / "dcac.tar") as archive:
        files = {name.name.removeprefix("dcac/") for name in archive if name.isfile()}
    assert files == {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dcac.tar", "out", "results"], "nothing else is left"


def test_foreign_weights_an_existing_place_and_nothing_at_all_are_refused(plan, tmp_path):
    with pytest.raises(ValueError, match=r"results exists; name a folder"):
        publish.run(plan, tmp_path / "results", results=tmp_path / "results")
    with pytest.raises(ValueError, match="nothing of suite 'smoke' is finished"):
        publish.run(plan, tmp_path / "out", results=tmp_path / "empty")
    write(tmp_path / "results/smoke/runs/dcac/smoke-a/seed0/weights.safetensors", save({"bias": np.ones(2)}))
    with pytest.raises(ValueError, match=r"is not the file that run\.json beside it speaks of"):
        publish.run(plan, tmp_path / "out", results=tmp_path / "results")
    assert not (tmp_path / "out").exists()
