"""Methods are called by their labels."""

import ast
from pathlib import Path

import dcac.reporting
from dcac.reporting.tables.labels import REFERENCES, method_labels
from dcac.reporting.tables.latex import escape, symbols
from dcac.suites import Variant, load_variants


def test_variants_take_their_label_and_references_keep_theirs():
    labels = method_labels({"mine": Variant("Mine, λ = 3", {"noise_weight": 3.0})})
    assert labels == {**REFERENCES, "mine": "Mine, λ = 3"}


def test_no_two_methods_of_the_project_share_a_name(config_dir):
    labels = method_labels(load_variants(config_dir))
    assert len(set(labels.values())) == len(labels)


def test_every_name_survives_latex(config_dir):
    for label in method_labels(load_variants(config_dir)).values():
        assert symbols(escape(label)).isascii(), f"{label}: add its symbol to SYMBOLS of latex.py"


def test_reporting_knows_no_variant_by_name():
    """What a variant looks like, repeats and is compared with stands in `config/variants.yaml`."""
    package = Path(dcac.reporting.__file__).parent
    texts = {
        (path.name, node.value)
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    variants = load_variants(Path(__file__).parents[3] / "config")
    columns = {
        ("page.py", "baseline"),
        ("overhead_table.py", "baseline"),
    }  # heads and keys of the other in a comparison
    assert {(name, text) for name, text in texts if text in variants} <= columns
