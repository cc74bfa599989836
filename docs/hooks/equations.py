"""Hook of the book: blocks of ```` ```math ```` become MathML, which browsers show without script or network."""

from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the fence; a code host shows the same blocks as equations too."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {}).setdefault("custom_fences", [])
    fences.append({"name": "math", "class": "math", "format": equation})
    return config


def equation(source: str, language: str, css_class: str, options: dict[str, Any], md: object, **keywords: Any) -> str:
    """Turn the TeX of one block into an element of MathML, one equation a paragraph."""
    parts = [part.strip() for part in source.strip().split("\n\n")]
    return "\n".join(f'<p class="equation">{convert(part, display="block")}</p>' for part in parts)
