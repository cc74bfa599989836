"""What of a suite stands, and why the rest is due: a walk over records and identities, from the files alone.

A thing stands when its files are there and its record says that they were made from the settings, the code and the inputs
that are asked for. An input is the asked one when it was asked for in the same way, or when what lies there now stands and
means the same: so a cache that was deleted, copied or made again leaves what was made from it standing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from dcac.closed import ConfigError
from dcac.planning import Plan
from dcac.provenance.code import statement
from dcac.provenance.networks import MANIFEST, listed, network_meaning
from dcac.provenance.record import (
    BY_HAND,
    Asked,
    Input,
    moved_modules,
    plain,
    read_record,
    sidecar_of,
    stands_for,
)
from dcac.suites import NO_SOURCES, split_sources


class Given(NamedTuple):
    """An artefact as an input of another, and the part of a network that acts."""

    artefact: "Artefact"
    part: str = ""


@dataclass(frozen=True, eq=False)
class Artefact:
    """Something that a job makes: its files, its record, and what it is asked from."""

    step: str  # full name of the step's module
    what: str  # for people
    outputs: tuple[str, ...]
    sidecar: str  # the output that holds the record
    settings: Mapping[str, Any]
    inputs: Mapping[str, Given] = field(default_factory=dict)


class Standing:
    """The artefacts of the active suite that cost: data, networks, latents, runs and features."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.suite = plan.project.suite
        for name in ("data", "network", "latents", "run", "features", "reference", "due", "recipe", "_code"):
            setattr(self, name, cache(getattr(self, name)))  # a plan is read once, and so are its files

    def data(self, code: str) -> Artefact:
        """The normalised file of a data set."""
        store, sidecar = f"results/data/{code}.parquet", f"results/data/{code}.json"
        card = self.plan.cards[code]
        if card.synthetic is not None:
            return Artefact("dcac.demo.render", f"data {code}", (store, sidecar), sidecar, card.made_from())
        archive = self.plan.archive(code)
        settings = card.made_from(archive)
        if archive is None:  # only the file made from it is here: it speaks for its archive
            settings |= {k: v for k, v in self._recorded(sidecar).items() if k == "archive"}
        return Artefact("dcac.data.import_data", f"data {code}", (store, sidecar), sidecar, settings)

    def network(self, name: str) -> Artefact:
        """A pre-trained network."""
        manifest, card = f"results/weights/{name}/manifest.json", self.plan.weights[name]
        if card.source != "demo":
            return Artefact("dcac.foreign.weights", f"network {name}", (manifest,), manifest, card.made_from())
        recipe = self.plan.recipe(name)
        inputs = {"data": Given(self.data(recipe.data))}
        step = f"dcac.demo.pretrain_{card.kind}"
        return Artefact(step, f"network {name}", (manifest,), manifest, recipe.model_dump(mode="json"), inputs)

    def latents(self, code: str, prior: str) -> Artefact:
        """Cached latents of a data set."""
        moments = f"results/latents/{code}-{prior}.safetensors"
        sidecar = str(sidecar_of(Path(moments)))
        inputs = {"data": Given(self.data(code)), "autoencoder": Given(self.network(prior), "vae/")}
        settings = {"size": self.plan.diffusion_image_size}
        return Artefact("dcac.model.latents", f"latents of {code}", (moments, sidecar), sidecar, settings, inputs)

    def run(self, variant: str, sources: str, seed: int) -> Artefact:
        """A trained run."""
        settings = self.plan.settings(variant, sources)
        folder = f"results/{self.suite}/runs/{variant}/{sources}/seed{seed}"
        codes = split_sources(sources)
        inputs = {f"data {code}": Given(self.data(code)) for code in codes}
        inputs["encoder"] = Given(self.network(settings.encoder_weights))
        if settings.diffusion != "none":
            prior = settings.diffusion_weights
            inputs |= {f"latents {code}": Given(self.latents(code, prior)) for code in codes}
            inputs["prior"] = Given(self.network(prior))
        outputs = tuple(f"{folder}/{name}" for name in ("weights.safetensors", "log.jsonl", "run.json"))
        asked = {"seed": seed, **settings.trained()}
        return Artefact("dcac.training.train", f"run {folder}", outputs, f"{folder}/run.json", asked, inputs)

    def features(self, variant: str, sources: str, seed: int, target: str) -> Artefact:
        """Features of a run on a target."""
        settings = self.plan.settings(variant, sources)
        names = {"suite": self.suite, "variant": variant, "sources": sources, "seed": seed}
        inputs = {
            "run": Given(self.run(variant, sources, seed)),
            "encoder": Given(self.network(settings.encoder_weights)),
            "data": Given(self.data(target)),
        }
        return self._features("dcac.features.extract", names, target, settings.tested(), inputs)

    def reference(self, kind: str, target: str) -> Artefact:
        """Features of a reference on a target."""
        settings = self.plan.settings(self.plan.suite.variants[0], self.plan.suite.source_sets[0])
        names = {"suite": self.suite, "variant": kind, "sources": NO_SOURCES, "seed": 0}
        inputs = {"data": Given(self.data(target))}
        if kind == "pretrained":
            inputs["encoder"] = Given(self.network(settings.encoder_weights))
        return self._features("dcac.features.reference", names, target, settings.tested(), inputs)

    def due(self, artefact: Artefact) -> tuple[str, ...]:
        """Say in sentences why something has to be made; empty where it stands."""
        missing = [path for path in artefact.outputs if not Path(path).is_file()]
        if missing:
            return (f"{missing[0]} is missing",)
        record = read_record(Path(artefact.sidecar))
        if record is None:
            return (f"{artefact.sidecar} has no record of what it was made from",)
        return (*self._settings(artefact, record), *self._statements(artefact, record), *self._inputs(artefact, record))

    def recipe(self, artefact: Artefact) -> str:
        """Hash what is asked for, by where it comes from; nothing need be there."""
        inputs = {name: Input(self.recipe(given.artefact), "") for name, given in artefact.inputs.items()}
        return Asked(artefact.step, plain(artefact.settings), self._code(artefact.step), inputs).recipe

    def why(self, artefact: Artefact) -> Iterator[str]:
        """Yield, inputs first, a line for everything that is due for something, with its reason."""
        reasons = self.due(artefact)
        if not reasons:
            return
        for given in artefact.inputs.values():
            yield from self.why(given.artefact)
        yield f"{artefact.what}: {'; '.join(reasons)}"

    def of(self, target: str) -> list[Artefact]:
        """Return what costs behind a table, named or as one of its files, or the one thing that makes a file.

        Raises:
            ConfigError: nothing of the active suite makes it.
        """
        name = Path(target).stem if Path(target).parent.name == "tables" else target
        if name in self.plan.suite.tables:
            return list(self._behind(name))
        found = [artefact for artefact in self.everything() if target in artefact.outputs]
        if not found:
            tables = ", ".join(self.plan.suite.tables)
            raise ConfigError(
                f"nothing of suite '{self.suite}' that costs makes '{target}'; name one of its tables ({tables}), or a file "
                "of results/data, results/weights, results/latents, or of a run or its features"
            )
        return found

    def everything(self) -> list[Artefact]:
        """Return everything of the suite that costs, inputs before what is made from them."""
        found: dict[Artefact, None] = {}

        def add(artefact: Artefact) -> None:
            for given in artefact.inputs.values():
                add(given.artefact)
            found[artefact] = None

        for table in self.plan.suite.tables:
            for features in self._behind(table):
                add(features)
        return list(found)

    def _behind(self, table: str) -> Iterator[Artefact]:
        """Yield the features of a table's references and runs."""
        targets = self.plan.suite.evaluated
        for kind, target in product(self.plan.suite.references, targets):
            yield self.reference(kind, target)
        for run, target in product(self.plan.runs(table), targets):
            yield self.features(*run, target)

    def _features(
        self, step: str, names: dict, target: str, tested: Mapping[str, Any], inputs: Mapping[str, Given]
    ) -> Artefact:
        file = "results/{suite}/features/{variant}/{sources}/seed{seed}/".format(**names) + f"{target}.npz"
        sidecar = str(sidecar_of(Path(file)))
        return Artefact(step, f"features {file}", (file, sidecar), sidecar, {"names": names, **tested}, inputs)

    def _settings(self, artefact: Artefact, record: Mapping[str, Any]) -> Iterator[str]:
        asked, made = _flat(plain(artefact.settings)), _flat(record["settings"])
        for key in [*asked, *(key for key in made if key not in asked)]:
            if key.partition(".")[0] != BY_HAND and asked.get(key) != made.get(key):
                yield f"setting {key} was {made.get(key)!r}, is {asked.get(key)!r}"

    def _statements(self, artefact: Artefact, record: Mapping[str, Any]) -> Iterator[str]:
        now = self._code(artefact.step)
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
        sidecar = Path(given.artefact.sidecar)
        if sidecar.name == MANIFEST:
            return network_meaning(listed(sidecar.parent), given.part)
        record = read_record(sidecar)
        return record["meaning"] if record else None

    def _recorded(self, sidecar: str) -> Mapping[str, Any]:
        record = read_record(Path(sidecar))
        return record["settings"] if record else {}

    def _code(self, step: str) -> Mapping[str, str]:
        return statement(step)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name every value by the path of its keys."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
