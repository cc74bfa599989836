"""Methods are called by their labels."""

from dcac.reporting.labels import REFERENCES, method_labels
from dcac.reporting.latex import escape, symbols
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
