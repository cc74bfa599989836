"""JSON schemas of the configuration files, so that an editor completes keys and marks what `dcac` would refuse.

In: the closed models. Out: `config/schemas/*.json`, named by the comment on the first line of each file of `config`.
They say less than the models: what two keys mean together is checked when a file is read.
"""

import json
from pathlib import Path
from typing import Any

from dcac.closed import Closed
from dcac.data.catalog import Card
from dcac.declared import completed
from dcac.demo.recipes import DiffusionPretraining, EncoderPretraining
from dcac.foreign.weights_card import Weights
from dcac.settings import Settings
from dcac.suites import NAMED, Preset, Project, Suite

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXT = {"type": "string"}
EXTENDS = (
    "The suite that this one is laid over, key by key at every depth. Lists and single values take the place of the parent's; "
    "null removes the parent's entry."
)
PART = "PartOf"  # before the name of a definition of which some keys may be missing


def run(out: Path) -> None:
    """Write one schema for each kind of configuration file."""
    out.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (out / f"{name}.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


def schemas() -> dict[str, dict[str, Any]]:
    """Describe each kind of configuration file, by the schema's name."""
    found = {
        "project": schema_of(Project),
        "suite": suite_schema(),
        "base": schema_of(completed(Settings)),
        "preset": preset_schema(),
        "variants": mapping_of(
            {
                "anyOf": [
                    partly(completed(Settings), **dict.fromkeys((*NAMED, "baseline", "like"), TEXT)),
                    {"type": "null"},
                ]
            }
        ),
        "weights": mapping_of(weights_schema()),
        "datasets": mapping_of(card_schema()),
    }
    return {name: {"$schema": DIALECT, **lift_definitions(schema)} for name, schema in found.items()}


def schema_of(model: type[Closed]) -> dict[str, Any]:
    """Describe a file or entry that gives every key of a closed model."""
    return model.model_json_schema()


def partly(model: type[Closed], **more: dict[str, Any]) -> dict[str, Any]:
    """Describe an entry that gives some keys of a model, and may give others of its own."""
    schema = schema_of(model)
    return {**schema, "required": [], "properties": {**more, **schema["properties"]}}


def mapping_of(entry: dict[str, Any]) -> dict[str, Any]:
    """Describe a file of named entries."""
    return {"type": "object", "additionalProperties": entry}


def suite_schema() -> dict[str, Any]:
    """Describe a suite: complete, or what differs from the suite that it extends."""
    complete = schema_of(Suite)
    settings = partly(completed(Settings))
    properties = {**complete["properties"], "overrides": settings, "source_settings": mapping_of(settings)}
    complete = {**complete, "properties": properties}
    child = laid_over(complete)
    child["properties"]["extends"] = {**TEXT, "description": EXTENDS}
    return {"if": {"required": ["extends"]}, "then": child, "else": complete}


def laid_over(schema: Any) -> Any:
    """Describe mappings that are laid over others: at every depth any key may be missing, or null to be removed."""
    if isinstance(schema, list):
        return [laid_over(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    relaxed: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("required", "minProperties"):
            continue
        if key == "properties":
            relaxed[key] = {name: _or_null(part) for name, part in value.items()}
        elif key == "additionalProperties" and isinstance(value, dict):
            relaxed[key] = _or_null(value)
        elif key == "$defs":
            relaxed[key] = {f"{PART}{name}": laid_over(part) for name, part in value.items()}
        elif key == "$ref":
            relaxed[key] = value.replace("#/$defs/", f"#/$defs/{PART}")
        else:
            relaxed[key] = laid_over(value)
    return relaxed


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [laid_over(schema), {"type": "null"}]}


def preset_schema() -> dict[str, Any]:
    """Describe a preset, whose layers are settings."""
    schema = schema_of(Preset)
    return {**schema, "properties": dict.fromkeys(schema["properties"], partly(completed(Settings)))}


def weights_schema() -> dict[str, Any]:
    """Describe the card of a pre-trained network; one that the demo trains says how."""
    schema = schema_of(Weights)
    recipes = {"anyOf": [schema_of(EncoderPretraining), schema_of(DiffusionPretraining), {"type": "null"}]}
    return {**schema, "properties": {**schema["properties"], "pretraining": recipes}}


def card_schema() -> dict[str, Any]:
    """Describe the card of a data set, whose code is its key in the file."""
    schema = schema_of(Card)
    properties = {name: value for name, value in schema["properties"].items() if name != "code"}
    return {**schema, "properties": properties, "required": [name for name in schema["required"] if name != "code"]}


def lift_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    """Move `$defs` of nested models to the top, where `#/$defs/...` looks for them."""
    definitions: dict[str, Any] = {}

    def without(part: Any) -> Any:
        if isinstance(part, list):
            return [without(each) for each in part]
        if not isinstance(part, dict):
            return part
        for name, definition in part.get("$defs", {}).items():
            definitions[name] = without(definition)
        return {key: without(value) for key, value in part.items() if key != "$defs"}

    lifted = without(schema)
    return {**lifted, "$defs": definitions} if definitions else lifted
