"""The floor of every configuration file: closed models, their numbers, and errors that name file, key and remedy."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


class Closed(BaseModel):
    """Base of all configuration models: frozen, and no unknown key passes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Model = TypeVar("Model", bound=Closed)


class ConfigError(ValueError):
    """A configuration file that cannot be used; the message names file, key, value and remedy."""


def load_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping.

    Raises:
        ConfigError: the file is missing or holds no mapping.
    """
    if not path.is_file():
        siblings = sorted(p.stem for p in path.parent.glob("*.yaml"))
        near = nearest(path.stem, siblings)
        raise ConfigError(f"{path} does not exist{near}; there are: {', '.join(siblings) or 'none'}")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold a mapping of keys to values, found {type(content).__name__}")
    return content


def parse(model: type[Model], content: Mapping[str, Any], origin: str) -> Model:
    """Validate a mapping against a closed model.

    Raises:
        ConfigError: with every faulty key, its value and, for an unknown key, its nearest neighbour.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = [_explain(issue, model) for issue in error.errors()]
        raise ConfigError(f"{origin}: " + "; ".join(lines)) from None


def nearest(name: str, known: Sequence[str]) -> str:
    """Ask `(did you mean ...?)` with the known name most like an unknown one; nothing where none is like it."""
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""


def _explain(issue: Any, model: type[Closed]) -> str:
    key = ".".join(str(part) for part in issue["loc"]) or "value"
    if issue["type"] == "extra_forbidden":
        return f"unknown key '{key}'{nearest(key, list(model.model_fields))}"
    if issue["type"] == "missing":
        return f"key '{key}' is missing; add it"
    message = issue["msg"].removeprefix("Value error, ")
    value = issue.get("input")
    return message if isinstance(value, dict) else f"'{key}' is {value!r}: {message}"
