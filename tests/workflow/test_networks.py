"""A network of others in the tables: an exported run stands among the references of a suite that trains nothing."""

import json

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.slow
RUN = "results/smoke/runs/dcac/smoke-a/seed0"


def test_an_exported_network_among_the_references_has_the_runs_numbers(finished):
    pytest.importorskip("onnxruntime", reason="ONNX files need the extra onnx")
    result = finished.run("dcac", "export", RUN, "--out", "net.onnx")
    assert result.returncode == 0, result.stdout
    cards = finished.folder / "config/weights.yaml"
    card = {"kind": "network", "source": "file", "path": "net.onnx", "terms": "ours"}
    card["network"] = {"label": "A network of others", "trained_on": ["smoke-a"]}
    cards.write_text(cards.read_text(encoding="utf-8") + yaml.safe_dump({"exported": card}), encoding="utf-8")
    table = {"protocol": "single-source", "title": "Single-source generalisation"}
    suite = {
        "extends": "smoke",
        "references": ["chance", "exported"],
        "variants": [],
        "tables": {"dg_single": table},
        "figures": None,
    }
    (finished.folder / "config/suites/own.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    made = finished.jobs(finished.snakemake("results/tables/dg_single.md", suite="own"))
    steps = {"weights", "embed", "reference", "score", "records", "table", "show_table"}
    assert made == dict.fromkeys(steps, 1) | {"score": 2}
    scores = finished.folder / "results"
    wanted, got = (
        json.loads((scores / path).read_text())
        for path in ("smoke/scores/dcac/smoke-a/seed0/smoke-b.json", "own/scores/exported/smoke-a/seed0/smoke-b.json")
    )
    assert abs(got["mAP"] - wanted["mAP"]) < 1e-6 and got["metric"] == "cosine" and "other_metric" not in got
    rows = pd.read_csv(scores / "tables/dg_single.csv")
    own = rows[(rows["method"] == "A network of others") & (rows["metric"] == "mAP")]
    assert own["kind"].tolist() == ["reference"] and own["sources"].tolist() == ["smoke-a"]
    assert own["mean_percent"].iloc[0] == pytest.approx(100 * wanted["mAP"], abs=1e-3)
    assert finished.planned("results/tables/dg_single.md", suite="own") == {}
    cards.write_text(cards.read_text(encoding="utf-8").replace("A network of others", "Renamed"), encoding="utf-8")
    assert finished.planned("results/tables/dg_single.md", suite="own") == {"table": 1, "show_table": 1}
    file = finished.folder / "net.onnx"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"!")
    assert finished.planned("results/tables/dg_single.md", suite="own")["weights"] == 1, "another file of that name"
    file.unlink()
    assert finished.planned("results/tables/dg_single.md", suite="own") == {"table": 1, "show_table": 1}, (
        "what was brought stands"
    )


def test_three_rendered_targets_are_scored_alike_in_every_form(finished):
    pytest.importorskip("onnxruntime", reason="ONNX files need the extra onnx")
    for form in ("net.onnx", "net.pt2", "net"):
        assert finished.run("dcac", "export", RUN, "--out", form).returncode == 0
    finished.snakemake("results/data/street.parquet")
    for network in (RUN, "net.onnx", "net.pt2", "net"):
        words = [word for target in ("smoke-a", "smoke-b", "street") for word in ("--target", target)]
        result = finished.run("dcac", "evaluate", network, *words, "--out", f"scored/{network.rpartition('/')[2]}")
        assert result.returncode == 0, result.stdout
        assert result.stdout.count("mAP ") == 3
    for target in ("smoke-a", "smoke-b", "street"):
        folders = ("seed0", "net.onnx", "net.pt2", "net")
        scores = [json.loads((finished.folder / f"scored/{name}/{target}.json").read_text())["mAP"] for name in folders]
        assert max(scores) - min(scores) < 1e-6
