"""Hook of the book: the page of every configuration key, made from the closed models and the comments beside keys and values.

A key's meaning is the comment on the line where its model declares it or, for settings and the project, where a file of `config`
gives its value: what a reader of either sees.
"""

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

from cells import cell
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from dcac.closed import Closed
from dcac.data.catalog import Archive, Card, Crowd, Limits, Network, Own, SetVariant, SplitCounts
from dcac.declared import completed
from dcac.demo.recipes import DiffusionPretraining, EncoderPretraining
from dcac.foreign.network_card import Feature, PartCard, View
from dcac.foreign.weights_card import Weights
from dcac.schemas import schema_of
from dcac.settings import Settings
from dcac.suites import Cluster, Figure, Preset, Project, Remark, Running, Suite, Table

CONFIG = Path(__file__).parents[2] / "config"
INTRODUCTION = """# Configuration keys

All configuration is plain YAML in `config/`, read once. A misspelt key stops everything and names its nearest neighbour; editors that
know JSON schemas complete and check the same keys while you type ([the schemas](../config/schemas/suite.json) are named in the first
line of each file). Where a key shows no value, a file must give it.
"""
VARIANTS = """## Variants

An entry of `config/variants.yaml` is a run that differs from the base: any [setting](#settings-of-a-run), and

| key | value | meaning |
|---|---|---|
| `label` | text | its name in tables and figures |
| `baseline` | name of a variant | the one it is compared with seed by seed; `baseline` where it names none |
| `control` | name of a variant | another one that it is compared with beside it |
| `like` | name of a variant | takes all keys of that one, but for label, control, colour and published |
| `colour` | `"#rrggbb"` | its colour in figures |
| `published` | text | the row of `config/published.csv` that it repeats |
"""
MODELS: dict[str, tuple[str, dict[str, type[Closed]]]] = {
    "The project": ("`config/config.yaml`: what runs.", {"its keys": Project, "runtime": Running, "cluster": Cluster}),
    "Suites": (
        "A file of `config/suites/`: what is trained, tested and shown. [Which suite to copy](../config/suites/README.md) says "
        "how one `extends` another.",
        {"a suite": Suite, "tables: NAME": Table, "figures: NAME": Figure, "remark": Remark},
    ),
    "Presets": ("A file of `config/presets/`: settings that go together, laid over the base.", {"a preset": Preset}),
    "Cards of data sets": (
        "An entry of `config/datasets.yaml`, or of `config/datasets.local.yaml`, which `dcac data add` writes.",
        {
            "a card": Card,
            "archives: one of them": Archive,
            "variants: NAME": SetVariant,
            "a split of a variant": SplitCounts,
            "limits": Limits,
            "own": Own,
            "synthetic, of a domain": Network,
            "synthetic, for pre-training": Crowd,
        },
    ),
    "Cards of networks": (
        "An entry of `config/weights.yaml`, and its part `network:`, which also lies beside a network as a card of its own.",
        {
            "a card of weights": Weights,
            "network": PartCard,
            "view": View,
            "feature": Feature,
            "pretraining of an encoder": EncoderPretraining,
            "pretraining of a diffusion model": DiffusionPretraining,
        },
    ),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, "keys.md", content=page()))
    return files


def page() -> str:
    """Describe every key of every configuration file."""
    parts = [INTRODUCTION]
    for heading, (text, models) in MODELS.items():
        parts.append(f"## {heading}\n\n{text}\n")
        parts += [f"### {name[0].upper() + name[1:]}\n\n{table(model)}" for name, model in models.items()]
        if heading == "Suites":
            parts += [settings(), VARIANTS]
    return "\n".join(parts)


def table(model: type[Closed]) -> str:
    """List the keys of a model: what each may be, what it is where nobody gives it, and what it means."""
    schema, means = schema_of(model), meanings(model)
    lines = ["| key | value | if left out | meaning |", "|---|---|---|---|"]
    for key, part in schema["properties"].items():
        default = "" if key in schema.get("required", ()) else shown(part.get("default"))
        lines.append(f"| `{key}` | {kind(part, schema)} | {default} | {cell(means.get(key, ''))} |")
    return "\n".join(lines) + "\n"


def settings() -> str:
    """List every hyperparameter by its group, with the value of both bases and its meaning, unit and source."""
    schema = schema_of(completed(Settings))
    demo = {key: value for _, key, value, _ in lines_of(CONFIG / "base" / "demo.yaml")}
    parts = [
        "## Settings of a run\n\n"
        "Every hyperparameter, in `config/base/paper.yaml` and `demo.yaml`; `overrides:` and `source_settings:` of a suite, a preset and a "
        "variant change any of them. *Code* is the authors' released code, *ours* our own choice.\n"
    ]
    group = None
    for heading, key, value, meaning in lines_of(CONFIG / "base" / "paper.yaml"):
        if heading != group:
            group = heading
            parts.append(
                f"\n### {group[0].upper() + group[1:]}\n\n| key | value | paper | demo | meaning |\n|---|---|---|---|---|"
            )
        allowed = kind(schema["properties"][key], schema)
        parts.append(f"| `{key}` | {allowed} | `{value}` | `{demo.get(key, '')}` | {cell(meaning)} |")
    return "\n".join(parts) + "\n"


def lines_of(path: Path) -> list[tuple[str, str, str, str]]:
    """Read a flat YAML file with its comments: heading of the group, key, value and what is said beside it."""
    heading, found = "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        if title := re.fullmatch(r"# --- (.*) ---", line):
            heading = title[1]
        elif given := re.fullmatch(r" *(\w+):(?: +([^#\s].*?))?(?: +# (.*))?", line):
            found.append((heading, given[1], given[2] or "", given[3] or ""))
    return found


def meanings(model: type[Closed]) -> dict[str, str]:
    """Read what a model, or the project's own file, says beside each key."""
    found = {}
    for part in reversed(model.__mro__):
        if part.__module__.startswith("dcac."):
            source = textwrap.dedent(inspect.getsource(part))
            lines = source.splitlines()
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    comment = re.search(r"  # (.*)$", lines[(node.end_lineno or node.lineno) - 1])
                    found[node.target.id] = comment[1] if comment else ""
    if model in (Project, Running):
        found |= {key: meaning for _, key, _, meaning in lines_of(CONFIG / "config.yaml") if meaning}
    return found


def kind(part: dict, schema: dict) -> str:
    """Say in words what a value may be, from its JSON schema."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        inner = schema["$defs"][name]
        return "keys of its own" if inner.get("type") == "object" else kind(inner, schema)
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(kind(each, schema) for each in part["anyOf"]))
    if "enum" in part or "const" in part:
        return ", ".join(f"`{word(value)}`" for value in part.get("enum", [part.get("const")]))
    if part.get("type") == "array":
        return listed(part, schema)
    if part.get("type") == "object":
        inner = part.get("additionalProperties")
        return f"names, each with {kind(inner, schema)}" if isinstance(inner, dict) else "keys"
    if "pattern" in part:
        return f"text like `{part['pattern']}`"
    words = {
        "null": "null",
        "boolean": "true or false",
        "string": "text",
        "integer": "whole number",
        "number": "number",
    }
    return words.get(part.get("type", ""), "anything") + bounds(part)


def listed(part: dict, schema: dict) -> str:
    """Say what a list holds."""
    if "prefixItems" in part:
        return f"{len(part['prefixItems'])} values, each {kind(part['prefixItems'][0], schema)}"
    least = ", at least one" if part.get("minItems") else ""
    return f"list{least}; each {kind(part.get('items', {}), schema)}"


def bounds(part: dict) -> str:
    """Say which numbers are allowed."""
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return "".join(f" {word} {part[name]:g}" for name, word in words.items() if name in part)


def shown(value: Any) -> str:
    """Write a default as YAML does; a dash stands for nothing, and for a mapping whose keys have defaults of their own."""
    return "–" if value in (None, "") or isinstance(value, (list, dict)) else f"`{word(value)}`"


def word(value: Any) -> str:
    """Write one value as YAML does."""
    return str(value).lower() if isinstance(value, bool) else str(value)
