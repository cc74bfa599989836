"""What of a suite stands, and why the rest is due: a walk over records and identities, from the files alone.

A thing stands when its files are there and its record says that they were made from the settings, the code and the inputs
that are asked for. An input is the asked one when it was asked for in the same way, or when what lies there now stands and
means the same: so a cache that was deleted, copied or made again leaves what was made from it standing.
"""

from collections.abc import Callable, Iterator, Mapping
from filecmp import cmp
from functools import cache
from typing import Any

from dcac.artefacts import Artefact, Artefacts, Given
from dcac.closed import ConfigError
from dcac.planning import Plan
from dcac.provenance.networks import MANIFEST, listed, network_meaning
from dcac.provenance.record import BY_HAND, Asked, Input, moved_modules, plain, read_record, stands_for


class Standing:
    """What of the active suite's artefacts stands."""

    def __init__(self, plan: Plan):
        self.plan, self.results = plan, plan.results
        self.artefacts = Artefacts(plan, stands=lambda artefact: not self.due(artefact))
        for name in ("due", "recipe"):
            setattr(self, name, cache(getattr(self, name)))

    def due(self, artefact: Artefact) -> tuple[str, ...]:
        """Say in sentences why something has to be made; empty where it stands."""
        missing = [path for path in artefact.outputs if not self.results.has(path)]
        if missing:
            return (f"{missing[0]} is missing",)
        if artefact.written is not None:
            return tuple(self._text(artefact, artefact.written))
        if artefact.copied:
            return tuple(self._copies(artefact))
        record = read_record(self.results.readable(artefact.sidecar))
        if record is None:
            return (f"{artefact.sidecar} has no record of what it was made from",)
        return (*self._settings(artefact, record), *self._statements(artefact, record), *self._inputs(artefact, record))

    def recipe(self, artefact: Artefact) -> str:
        """Hash what is asked for, by where it comes from; nothing need be there."""
        inputs = {name: Input(self.recipe(given.artefact), "") for name, given in artefact.inputs.items()}
        return Asked(artefact.step, plain(artefact.settings), self.artefacts.code(artefact.step), inputs).recipe

    def why(self, artefact: Artefact) -> Iterator[str]:
        """Yield, inputs first, a line for everything that is due for something, with its reason."""
        reasons = self.due(artefact)
        if not reasons:
            return
        for given in artefact.inputs.values():
            yield from self.why(given.artefact)
        yield f"{artefact.what}: {'; '.join(reasons)}"

    def of(self, target: str) -> Artefact:
        """Return the table or figure of that name, or what makes a file.

        Raises:
            ConfigError: nothing of the active suite makes it.
        """
        if target in self.plan.suite.tables:
            return self.artefacts.shown(self.artefacts.table(target))
        if target in self.plan.suite.figures:
            return self.artefacts.shown(self.artefacts.figure(target))
        if target not in self.artefacts.by_output():
            tables, figures = ", ".join(self.plan.suite.tables), ", ".join(self.plan.suite.figures)
            raise ConfigError(
                f"nothing of suite '{self.plan.project.suite}' makes '{target}'; name one of its tables ({tables}) or figures ({figures}), "
                "or a file below results/"
            )
        return self.artefacts.by_output()[target]

    def _text(self, artefact: Artefact, written: Callable[[], str]) -> Iterator[str]:
        due = [given.artefact for given in artefact.inputs.values() if self.due(given.artefact)]
        if due:
            yield f"{due[0].what} has to be made again"
        elif self.results.readable(artefact.outputs[0]).read_text(encoding="utf-8") != written():
            yield f"{artefact.outputs[0]} says something else than is asked for now"

    def _copies(self, artefact: Artefact) -> Iterator[str]:
        (made,) = (given.artefact for given in artefact.inputs.values())
        if self.due(made):
            yield f"{made.what} has to be made again"
        for path, original in zip(artefact.outputs, artefact.copied, strict=True):
            copy, page = self.results.readable(path), self.results.readable(original)
            if not (page.is_file() and cmp(copy, page, shallow=False)):
                yield f"{path} is not {original}"

    def _settings(self, artefact: Artefact, record: Mapping[str, Any]) -> Iterator[str]:
        asked, made = _flat(plain(artefact.settings)), _flat(record["settings"])
        for key in [*asked, *(key for key in made if key not in asked)]:
            if key.partition(".")[0] != BY_HAND and asked.get(key) != made.get(key):
                yield f"setting {key} was {made.get(key)!r}, is {asked.get(key)!r}"

    def _statements(self, artefact: Artefact, record: Mapping[str, Any]) -> Iterator[str]:
        now = self.artefacts.code(artefact.step)
        if not stands_for(record, now):
            yield f"code changed in {', '.join(moved_modules(record, now))}"

    def _inputs(self, artefact: Artefact, record: Mapping[str, Any]) -> Iterator[str]:
        made = record["inputs"]
        for name in [*artefact.inputs, *(name for name in made if name not in artefact.inputs)]:
            given = artefact.inputs.get(name)
            if given is None or name not in made:
                yield f"it is made {'from' if given else 'without'} {name} now"
            elif made[name]["recipe"] == self.recipe(given.artefact):
                continue
            elif reasons := self.due(given.artefact):
                yield f"{name} has to be made again ({reasons[0]})"
            elif made[name]["meaning"] != self._meaning(given):
                yield f"{name} changed"

    def _meaning(self, given: Given) -> str | None:
        sidecar = self.results.readable(given.artefact.sidecar)
        if sidecar.name == MANIFEST:
            return network_meaning(listed(sidecar.parent), given.part)
        record = read_record(sidecar)
        return record["meaning"] if record else None


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name every value by the path of its keys."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
