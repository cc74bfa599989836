"""The schemas for editors: equal to the models, and true of the project's own files."""

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from dcac.schemas import run, schemas

CONFIG = Path(__file__).parents[1] / "config"
FILES = sorted(CONFIG.rglob("*.yaml"))


def named_schema(path):
    """Find the schema that the first line of a configuration file names."""
    line = path.read_text(encoding="utf-8").partition("\n")[0]
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", line)
    assert found, f"{path} begins with no line '# yaml-language-server: $schema=...'"
    return path.parent / found[1]


def faults(path, content):
    validator = Draft202012Validator(json.loads(named_schema(path).read_text(encoding="utf-8")))
    return [error.message for error in validator.iter_errors(content)]


def test_the_files_are_those_of_the_models(tmp_path):
    """If this fails, a model has changed: type `dcac schemas` and commit what it writes."""
    run(tmp_path)
    kept = {path.name: path.read_text(encoding="utf-8") for path in (CONFIG / "schemas").iterdir()}
    assert kept == {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}


@pytest.mark.parametrize("name", schemas())
def test_each_is_a_schema_and_used(name):
    Draft202012Validator.check_schema(schemas()[name])
    assert name in {named_schema(path).stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIG)))
def test_a_file_of_the_project_fits_its_schema(path):
    assert faults(path, yaml.safe_load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("name", "place", "key", "value"),
    [
        ("config.yaml", [], "siute", "demo"),
        ("config.yaml", ["runtime"], "micro_batch", 0),
        ("base/paper.yaml", [], "condition", "soft"),
        ("suites/smoke.yaml", ["overrides"], "learing_rate", 1.0),
        ("suites/demo.yaml", ["tables", "dg_single"], "kind", "score"),
        ("variants.yaml", ["dcac"], "difusion", "lora"),
        ("presets/released.yaml", ["every_run"], "erasing_fil", 0.5),
        ("weights.yaml", ["demo-encoder-recipe", "pretraining"], "epochs", 0),
        ("datasets.yaml", ["MA"], "status", "free"),
    ],
)
def test_a_fault_is_marked(name, place, key, value):
    path = CONFIG / name
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    entry = content
    for word in place:
        entry = entry[word]
    entry[key] = value
    assert faults(path, content)


def test_a_suite_needs_its_keys_or_a_parent():
    path = CONFIG / "suites" / "paper-released.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert faults(path, {key: value for key, value in content.items() if key != "extends"})


def test_a_suite_that_extends_another_may_remove_keys_and_give_parts_of_entries():
    path = CONFIG / "suites" / "paper.yaml"
    parts = {"figures": {"cmc": None}, "tables": {"dg_single": {"title": "Ours"}}, "overrides": {"epochs": None}}
    assert faults(path, {"extends": "paper", **parts}) == []
    complete = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert all(faults(path, {**complete, key: value}) for key, value in parts.items())
    assert faults(path, {"extends": "paper", "tables": {"dg_single": {"titel": "Ours"}}})
    assert faults(path, {"extends": "paper", "domains": [None]})
