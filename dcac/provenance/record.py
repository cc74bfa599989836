"""The record of something made: what was asked for, and what came of it.

Two hashes stand in it. The *recipe* names what was asked for by where it comes from: settings, code, and the recipes of
what goes in; it is known before anything is made. The *identity* names it by what goes in: settings, code, and the meaning
of every input (the content of data and networks, whatever made them). What was made under the asked identity stands.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dcac.provenance.code import digest, statement
from dcac.provenance.files import RESULTS, results_folder, sha256, write_json

KEY = "made"  # of the record in a sidecar, report or manifest
BY_HAND = "by hand"  # of a record's settings: options that a person gave, which no plan asks for
ACCEPTED = (
    "accepted"  # of a run's record: statements of code that a person let stand for its own, with their identities
)

KINDS = {"step": str, "settings": dict, "code": dict, "inputs": dict, "recipe": str, "identity": str, "meaning": str}


class Input(NamedTuple):
    """Something that goes into a step."""

    recipe: str  # how it was asked for
    meaning: str  # what it is to those who use it


@dataclass(frozen=True)
class Asked:
    """What a step is asked to make."""

    step: str  # full name of the step's module
    settings: Mapping[str, Any]  # plain JSON values, only those that act
    code: Mapping[str, str]  # statement of the step's code
    inputs: Mapping[str, Input]

    @property
    def recipe(self) -> str:
        """Hash of the asking, by where its inputs come from."""
        return self._hash({name: given.recipe for name, given in self.inputs.items()})

    @property
    def identity(self) -> str:
        """Hash of the asking, by what its inputs are."""
        return self._hash({name: given.meaning for name, given in self.inputs.items()})

    @property
    def word(self) -> str:
        """The step's own word, such as `train`."""
        return self.step.rpartition(".")[2]

    def record(self, *, meaning: str | None = None) -> dict:
        """Return what a sidecar keeps.

        Args:
            meaning: what the result is to those who use it; None: the identity itself says it.
        """
        return {
            "step": self.step,
            "settings": dict(self.settings),
            "code": dict(self.code),
            "inputs": {name: given._asdict() for name, given in self.inputs.items()},
            "recipe": self.recipe,
            "identity": self.identity,
            "meaning": meaning or self.identity,
        }

    def _hash(self, inputs: Mapping[str, str]) -> str:
        content = {"step": self.word, "settings": self.settings, "code": digest(self.code), "inputs": inputs}
        return hash_json(content)


def ask(module: str, settings: Mapping[str, Any], inputs: Mapping[str, Input]) -> Asked:
    """Say what a step is asked to make: its module, the settings that act, and what goes in."""
    return Asked(module, plain(settings), statement(module), dict(inputs))


def asked_of(record: Mapping[str, Any], *, code: Mapping[str, str] | None = None) -> Asked:
    """Read back from a record what was asked for, under its own code or another."""
    inputs = {name: Input(**given) for name, given in record["inputs"].items()}
    return Asked(record["step"], record["settings"], code or record["code"], inputs)


def stands_for(record: Mapping[str, Any], code: Mapping[str, str]) -> bool:
    """Tell whether something was made with this code, or was accepted as if it were."""
    return digest(code) in (digest(record["code"]), *(entry["code"] for entry in record.get(ACCEPTED, [])))


def accepted_modules(record: Mapping[str, Any], code: Mapping[str, str]) -> list[str] | None:
    """Name the modules that had changed when a person let something stand for this code; None where nobody did."""
    if digest(record["code"]) == digest(code):
        return None
    entries = (entry for entry in record.get(ACCEPTED, []) if entry["code"] == digest(code))
    return next((list(entry["modules"]) for entry in entries), None)


def moved_modules(record: Mapping[str, Any], code: Mapping[str, str]) -> list[str]:
    """Name the modules whose code is another than when something was made."""
    return sorted(name for name in {*code, *record["code"]} if code.get(name) != record["code"].get(name))


def sidecar_of(path: Path) -> Path:
    """Return the sidecar beside a file: its name and `.json`."""
    return path.with_name(f"{path.name}.json")


def record_beside(path: Path) -> Path:
    """Return the file that holds, or would hold, the record of something made, by the conventions of this project.

    A JSON file holds its own; a file of a run's folder has it in `run.json`; others have it beside them, in their own name
    and `.json`, or, where several files are one thing, in the name that they share.
    """
    if path.suffix == ".json":
        return path
    candidates = [sidecar_of(path), path.with_suffix(".json"), path.with_name("run.json")]
    return next((candidate for candidate in candidates if candidate.is_file()), candidates[0])


def read_record(sidecar: Path) -> dict | None:
    """Read the record in a sidecar; None where there is no sidecar, or one without a whole record."""
    try:
        content = json.loads(Path(sidecar).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content[KEY] if isinstance(content, dict) and is_whole(content.get(KEY)) else None


def is_whole(record: Any) -> bool:
    """Tell whether something read from a file is a record with all that `Asked.record` and `dcac accept` put into it."""
    if not isinstance(record, dict) or not all(isinstance(record.get(key), kind) for key, kind in KINDS.items()):
        return False
    inputs, accepted = record["inputs"].values(), record.get(ACCEPTED, [])
    return (
        all(isinstance(given, dict) and set(given) == set(Input._fields) for given in inputs)
        and isinstance(accepted, list)
        and all(isinstance(entry, dict) and {"code", "identity", "modules"} <= set(entry) for entry in accepted)
    )


def given(sidecar: Path, otherwise: Callable[[], str]) -> Input:
    """Describe an input by the record in its sidecar, or by its content where it has none.

    Args:
        otherwise: makes the meaning of something without a record, such as a file from elsewhere.
    """
    record = read_record(sidecar)
    if record is None:
        meaning = otherwise()
        return Input(meaning, meaning)
    return Input(record["recipe"], record["meaning"])


def made_input(path: Path) -> Input:
    """Describe a file that goes into a step by its record, or, where it has none, by its content."""
    return given(record_beside(path), lambda: sha256(path))


def made_inputs(paths: Iterable[Path]) -> dict[str, Input]:
    """Describe files that go into a step, by their places `results/...`, wherever that folder lies.

    Where two would have one place, or a file lies in no such folder, they go by their paths as given.
    """
    paths = list(paths)
    places = [_place(path) for path in paths]
    names = places if len(set(places)) == len(set(paths)) else map(str, paths)
    return {name: made_input(path) for name, path in zip(names, paths, strict=True)}


def _place(path: Path) -> str:
    folder = results_folder(path)
    return str(path) if folder is None else str(Path(RESULTS, path.absolute().relative_to(folder)))


def write_record(sidecar: Path, asked: Asked, *, meaning: str | None = None) -> None:
    """Write the record of something made beside it, last: what has no record is made again."""
    write_json(sidecar, {KEY: asked.record(meaning=meaning)})


def split_off_records(out: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Divide the outputs of a step into its pages or pictures and, last to be written, the record (.json)."""
    return [path for path in out if path.suffix != ".json"], [path for path in out if path.suffix == ".json"]


def hash_json(content: object) -> str:
    """Hash plain JSON values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def plain(content: Any) -> Any:
    """Turn settings into what reading them back from JSON gives."""
    return json.loads(json.dumps(content))
