"""The plan of a suite, cut down to the data at hand, without Snakemake."""

import shutil
from pathlib import Path

import pytest
import yaml

from dcac.closed import ConfigError, load_yaml
from dcac.data.catalog import load_catalog
from dcac.planning import Plan

SMALL = ("PRID", "GRID", "VIPeR", "iLIDS")
LEAVE_ONE_OUT = {"MA+MS+CS": ("C3",), "MA+C3+CS": ("MS",), "MS+C3+CS": ("MA",)}


@pytest.fixture
def plan(tmp_path, config_dir):
    """Return a function that plans a suite with all data sets at hand but the ones named."""
    cards = load_catalog(config_dir / "datasets.yaml")

    def read(suite, *, without=(), accept=(), root=config_dir):
        for code, card in cards.items():
            if card.folders and code not in without:
                (tmp_path / "data" / card.folders[0]).mkdir(parents=True, exist_ok=True)
        given = {"suite": suite, "data_root": str(tmp_path / "data"), "accept_withdrawn": list(accept)}
        return Plan.read(given=given, root=root)

    return read


@pytest.mark.parametrize(
    ("suite", "accept", "cells", "train_splits"),
    [
        ("protocol-1", [], {"MA+C3+C2+CS": SMALL}, "all"),
        ("protocol-1-duke", ["D"], {"MA+D+C3+C2+CS": SMALL}, "all"),
        ("protocol-2", [], LEAVE_ONE_OUT, "train"),
        ("protocol-3", [], LEAVE_ONE_OUT, "all"),
    ],
)
def test_protocols_learn_from_and_are_tested_on_what_the_literature_says(plan, suite, accept, cells, train_splits):
    found = plan(suite, accept=accept)
    assert found.runnable and not found.notices
    assert list(found.suite.protocols.values()) == [cells]
    for sources in cells:
        for variant in found.suite.variants:
            settings = found.settings(variant, sources)
            assert settings.train_splits == train_splits
            assert (settings.lora_rank, settings.condition_temperature) == (32, 1.0)  # the multi-source recipe


def test_without_the_withdrawn_set_its_protocol_names_the_one_that_works(plan):
    with pytest.raises(ConfigError, match=r"no protocol of this suite is possible.*protocol-1"):
        plan("protocol-1-duke")


@pytest.fixture
def own_suite(tmp_path, config_dir):
    """Return a function that writes a suite over the paper's, and a card of a network, into a configuration of its own."""

    def write(card, **changes):
        root = shutil.copytree(config_dir, tmp_path / "config", dirs_exist_ok=True)
        content = {"extends": "paper", "variants": [], "figures": {}, "references": ["chance", "net"], **changes}
        (root / "suites/own.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        entry = {"kind": "network", "source": "file", "path": "net.onnx", "terms": "none", "network": card}
        cards = load_yaml(root / "weights.yaml") | {"net": entry}
        (root / "weights.yaml").write_text(yaml.safe_dump(cards), encoding="utf-8")
        return root

    return write


def test_a_network_is_scored_where_its_sources_are_a_cells(plan, own_suite):
    found = plan("own", accept=["D"], root=own_suite({"trained_on": ["MS"]}))
    scored = [path for path in found.scores("dg_single") if "/net/" in path]
    assert scored == [f"results/own/scores/net/MS/seed0/{target}.json" for target in ("MA", "D", "C3")]
    assert not [path for path in found.scores("dg_multi") if "/net/" in path]
    assert [path for path in found.scores("in_domain") if "/net/" in path] == [
        "results/own/scores/net/MS/seed0/MS.json"
    ]
    assert found.metric("net") == "card" and found.methods["net"].label == "net"
    assert list(found.runs("dg_single")) == []


def test_a_network_of_no_set_is_scored_on_every_target(plan, own_suite):
    found = plan("own", accept=["D"], root=own_suite({"metric": "euclidean", "label": "A network"}))
    scored = {Path(path).stem for path in found.scores("dg_multi") if "/net/none/seed0/" in path}
    assert scored == {"MA", "D", "MS", "C3"}
    assert found.metric("net") == "euclidean" and found.methods["net"].label == "A network"


def ranked_lists(*names, table="dg_single"):
    return {"figures": {"f": {"table": table, "kind": "ranked_lists", "title": "t", "variants": list(names)}}}


def test_ranked_lists_show_networks_of_others_beside_runs(plan, own_suite):
    root = own_suite({"trained_on": ["MS"]}, **ranked_lists("net", "chance"))
    paths = [*(f"results/own/features/{name}/seed0/MA.npz" for name in ("net/MS", "chance/none"))]
    paths += ["results/own/scores/net/MS/seed0/MA.json", "results/data/MA.parquet"]
    assert plan("own", accept=["D"], root=root).figure_inputs("f") == paths
    root = own_suite({"trained_on": ["MA"]}, variants=["baseline"], seeds=[3], **ranked_lists("baseline", "net"))
    paths = [f"results/own/features/{place}/D.npz" for place in ("baseline/MA/seed3", "net/MA/seed0")]
    assert plan("own", accept=["D"], root=root).figure_inputs("f")[:2] == paths


@pytest.mark.parametrize(
    ("card", "changes", "message"),
    [
        ({"metric": "euclidean"}, ranked_lists("net"), "ranks by cosine, but the card of 'net' fixes the Euclidean"),
        (
            {"trained_on": ["MS"]},
            {"variants": ["baseline"], **ranked_lists("baseline", "net")},
            "first sources of its table, MA, but 'net' has learnt from MS; leave it out",
        ),
        ({}, ranked_lists("nett"), r"unknown variant of figure 'f': 'nett' \(did you mean 'net'\?\)"),
    ],
)
def test_a_reference_that_is_not_ranked_as_the_others_is_refused(plan, own_suite, card, changes, message):
    with pytest.raises(ConfigError, match=message):
        plan("own", accept=["D"], root=own_suite(card, **changes))


def test_sources_of_a_suite_that_trains_nothing_need_not_be_at_hand(plan, own_suite):
    found = plan("own", without=["MS", "D"], root=own_suite({"trained_on": ["MS"]}))
    assert found.suite.evaluated == ("MA", "C3") and found.runnable
    assert [path for path in found.scores("dg_single") if "/net/" in path] == [
        f"results/own/scores/net/MS/seed0/{target}.json" for target in ("MA", "C3")
    ]
    assert found.common_settings.image_height == 256


def test_sources_are_named_in_the_order_of_the_cards(plan, own_suite):
    found = plan("own", accept=["D"], root=own_suite({"trained_on": ["MS", "MA", "D"]}))
    assert found.reference_sources("net") == "MA+D+MS"
    assert [p for p in found.scores("dg_multi") if "/net/" in p] == ["results/own/scores/net/MA+D+MS/seed0/C3.json"]


@pytest.mark.parametrize(
    ("card", "references", "message"),
    [
        ({"trained_on": ["LUP", "C2"]}, ["net"], r"trained on C2\+LUP, which no protocol of the suite has as sources"),
        ({}, ["nett"], r"unknown reference 'nett' \(did you mean 'net'\?\)"),
        ({}, ["sd-v1-5"], r"unknown reference 'sd-v1-5'"),
    ],
)
def test_a_reference_that_would_stand_nowhere_is_refused(plan, own_suite, card, references, message):
    root = own_suite(card, references=references)
    with pytest.raises(ConfigError, match=message):
        plan("own", accept=["D"], root=root)


def test_a_network_is_not_trained_from(plan, own_suite):
    root = own_suite({}, variants=["baseline"], overrides={"encoder_weights": "net"})
    with pytest.raises(ConfigError, match=r"'net' is a network to be tested, not one to train"):
        plan("own", accept=["D"], root=root)


def test_a_missing_target_leaves_the_others(plan):
    found = plan("protocol-1", without=["GRID"])
    assert found.suite.protocols["Protocol-1"] == {"MA+C3+C2+CS": ("PRID", "VIPeR", "iLIDS")}
    assert "GRID" in found.notices[0]


def test_what_is_cut_for_want_of_data_is_named_with_the_reason(plan):
    found = plan("paper", accept=["D"], without=["MS"])
    assert list(found.cut) == ["dg_multi"]
    found.require_planned(f"results/tables/{name}.md" for name in found.suite.tables)
    for target in ("dg_multi", "results/tables/dg_multi.tex", "results/paper/records/dg_multi.csv"):
        with pytest.raises(ConfigError, match=rf"'{target}' is not possible: .*MS: MSMT17 is not in data_root"):
            found.require_planned([target])
    whole = plan("paper", accept=["D"])
    assert "dg_multi" in whole.suite.tables and not whole.cut


def test_a_target_is_never_among_what_all_splits_teach(plan, config_dir, tmp_path):
    root = Path(shutil.copytree(config_dir, tmp_path / "config"))
    path = root / "suites" / "protocol-3.yaml"
    content = load_yaml(path)
    content["protocols"]["Protocol-3"]["MA+MS+CS"] = ["C3", "MA"]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"MA\+MS\+CS learns from the test images of MA, its own target"):
        plan("protocol-3", root=root)


def test_a_variant_is_paired_with_the_baseline_it_names(plan):
    found = plan("ablation")
    assert found.partner("dcac") == found.partner("baseline-sgd") == "baseline"
    assert found.partner("dcac-sgd") == "baseline-sgd" and found.partner("baseline") is None
    assert plan("paper").partner("dcac-sgd") is None  # not of this suite


@pytest.mark.parametrize(
    ("kind", "variant", "message"),
    [
        ("samples", "baseline", "'f' draws 'baseline', which has no prior"),
        ("correlation", "dcac-feature", "whose condition is 'feature'; name a variant of fc, pcl or fc.pcl"),
        ("correlation", "dcac-hard-label", "whose condition is 'hard'"),
    ],
)
def test_a_figure_that_its_run_cannot_fill_is_refused_before_training(
    plan, config_dir, tmp_path, kind, variant, message
):
    root = Path(shutil.copytree(config_dir, tmp_path / "config"))
    path = root / "suites" / "demo.yaml"
    content = load_yaml(path)
    content["figures"] = {"f": {"table": "demo_ablation", "kind": kind, "title": "t", "variants": [variant]}}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        plan("demo", root=root)


def test_a_remark_on_no_variant_is_refused(plan, config_dir, tmp_path):
    root = Path(shutil.copytree(config_dir, tmp_path / "config"))
    path = root / "suites" / "demo.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("  variant: dcac\n", "  variant: dcca\n"), encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"speaks of 'dcca', which is no variant .did you mean 'dcac'"):
        plan("demo", root=root)


LAB = {
    "name": "LAB",
    "status": "own",
    "terms": "Ours.",
    "folders": ["lab"],
    "layouts": {"folders": "a folder a person"},
    "variants": {"standard": {"train": {"ids": 2}}},
    "versions": ["own"],
    "limits": {"unpacked_gb": 1, "ratio": 60},
    "own": {"layout": "folders", "cameras": True, "camera": "cam(.)", "split": "half", "seed": 1},
}


@pytest.fixture
def lab(tmp_path, config_dir):
    """A copy of the configuration with a card and a suite of one's own, which extends another."""
    root = Path(shutil.copytree(config_dir, tmp_path / "config"))
    (root / "datasets.local.yaml").write_text(yaml.safe_dump({"LAB": LAB}), encoding="utf-8")

    def write(parent, sources, **more):
        cells = {sources: ["LAB"], "LAB": ["MA"]} if parent == "paper" else {sources: ["LAB"]}
        content = {"extends": parent, "protocols": {"single-source": cells}, **more}
        (root / "suites/lab.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return root

    return write


def test_a_set_of_ones_own_is_planned_like_any_other(plan, lab, tmp_path):
    root = lab("paper", "MA", domains=["MA", "D", "MS", "C3", "LAB"])
    (tmp_path / "data/lab").mkdir(parents=True)
    found = plan("lab", accept=["D"], root=root)
    assert not found.notices and found.suite.protocols["single-source"]["MA"] == ("LAB",)
    assert found.import_source("LAB") == str(tmp_path / "data/lab")
    assert ("dcac", "LAB", 1) in found.runs("dg_single")


def test_a_set_of_ones_own_that_is_gone_is_named_and_left_out(plan, lab):
    found = plan("lab", accept=["D"], root=lab("paper", "MA", domains=["MA", "D", "MS", "C3", "LAB"]))
    assert "LAB" not in found.suite.domains
    assert found.notices[0].startswith("LAB: LAB, a set of your own, is not where it was when it was added")


def test_a_demo_shows_rendered_people_only(plan, lab, tmp_path):
    (tmp_path / "data/lab").mkdir(parents=True)
    domains = ["smoke-a", "smoke-b", "LAB"]
    with pytest.raises(ConfigError, match=r"people are rendered, but LAB is not; say `demo: false` in the suite"):
        plan("lab", root=lab("smoke", "smoke-a", domains=domains))
    assert plan("lab", root=lab("smoke", "smoke-a", domains=domains, demo=False)).suite.demo is False
