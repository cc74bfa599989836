"""What methods are called in tables and figures."""

from collections.abc import Mapping

from dcac.suites import Variant

REFERENCES = {
    "chance": "chance",
    "histogram": "colour histogram",
    "pretrained": "pre-trained encoder, not fine-tuned",
}


def method_labels(variants: Mapping[str, Variant]) -> dict[str, str]:
    """Name every method: references here, variants in `config/variants.yaml`."""
    return REFERENCES | {name: variant.label for name, variant in variants.items()}
