"""The floor of every configuration file: closed models, their numbers, and errors that name file, key and remedy."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core.core_schema import ValidationInfo

OTHER_BASE = re.compile(r"[-+]?(0[0-9_]+$|[0-9][0-9_]*:)")  # what YAML 1.1 reads as octal or sexagesimal
QUOTES = "write a word that YAML reads as a truth value, a number or a date in quotes"


class ConfigError(ValueError):
    """A configuration file that cannot be used; the message names file, key, value and remedy."""


def distinct(values: tuple) -> tuple:
    """Refuse a value that is given twice: it would be counted twice, or made twice."""
    repeated = [value for place, value in enumerate(values) if value in values[:place]]
    if repeated:
        raise ValueError(f"{repeated[0]!r} is given twice; remove one")
    return values


def require_names(names: Iterable[str], what: str, *, marks: str = "._+-", reserved: Sequence[str] = ()) -> None:
    """Refuse a name that cannot be a folder, a file's name and a word of a command line.

    Args:
        what: the file, and what the names are of.
        marks: characters that are allowed beside letters and digits, but not first.
        reserved: names that mean something else there.

    Raises:
        ConfigError: with the name and the characters that a name may have.
    """
    pattern = re.compile(f"[A-Za-z0-9][A-Za-z0-9{re.escape(marks)}]*")
    for name in names:
        if not pattern.fullmatch(name):
            raise ConfigError(
                f"{what} {name!r} cannot be a name in a path; use letters a-z and A-Z, digits and {' '.join(marks)}, "
                "and begin with a letter or a digit"
            )
        if name in reserved:
            raise ConfigError(f"{what} {name!r} is a word of the project's own; choose another name")


def require_mappings(entries: Mapping[str, Any], what: str) -> None:
    """Refuse an entry that is no mapping of keys to values.

    Raises:
        ConfigError: with the entry's name and what it is.
    """
    for name, entry in entries.items():
        if not isinstance(entry, Mapping):
            raise ConfigError(f"{what} '{name}' is {entry!r}; give `key: value` lines below it, further to the right")


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Names = Annotated[tuple[str, ...], AfterValidator(distinct)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(distinct)]


MOST_VALUES, MOST_LEVELS = 100_000, 100  # of one file; ours, far above any configuration


class Closed(BaseModel):
    """Base of all configuration models: frozen; no unknown key passes, no endless number, no truth value as a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `yes` and `on` where a number is due: they would be read as 1."""
        kinds = set(_kinds(cls.model_fields[str(info.field_name)].annotation))
        nested = any(isinstance(kind, type) and issubclass(kind, (bool, BaseModel)) for kind in kinds)
        if not nested and Any not in kinds and any(isinstance(leaf, bool) for leaf in _leaves(value)):
            raise ValueError(f"yes, no, on, off, true and false are truth values; give a number, or {QUOTES}")
        return value


Model = TypeVar("Model", bound=Closed)


class _Loader(yaml.SafeLoader):
    """YAML whose keys are words, each given once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        first: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            line = key.start_mark.line + 1
            if key.tag != "tag:yaml.org,2002:str":
                if not isinstance(key, yaml.ScalarNode):
                    raise _Refused(line, "a key is a list or mapping; write a word before the colon")
                kind = key.tag.rpartition(":")[2]
                raise _Refused(line, f"key {key.value} is read as {kind}, not as a word; write '{key.value}' in quotes")
            if key.value in first:
                raise _Refused(line, f"key '{key.value}' is given again, first in line {first[key.value]}; remove one")
            first[key.value] = line
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except ConfigError:
            raise
        except (ValueError, OverflowError, AttributeError, LookupError) as error:  # a date or number that is none
            raise _Refused(node.start_mark.line + 1, f"{node.value!r} cannot be read ({error}); {QUOTES}") from None
        if type(value) in (int, float) and OTHER_BASE.match(node.value):
            why = (
                f"{node.value} is read as {value}, a number to base 8 or 60; write {value}, or '{node.value}' in quotes"
            )
            raise _Refused(node.start_mark.line + 1, why)
        return value


class _Refused(ConfigError):
    """A line of a YAML file that cannot be used."""

    def __init__(self, line: int, why: str):
        super().__init__(f"line {line}: {why}")


def load_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping, whose keys are words and each given once.

    Raises:
        ConfigError: the file is missing, does not parse, gives a key twice or holds no mapping; with file and line.
    """
    content = _load(_read_text(path), path)
    if not isinstance(content, dict):
        found = "nothing" if content is None else type(content).__name__
        raise ConfigError(f"{path} must hold a mapping of keys to values, found {found}; write lines of `key: value`")
    return content


def is_blank(path: Path) -> bool:
    """Tell whether a YAML file says nothing, whatever its comments."""
    return _load(_read_text(path), path) is None


def stems(folder: Path) -> list[str]:
    """Name the YAML files of a folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _read_text(path: Path) -> str:
    if not path.is_file():
        known = stems(path.parent)
        if not known:
            raise ConfigError(
                f"{path} does not exist; a path of `config/` is looked for in the current folder, {Path.cwd()}: "
                "start the command in the folder that holds `config/`"
            )
        raise ConfigError(f"{path} does not exist{nearest(path.stem, known)}; there are: {', '.join(known)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); make it readable") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}, line {line}: byte {content[error.start]:#04x} is no UTF-8; save the file as UTF-8"
        ) from None


def _load(text: str, path: Path) -> Any:
    try:
        content = yaml.load(text, _Loader)
        _require_finite(content, path)
        return content
    except _Refused as error:
        raise ConfigError(f"{path}, {error}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{path}, line {line}: character {error.character:#x} is not allowed in YAML; remove it"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(
            f"{path}{where}: {error.problem or error.context}; correct the line, or the one before: "
            "`key: value`, blanks instead of tabs, texts with special characters in quotes"
        ) from None
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply, or within itself; write it flat") from None


def _require_finite(content: Any, path: Path) -> None:
    """Refuse what aliases (`*name`) blow up to more values than any configuration has.

    Raises:
        ConfigError: there are too many values.
        RecursionError: a value is part of itself.
    """
    count = 0

    def walk(value: Any, depth: int) -> None:
        nonlocal count
        count += 1
        if count > MOST_VALUES:
            raise ConfigError(f"{path} stands for more than {MOST_VALUES} values, by aliases of aliases; write it flat")
        if depth > MOST_LEVELS:
            raise RecursionError
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
            walk(part, depth + 1)

    walk(content, 0)


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
        return f"unknown key '{key}'{nearest(str(issue['loc'][-1]), sorted(_keys(model, set())))}"
    if issue["type"] == "missing":
        return f"key '{key}' is missing; add it"
    message, value = issue["msg"].removeprefix("Value error, "), issue.get("input")
    if issue["type"] == "finite_number":
        message = "a number must be finite, or no result can be written; where no bound is meant, write a large number such as 1.0e6"
    elif issue["type"] == "string_type":
        message = f"{message}; {QUOTES}"
    return message if isinstance(value, dict) else f"'{key}' is {value!r}: {message}"


def _keys(model: type[BaseModel], seen: set[type]) -> set[str]:
    """Collect the keys of a model and of the models within it."""
    seen.add(model)
    kinds = {kind for field in model.model_fields.values() for kind in _kinds(field.annotation)}
    inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen]
    return set(model.model_fields).union(*(_keys(kind, seen) for kind in inner))


def _kinds(annotation: Any) -> Iterable[Any]:
    """List what an annotation is made of: the types and literal values within unions, tuples and mappings."""
    parts = get_args(annotation)
    return [annotation] if not parts else [kind for part in parts for kind in _kinds(part)]


def _leaves(value: Any) -> Iterable[Any]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else None
    return [value] if parts is None else [leaf for part in parts for leaf in _leaves(part)]
