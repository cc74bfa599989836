"""Suites: layers of settings, names that must exist, and what the project's own files say."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from dcac.closed import ConfigError, load_yaml
from dcac.foreign.weights_card import load_weights
from dcac.suites import (
    Variant,
    join_sources,
    load_preset,
    load_project,
    load_suite,
    load_variants,
    run_settings,
    split_sources,
)

SUITES = sorted(path.stem for path in (Path(__file__).parents[1] / "config" / "suites").glob("*.yaml"))
PAPER = {  # method.md section 7: training set -> (rank, temperature, noise weight)
    "MA": (8, 0.6, 1.0),
    "D": (8, 0.6, 1.0),
    "C3": (8, 0.1, 1.0),
    "MS": (32, 1.0, 1.0),
    "D+MS+C3": (32, 1.0, 1.0),
    "MA+MS+C3": (32, 1.0, 1.0),
    "MA+D+C3": (32, 1.0, 1.0),
    "MA+D+MS": (32, 1.0, 1.0),
}


@pytest.fixture
def root(tmp_path, config_dir):
    """A copy of the configuration that a test may edit."""
    return Path(shutil.copytree(config_dir, tmp_path / "config"))


@pytest.fixture
def edit(root):
    """Return a function that changes keys of one YAML file."""

    def change(name, **changes):
        path = root / name
        path.write_text(yaml.safe_dump({**load_yaml(path), **changes}, sort_keys=False), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("overrides", "sources", "variant", "expected"),
    [
        ({}, {}, {}, 10),
        ({"epochs": 11}, {}, {}, 11),
        ({"epochs": 11}, {"campus": {"epochs": 12}}, {}, 12),
        ({"epochs": 11}, {"campus": {"epochs": 12}}, {"epochs": 13}, 13),
        ({"epochs": 11}, {"street": {"epochs": 12}}, {}, 11),
    ],
)
def test_later_layers_win(root, edit, overrides, sources, variant, expected):
    edit("base/demo.yaml", epochs=10)
    edit("suites/demo.yaml", overrides=overrides, source_settings=sources)
    edit("variants.yaml", mine=variant)
    assert run_settings(load_suite("demo", root), "mine", "campus", root).epochs == expected


@pytest.mark.parametrize("layer", ["base", "overrides", "sources", "variant"])
def test_misspelt_key_of_any_layer_names_its_nearest_neighbour(root, edit, layer):
    wrong = {"learing_rate": 1.0e-3}
    if layer == "base":
        edit("base/demo.yaml", **wrong)
    elif layer == "variant":
        edit("variants.yaml", dcac=wrong)
    else:
        edit(
            "suites/demo.yaml",
            **{"overrides": wrong} if layer == "overrides" else {"source_settings": {"street": wrong}},
        )
    with pytest.raises(ConfigError, match=r"unknown key 'learing_rate' \(did you mean 'learning_rate'\?\)"):
        run_settings(load_suite("demo", root), "dcac", "street", root)


def test_missing_key_is_named(root):
    path = root / "base" / "demo.yaml"
    path.write_text(path.read_text().replace("lora_alpha:", "# lora_alpha:"))
    with pytest.raises(ConfigError, match="key 'lora_alpha' is missing; add it"):
        run_settings(load_suite("demo", root), "dcac", "street", root)


@pytest.mark.parametrize(
    ("key", "value"),
    [("flip_probability", 1.5), ("epochs", 0), ("learning_rate", -1.0), ("condition", "soft"), ("lora_rank", "many")],
)
def test_value_out_of_range_is_named_with_its_key(root, edit, key, value):
    edit("variants.yaml", dcac={key: value})
    with pytest.raises(ConfigError, match=f"'{key}' is {value!r}"):
        run_settings(load_suite("demo", root), "dcac", "street", root)


def test_all_faults_are_reported_at_once(root, edit):
    edit("variants.yaml", dcac={"epochs": 0, "lora_rang": 4})
    with pytest.raises(ConfigError, match="epochs") as caught:
        run_settings(load_suite("demo", root), "dcac", "street", root)
    assert "lora_rang" in str(caught.value) and "'lora_rank'" in str(caught.value)


def test_unknown_suite_and_variant_name_their_nearest_neighbour(config_dir):
    with pytest.raises(ConfigError, match=r"unknown suite 'papper' \(did you mean 'paper'\?\).*one of: .*demo.*paper"):
        load_suite("papper", config_dir)
    with pytest.raises(ConfigError, match=r"unknown variant 'dcca' \(did you mean 'dcac'\?\)"):
        run_settings(load_suite("demo", config_dir), "dcca", "street", config_dir)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_settings": {"stret": {"epochs": 4}}}, "sources in source_settings: 'stret' .did you mean 'street'"),
        ({"protocols": {"single-source": {"campus": ["wintr"]}}}, "'wintr' .did you mean 'winter'"),
        ({"figures": {"cmc": {"table": "dg_singel", "kind": "cmc", "title": "t"}}}, "'dg_single'"),
        ({"seed": [1]}, "unknown key 'seed' .did you mean 'seeds'"),
    ],
)
def test_suite_with_a_name_that_does_not_exist_is_refused(root, edit, changes, message):
    edit("suites/demo.yaml", **changes)
    if "protocols" in changes:
        edit("suites/demo.yaml", tables={}, figures={}, source_settings={})
    with pytest.raises(ConfigError, match=message):
        load_suite("demo", root)


def test_command_line_wins_over_the_project_file(config_dir):
    assert load_project(config_dir).suite == "demo"
    assert load_project(config_dir, {"suite": "smoke"}).suite == "smoke"
    with pytest.raises(ConfigError, match="did you mean 'suite'"):
        load_project(config_dir, {"suit": "smoke"})


@pytest.mark.parametrize("name", SUITES)
def test_every_run_of_every_suite_has_settings(config_dir, name):
    suite = load_suite(name, config_dir)
    weights = load_weights(config_dir / "weights.yaml")
    for sources in suite.source_sets:
        for variant in suite.all_variants:
            settings = run_settings(suite, variant, sources, config_dir)
            assert weights[settings.encoder_weights].kind == "encoder"
            assert weights[settings.diffusion_weights].kind == "diffusion"


def test_every_variant_has_settings_of_its_own(config_dir):
    suites = (load_suite("paper", config_dir), "MA"), (load_suite("demo", config_dir), "campus")
    dcac = [run_settings(suite, "dcac", sources, config_dir) for suite, sources in suites]
    for name, variant in load_variants(config_dir).items():
        settings = [run_settings(suite, name, sources, config_dir) for suite, sources in suites]
        assert name == "dcac" or settings != dcac, f"{name} is DCAC by another name"
        assert "label" not in variant.changes and variant.label != name
    labels = [variant.label for variant in load_variants(config_dir).values()]
    assert len(set(labels)) == len(labels)  # rows of a table are told apart by them


def test_a_variant_without_a_label_is_called_by_its_key(root, edit):
    edit("variants.yaml", mine={"epochs": 3}, bare=None)
    variants = load_variants(root)
    assert variants["mine"] == Variant("mine", {"epochs": 3}, baseline="baseline")
    assert variants["bare"] == Variant("bare", {}, baseline="baseline")


@pytest.mark.parametrize("key", ["baseline", "control"])
def test_a_partner_that_is_no_variant_is_refused(root, edit, key):
    edit("variants.yaml", mine={key: "baseline-sdg"})
    with pytest.raises(
        ConfigError, match=rf"{key} 'baseline-sdg' of 'mine' is no variant .did you mean 'baseline-sgd'"
    ):
        load_variants(root)


def test_a_variant_differs_from_its_control_in_one_setting(config_dir):
    suite, variants = load_suite("paper", config_dir), load_variants(config_dir)
    named = {name: variant.control for name, variant in variants.items() if variant.control is not None}
    assert named == {"dcac": "dcac-placebo"}
    ours, theirs = (run_settings(suite, each, "MA", config_dir).model_dump() for each in ("dcac", "dcac-placebo"))
    assert {key for key in ours if ours[key] != theirs[key]} == {"noise_image"}


def test_a_variant_differs_from_its_baseline_in_the_prior_alone(config_dir):
    """Where a baseline of its own is named, what differs must be DCAC's own settings and nothing of the Re-ID model."""
    suite, variants = load_suite("paper", config_dir), load_variants(config_dir)
    named = {name: variant.baseline for name, variant in variants.items() if variant.baseline != "baseline"}
    assert named
    for name, partner in named.items():
        ours, theirs = (run_settings(suite, each, "MA", config_dir).model_dump() for each in (name, partner))
        assert {key for key in ours if ours[key] != theirs[key]} == {"method", "diffusion"}, name


def test_a_variant_like_another_takes_its_keys_but_not_its_names(root, edit):
    first = {"label": "First", "colour": "#123456", "published": "DCAC", "control": "dcac", "baseline": "baseline-sgd"}
    edit("variants.yaml", first={**first, "epochs": 7, "lora_rank": 2}, second={"like": "first", "lora_rank": 3})
    edit("variants.yaml", third={"like": "second", "label": "Third", "baseline": "baseline", "epochs": 9})
    variants = load_variants(root)
    assert variants["second"] == Variant("second", {"epochs": 7, "lora_rank": 3}, baseline="baseline-sgd")
    assert variants["third"] == Variant("Third", {"epochs": 9, "lora_rank": 3})
    settings = run_settings(load_suite("paper", root), "third", "MA", root)
    assert (settings.epochs, settings.lora_rank) == (9, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"mine": {"like": "baseline-sdg"}},
            "'mine' is like 'baseline-sdg', which is no variant .did you mean 'baseline-sgd'",
        ),
        ({"mine": {"like": "mine"}}, "in a circle, mine -> mine; remove one"),
        ({"a": {"like": "b"}, "b": {"like": "c"}, "c": {"like": "a"}}, "in a circle, a -> b -> c -> a; remove one"),
        ({"mine": {"like": 3}}, "like of 'mine' is 3, not a word"),
        ({"mine": {"colour": "red"}}, "colour of 'mine' is 'red'; write '#rrggbb' in quotes"),
    ],
)
def test_a_variant_like_none_or_like_itself_is_refused(root, edit, changes, message):
    edit("variants.yaml", **changes)
    with pytest.raises(ConfigError, match=message):
        load_variants(root)


def test_a_suite_takes_from_its_parent_what_it_does_not_say(config_dir):
    parent, child = load_suite("paper", config_dir), load_suite("paper-released", config_dir)
    assert child == parent.model_copy(update={"title": child.title, "preset": "released"})


def test_mappings_of_a_child_are_merged_key_by_key_and_lists_replace(root):
    (root / "suites/lab.yaml").write_text(
        "extends: paper\n"
        "domains: [MA, D, MS, C3, LAB]\n"
        "protocols:\n  single-source:\n    MA: [LAB]\n    LAB: [MA, MS]\n"
        "source_settings:\n  MA: {lora_rank: 4}\n"
        "tables:\n  dg_single: {title: Ours}\n  in_domain: null\n"
    )
    parent, child = load_suite("paper", root), load_suite("lab", root)
    cells = child.protocols["single-source"]
    assert list(cells) == [*parent.protocols["single-source"], "LAB"]
    assert cells["MA"] == ("LAB",) and cells["D"] == parent.protocols["single-source"]["D"]
    assert child.source_settings["MA"] == {"lora_rank": 4, "condition_temperature": 0.6}
    assert child.tables["dg_single"] == parent.tables["dg_single"].model_copy(update={"title": "Ours"})
    assert list(child.tables) == ["dg_single", "dg_multi"]
    untouched = {"title", "seeds", "variants", "references", "figures", "overrides", "base", "preset", "device"}
    assert all(getattr(child, name) == getattr(parent, name) for name in untouched)


def test_networks_is_the_paper_without_training(config_dir):
    """Equal to what its file said in full before mappings were merged."""
    parent, child = load_suite("paper", config_dir), load_suite("networks", config_dir)
    said = {"title": child.title, "variants": (), "references": child.references, "source_settings": {}}
    assert child == parent.model_copy(update={**said, "figures": {"cmc": parent.figures["cmc"]}})


def test_a_suite_may_extend_a_child_but_no_stranger_and_not_itself(root, edit):
    edit("suites/paper-released.yaml", extends="papr")
    with pytest.raises(ConfigError, match=r"papr.yaml does not exist \(did you mean 'paper'"):
        load_suite("paper-released", root)
    edit("suites/paper-released.yaml", extends="paper")
    (root / "suites/mine.yaml").write_text("extends: paper-released\ntitle: Mine\n")
    assert load_suite("mine", root) == load_suite("paper-released", root).model_copy(update={"title": "Mine"})
    edit("suites/paper.yaml", extends="mine")
    with pytest.raises(ConfigError, match="'mine' extends itself, by way of mine, paper-released, paper"):
        load_suite("mine", root)
    (root / "suites/mine.yaml").write_text("extends: [paper]\n")
    with pytest.raises(ConfigError, match=r"extends is \['paper'\], not the name of a suite"):
        load_suite("mine", root)


def test_null_removes_only_what_is_there(root):
    (root / "suites/mine.yaml").write_text("extends: paper\nfigures:\n  diagnostic: null\n")
    with pytest.raises(
        ConfigError, match=r"'paper': figures has no 'diagnostic' that null could remove \(did you mean 'diagnostics'"
    ):
        load_suite("mine", root)


def test_a_preset_lies_between_base_and_suite(root, edit):
    (root / "presets/mine.yaml").write_text("every_run: {epochs: 51, lora_rank: 3}\nsingle_source: {lora_alpha: 2.0}\n")
    edit("suites/paper.yaml", preset="mine", overrides={"epochs": 52})
    suite = load_suite("paper", root)
    single, several = (run_settings(suite, "dcac", sources, root) for sources in ("MS", "MA+MS+C3"))
    assert (single.epochs, single.lora_rank, single.lora_alpha) == (52, 3, 2.0)
    assert (several.epochs, several.lora_rank, several.lora_alpha) == (52, 3, 1.0)


def test_an_unknown_preset_names_its_nearest_neighbour(root):
    suite = load_suite("paper", root).model_copy(update={"preset": "relased"})
    with pytest.raises(ConfigError, match=r"did you mean 'released'"):
        run_settings(suite, "dcac", "MA", root)


def test_the_released_preset_sets_the_switches_of_the_released_code(config_dir):
    intended, released = (load_suite(name, config_dir) for name in ("paper", "paper-released"))
    changed = {}
    for sources in ("MA", "MA+MS+C3"):
        ours, theirs = (run_settings(s, "dcac", sources, config_dir).model_dump() for s in (intended, released))
        changed[sources] = {key: theirs[key] for key in theirs if theirs[key] != ours[key]}
    several = {  # method.md section 10.1, numbers 1 and 3 to 6, and 10.2 for the adapters without gradient
        "lora_qkv_bias": "random_frozen",
        "lora_cross_attention_qk": "keep",
        "erasing_fill": 0.5,
        "bnneck_updates_per_step": 2,
        "prototype_logits_dtype": "autocast",
        "memory_dtype": "autocast",
    }
    assert changed == {"MA": {**several, "evaluation_resize": "bilinear"}, "MA+MS+C3": several}  # number 2
    assert load_preset("intended", "MA", config_dir) == {}


def test_every_ablation_starts_from_baseline_and_dcac_of_the_paper(config_dir):
    suite, paper = load_suite("ablation", config_dir), load_suite("paper", config_dir)
    assert len({table.title for table in suite.tables.values()}) == len(suite.tables) > 0
    for name in suite.tables:
        assert {"baseline", "dcac"} <= set(suite.variants_of(name))
    for variant in ("baseline", "dcac"):
        ours, theirs = (run_settings(s, variant, "MA", config_dir) for s in (suite, paper))
        assert ours == theirs


def test_every_variant_is_compared_by_some_suite(config_dir):
    """A variant that no table shows would be a promise that nothing runs."""
    compared = {variant for name in SUITES for variant in load_suite(name, config_dir).all_variants}
    assert compared == set(load_variants(config_dir))


def test_a_table_of_overhead_has_no_seeds_of_its_own(root, edit):
    edit(
        "suites/paper.yaml",
        tables={"c": {"protocol": "single-source", "title": "t", "kind": "overhead", "seeds": [1]}},
        figures={},
    )
    with pytest.raises(ConfigError, match="a table of kind 'overhead' has neither published rows nor seeds"):
        load_suite("paper", root)


def test_a_table_takes_variants_and_seeds_of_its_own(root, edit):
    tables = {
        "one": {"protocol": "single-source", "title": "1"},
        "two": {"protocol": "single-source", "title": "2", "variants": ["dcac-silu", "dcac"], "seeds": [7]},
    }
    edit("suites/paper.yaml", tables=tables, figures={})
    suite = load_suite("paper", root)
    assert suite.variants_of("one") == ("baseline", "dcac-placebo", "dcac") and suite.seeds_of("one") == (1, 2, 3)
    assert suite.variants_of("two") == ("dcac-silu", "dcac") and suite.seeds_of("two") == (7,)
    assert suite.all_variants == ("baseline", "dcac-placebo", "dcac", "dcac-silu")
    assert suite.with_seeds((5,)).seeds_of("two") == (5,)


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        ({"table": "dg_singel", "kind": "cmc"}, "unknown table of figure 'f': 'dg_singel' .did you mean 'dg_single'"),
        ({"table": "dg_single", "kind": "samples"}, "kind 'samples' draws one run; name it"),
        ({"table": "dg_single", "kind": "correlation", "variants": ["dcac", "baseline"]}, "draws one run"),
        ({"table": "dg_single", "kind": "tsne"}, "needs the runs to compare"),
        (
            {"table": "dg_single", "kind": "tsne", "variants": ["dcac-silu"]},
            "unknown variant of figure 'f': 'dcac-silu'",
        ),
        ({"table": "dg_single", "kind": "cmc", "variants": ["dcac"]}, "draws all variants of its table"),
        ({"table": "cost", "kind": "cmc"}, "table 'cost', which has no scores"),
    ],
)
def test_a_figure_names_what_it_can_draw(root, edit, figure, message):
    tables = load_yaml(root / "suites/paper.yaml")["tables"]
    tables["cost"] = {"protocol": "single-source", "title": "c", "kind": "overhead"}
    edit("suites/paper.yaml", tables=tables, figures={"f": {"title": "t", **figure}})
    with pytest.raises(ConfigError, match=message):
        load_suite("paper", root)


def test_paper_suite_trains_the_eight_published_runs(config_dir):
    suite = load_suite("paper", config_dir)
    assert set(suite.source_sets) == set(PAPER)
    for sources, (rank, temperature, weight) in PAPER.items():
        settings = run_settings(suite, "dcac", sources, config_dir)
        assert (settings.lora_rank, settings.condition_temperature, settings.noise_weight) == (
            rank,
            temperature,
            weight,
        )
        assert (settings.condition, settings.bottleneck, settings.diffusion) == ("fc", "embedding", "lora")


def test_paper_recipe_is_that_of_the_method(config_dir):
    settings = run_settings(load_suite("paper", config_dir), "dcac", "MS", config_dir)
    views = (settings.image_height, settings.image_width, settings.pad_pixels, settings.diffusion_image_size)
    assert views == (256, 128, 10, 128)
    assert (settings.identities_per_batch, settings.images_per_identity, settings.epochs) == (16, 4, 60)
    assert (settings.learning_rate, settings.weight_decay, settings.decay_epochs) == (5e-6, 1e-4, (30, 50))
    memory = (settings.prototype_temperature, settings.prototype_momentum, settings.prototype_update)
    assert memory == (0.01, 0.2, "hard") and settings.prototype_rebuild == "epoch"
    assert (settings.label_smoothing, settings.id_weight, settings.prototype_weight) == (0.1, 1.0, 1.0)
    assert (settings.lora_alpha, settings.prompt_std, settings.classifier_std) == (1.0, 1.0, 0.001)


def test_variants_differ_from_the_method_only_where_they_say(config_dir):
    suite = load_suite("paper", config_dir)
    dcac, baseline, hard = (
        run_settings(suite, name, "MA", config_dir).model_dump() for name in ("dcac", "baseline", "dcac-hard-label")
    )
    assert {key for key in dcac if dcac[key] != baseline[key]} == {"method", "diffusion"}
    assert {key for key in dcac if dcac[key] != hard[key]} == {"condition"}


def test_sources_join_in_the_order_of_the_cards():
    assert join_sources(["C3", "MA", "D"], ["MA", "D", "MS", "C3"]) == "MA+D+C3"
    assert split_sources("MA+D+C3") == ["MA", "D", "C3"]


@pytest.mark.parametrize("name", ["my run", "a/b", "{a}", ".a", "chance", "pretrained"])
def test_a_variant_that_cannot_be_a_folder_of_its_own_is_refused(root, edit, name):
    edit("variants.yaml", **{name: {"epochs": 3}})
    with pytest.raises(ConfigError, match=f"variants.yaml: variant '{name}' (cannot be a name|is a word)"):
        load_variants(root)


@pytest.mark.parametrize("entry", ["word", [1], 3])
def test_a_variant_that_is_no_mapping_is_refused(root, edit, entry):
    edit("variants.yaml", mine=entry)
    with pytest.raises(ConfigError, match=r"variants.yaml: variant 'mine' is .*; give `key: value` lines below it"):
        load_variants(root)


@pytest.mark.parametrize("key", ["label", "baseline", "control"])
@pytest.mark.parametrize("value", [True, 3, None, ["a"]])
def test_a_label_or_baseline_that_is_no_word_is_refused(root, edit, key, value):
    edit("variants.yaml", mine={key: value})
    with pytest.raises(
        ConfigError, match=rf"variants.yaml: {key} of 'mine' is {re.escape(repr(value))}, not a word; write"
    ):
        load_variants(root)


def test_two_variants_with_one_label_are_refused(root, edit):
    edit("variants.yaml", one={"label": "Mine", "epochs": 3}, two={"label": "Mine", "epochs": 4})
    with pytest.raises(ConfigError, match="'one' and 'two' have one label, 'Mine'"):
        load_variants(root)


def test_a_suite_whose_file_cannot_be_a_folder_is_refused(root):
    (root / "suites/my suite.yaml").write_text("extends: paper\n")
    with pytest.raises(ConfigError, match="suite 'my suite' cannot be a name in a path"):
        load_suite("my suite", root)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [1, 2, 1]}, "'seeds' is .*: 1 is given twice"),
        ({"seeds": []}, "'seeds'.* at least 1 item"),
        ({"variants": ["dcac", "dcac"]}, "'dcac' is given twice"),
        ({"variants": [], "references": []}, "without variants and references"),
        ({"references": ["chance", "chance"]}, "'chance' is given twice"),
        ({"domains": ["MA", "MA"]}, "'MA' is given twice"),
        ({"protocols": {"p": {"MA": ["D", "D"]}}}, "'D' is given twice"),
        ({"protocols": {"p": {"MA+MA": ["D"]}}}, "'MA' is given twice"),
        ({"protocols": {"p": {"MA": []}}}, "at least 1 item"),
        ({"protocols": {"p": {}}}, "at least 1 item"),
        ({"tables": {"my table": {"protocol": "single-source", "title": "t"}}}, "table 'my table' cannot be a name"),
        ({"tables": {"t": {"protocol": "single-source", "title": "t", "variants": ["dcac"] * 2}}}, "given twice"),
        ({"tables": {"t": {"protocol": "single-source", "title": "t", "seeds": [1, 1]}}}, "1 is given twice"),
        ({"tables": {"t": {"protocol": "single-source", "title": "t", "seeds": [-1]}}}, "'tables.t.seeds.0' is -1"),
        ({"tables": {"t": {"protocol": "single-source", "title": "t", "on_demand": 0.5}}}, "on_demand"),
        ({"figures": {"a/b": {"table": "dg_single", "kind": "cmc", "title": "t"}}}, "figure 'a/b' cannot be a name"),
    ],
)
def test_a_suite_with_nothing_or_the_same_twice_is_refused(root, edit, changes, message):
    bare = {"figures": {}, "source_settings": {}, **({"tables": {}} if "protocols" in changes else {})}
    edit("suites/paper.yaml", **{**bare, **changes})
    with pytest.raises(ConfigError, match=message):
        load_suite("paper", root)


def test_seeds_of_the_command_line_are_some_and_differ(config_dir):
    for seeds in ([], [1, 1], [-1], [True]):
        with pytest.raises(ConfigError, match="'seeds"):
            load_project(config_dir, {"seeds": seeds})


def test_settings_are_for_sources_of_the_suite_each_once(config_dir):
    suite = load_suite("paper", config_dir)
    with pytest.raises(ConfigError, match=r"sources 'MA\+MA': 'MA' is given twice"):
        run_settings(suite, "dcac", "MA+MA", config_dir)
    with pytest.raises(ConfigError, match=r"sources 'MA\+MSS': unknown data set .* 'MSS' \(did you mean 'MS'"):
        run_settings(suite, "dcac", "MA+MSS", config_dir)


def test_a_suite_outside_the_clone_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"config/suites/smoke.yaml does not exist; .* current folder, {tmp_path}"):
        load_suite("smoke")


def test_the_home_folder_is_known_by_its_sign(config_dir, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert load_project(config_dir, {"data_root": "~/pictures"}).data_root == "/home/me/pictures"
