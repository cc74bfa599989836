"""What the active suite makes: every file with what it is asked from, in one place for planning, rules and questions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from dcac import declared
from dcac.data.readers import made_with
from dcac.foreign.weights_card import CONTENT
from dcac.planning import Plan
from dcac.provenance.code import statement
from dcac.provenance.record import accepted_modules, read_record, sidecar_of
from dcac.reporting.configured import configured, configured_figure, configured_report, configured_scores
from dcac.reporting.html.sets import printed
from dcac.settings import dump_settings
from dcac.suites import NO_SOURCES, Suite, load_suite, split_sources

WEIGHTS = "weights.safetensors"  # of a run
CACHED = (
    *("data", "network", "latents", "run", "features", "reference", "score", "records", "samples", "correlation"),
    *("overhead", "table", "figure", "report", "reported_figures", "metrics", "shown", "rehearsal"),
    *("whole", "by_output", "needed", "attention", "code"),
)


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
    job: str = ""  # rule and name of the job that makes it, as its log is called: `train/demo-dcac-street-seed0`
    written: Callable[[], str] | None = None  # the text of a small file that needs no record: it is compared itself
    copied: tuple[str, ...] = ()  # files that the outputs are copies of, in their order: both are compared


def behind(pages: Iterable[Artefact]) -> list[Artefact]:
    """List some artefacts and all that they are made from, each once, inputs first."""
    found: dict[Artefact, None] = {}

    def add(artefact: Artefact) -> None:
        if artefact not in found:
            for given in artefact.inputs.values():
                add(given.artefact)
            found[artefact] = None

    for page in pages:
        add(page)
    return list(found)


class Artefacts:
    """The artefacts of the active suite: what costs (data, networks, latents, runs, features) and what is made of it."""

    def __init__(self, plan: Plan, *, stands: Callable[[Artefact], bool] = lambda artefact: False):
        """Read a plan.

        Args:
            stands: whether an artefact is there and needs not be made again; the report shows such figures too.
        """
        self.plan, self.results, self.stands = plan, plan.results, stands
        self.suite = plan.project.suite
        for name in CACHED:
            setattr(self, name, cache(getattr(self, name)))  # a plan is read once, and so are its files

    def data(self, code: str) -> Artefact:
        """The normalised file of a data set."""
        store, sidecar = f"results/data/{code}.parquet", f"results/data/{code}.json"
        card = self.plan.cards[code]
        if card.synthetic is not None:
            made = card.made_from()
            return Artefact("dcac.demo.render", f"data {code}", (store, sidecar), sidecar, made, job=f"render/{code}")
        archive = self.plan.archive(code)
        settings = card.made_from(archive) | made_with(card)
        if archive is None:  # only the file made from it is here: it speaks for its archive
            settings |= {k: v for k, v in self._recorded(sidecar).items() if k == "archive"}
        job = f"import_data/{code}"
        return Artefact("dcac.data.imports.import_data", f"data {code}", (store, sidecar), sidecar, settings, job=job)

    def network(self, name: str) -> Artefact:
        """A pre-trained network."""
        manifest, card = f"results/weights/{name}/manifest.json", self.plan.weights[name]
        if card.source != "demo":
            made, job = card.made_from(), f"weights/{name}"
            if card.path and CONTENT not in made:  # only the network made from it is here: it speaks for it
                made |= {key: value for key, value in self._recorded(manifest).items() if key == CONTENT}
            step = f"dcac.foreign.{'network_files' if card.kind == 'network' else 'weights'}"
            return Artefact(step, f"network {name}", (manifest,), manifest, made, job=job)
        recipe = self.plan.recipe(name)
        inputs = {"data": Given(self.data(recipe.data))}
        step, job = f"dcac.demo.pretrain_{card.kind}", f"pretrain_{card.kind}/{name}"
        return Artefact(step, f"network {name}", (manifest,), manifest, recipe.model_dump(mode="json"), inputs, job)

    def latents(self, code: str, prior: str) -> Artefact:
        """Cached latents of a data set."""
        moments = f"results/latents/{code}-{prior}.safetensors"
        sidecar = str(sidecar_of(Path(moments)))
        inputs = {"data": Given(self.data(code)), "autoencoder": Given(self.network(prior), "vae/")}
        settings = {"size": self.plan.diffusion_image_size}
        what, job = f"latents of {code}", f"latents/{code}-{prior}"
        return Artefact("dcac.model.latents", what, (moments, sidecar), sidecar, settings, inputs, job)

    def run(self, variant: str, sources: str, seed: int) -> Artefact:
        """A trained run."""
        settings = self.plan.settings(variant, sources)
        folder = f"results/{self.suite}/runs/{variant}/{sources}/seed{seed}"
        inputs = self._learnt_from(variant, sources)
        outputs = tuple(f"{folder}/{name}" for name in (WEIGHTS, "log.jsonl", "run.json"))
        asked = {"seed": seed, **settings.trained()}
        job = f"train/{self.suite}-{variant}-{sources}-seed{seed}"
        return Artefact("dcac.training.train", f"run {folder}", outputs, f"{folder}/run.json", asked, inputs, job)

    def features(self, variant: str, sources: str, seed: int, target: str) -> Artefact:
        """Features of a run on a target."""
        settings = self.plan.settings(variant, sources)
        names = {"suite": self.suite, "variant": variant, "sources": sources, "seed": seed}
        inputs = {
            "run": Given(self.run(variant, sources, seed)),
            "encoder": Given(self.network(settings.encoder_weights)),
            "data": Given(self.data(target)),
        }
        job = f"extract/{self.suite}-{variant}-{sources}-seed{seed}"
        return self._features("dcac.features.extract", names, target, settings.tested(), inputs, job)

    def reference(self, kind: str, target: str) -> Artefact:
        """Features of a reference on a target."""
        if kind in self.plan.networks:
            return self._embedded(kind, target)
        settings = self.plan.common_settings
        names = {"suite": self.suite, "variant": kind, "sources": NO_SOURCES, "seed": 0}
        inputs = {"data": Given(self.data(target))}
        if kind == "pretrained":
            inputs["encoder"] = Given(self.network(settings.encoder_weights))
        job = f"reference/{self.suite}-{kind}"
        return self._features("dcac.features.reference", names, target, settings.tested(), inputs, job)

    def config(self, variant: str, sources: str) -> Artefact:
        """The merged settings of a run, as a file."""
        path = f"results/{self.suite}/runs/{variant}/{sources}/config.yaml"
        text = partial(dump_settings, self.plan.settings(variant, sources))
        job = f"write_config/{self.suite}-{variant}-{sources}"
        return Artefact("dcac.suites", f"settings {path}", (path,), path, {}, job=job, written=text)

    def score(self, variant: str, sources: str, seed: int, target: str) -> Artefact:
        """The score of a run, or of a reference, on a target."""
        path = f"results/{self.suite}/scores/{variant}/{sources}/seed{seed}/{target}.json"
        outputs = (path, path.removesuffix(".json") + ".queries.parquet")
        if variant in self.plan.suite.references:
            inputs = {"features": Given(self.reference(variant, target))}
        else:
            inputs = {"features": Given(self.features(variant, sources, seed, target))}
            if (partner := self.plan.partner(variant)) is not None:
                inputs["against"] = Given(self.features(partner, sources, seed, target))
        settings = {} if (metric := self.plan.metric(variant)) == "cosine" else {"metric": metric}
        job = f"score/{self.suite}-{variant}-{sources}-seed{seed}-{target}"
        return Artefact("dcac.evaluation.score", f"score {path}", outputs, path, settings, inputs, job)

    def records(self, table: str) -> Artefact:
        """The records of a table of scores."""
        path = f"results/{self.suite}/records/{table}.csv"
        sidecar = path.removesuffix(".csv") + ".json"
        inputs = self._made(self.plan.scores(table))
        job = f"records/{self.suite}-{table}"
        return Artefact("dcac.reporting.records", f"records {path}", (path, sidecar), sidecar, {}, inputs, job)

    def table(self, name: str) -> Artefact:
        """A table, of scores or of overhead."""
        whole, variants = self.whole(), self.plan.methods
        if whole.tables[name].kind == "scores":
            step, inputs = "dcac.reporting.table", self._made([self.records(name).outputs[0]])
            published = self.plan.root / "published.csv"
            accepted = [self.results.readable(path) for path in self.accepted(name)]
            shown = configured_scores(whole, name, variants, published=published, accepted=accepted)
        else:
            step, inputs = "dcac.reporting.overhead_table", self._made(self.plan.overheads(name))
            shown = configured(whole, name, variants)
        folder, job = f"results/{self.suite}/tables", f"{step.rpartition('.')[2]}/{self.suite}-{name}"
        outputs = tuple(f"{folder}/{name}.{suffix}" for suffix in ("md", "html", "tex", "csv", "json"))
        return Artefact(step, f"table {name}", outputs, outputs[-1], shown, inputs, job)

    def figure(self, name: str) -> Artefact:
        """A figure."""
        outputs = tuple(f"results/{self.suite}/figures/{name}.{suffix}" for suffix in ("pdf", "svg", "png", "json"))
        shown = configured_figure(self.whole(), name, self.plan.methods)
        inputs = self._made(self.plan.figure_inputs(name))
        job = f"figure/{self.suite}-{name}"
        return Artefact("dcac.reporting.figure", f"figure {name}", outputs, outputs[-1], shown, inputs, job)

    def report(self) -> Artefact:
        """The page of the suite."""
        whole = self.whole()
        outputs = tuple(f"results/{self.suite}/report.{suffix}" for suffix in ("html", "json"))
        cards = {code: self.plan.cards[code] for code in whole.domains}
        shown = configured_report(
            whole,
            self.plan.reported,
            self.plan.methods,
            printed(cards),
            published=self.plan.root / "published.csv",
            accepted=[self.results.readable(path) for path in self.accepted(*self.plan.reported)],
            told=self.plan.notices,
        )
        inputs = self._made([*self.plan.report_inputs(), *self.reported_figures()])
        return Artefact("dcac.reporting.report", "report", outputs, outputs[-1], shown, inputs, f"report/{self.suite}")

    def reported_figures(self) -> list[str]:
        """Figures that the page shows: those that the suite makes by itself, and those asked for before that stand."""
        figures = self.plan.suite.figures
        made = {name: self.figure(name) for name in figures}
        return [
            f"results/{self.suite}/figures/{name}.svg"
            for name, artefact in made.items()
            if not figures[name].on_demand or self.stands(artefact)
        ]

    def metrics(self) -> Artefact:
        """The headline numbers of all tables of scores that the suite makes by itself."""
        records = [self.records(name).outputs[0] for name in self.plan.reported]

        def text() -> str:
            from dcac.reporting.metrics import headline

            return headline([self.results.readable(path) for path in records])

        path, job = f"results/{self.suite}/metrics.json", f"metrics/{self.suite}"
        return Artefact("dcac.reporting.metrics", "metrics", (path,), path, {}, self._made(records), job, text)

    def shown(self, page: Artefact) -> Artefact:
        """The copy of a table, figure or the metrics under the name that always holds the active suite's."""
        outputs = tuple(path.replace(f"results/{self.suite}/", "results/", 1) for path in page.outputs)
        inputs = {"page": Given(page)}
        return Artefact(page.step, f"shown {page.what}", outputs, outputs[-1], {}, inputs, copied=page.outputs)

    def samples(self, variant: str, sources: str, seed: int) -> Artefact:
        """What a run's prior draws of its training images."""
        inputs = self._looked_at(variant, sources, seed)
        return self._look("samples", variant, sources, seed, inputs)

    def correlation(self, variant: str, sources: str, seed: int) -> Artefact:
        """Whom a run takes for each other."""
        inputs = self._looked_at(variant, sources, seed)
        kept = {name: given for name, given in inputs.items() if name != "prior" and not name.startswith("latents ")}
        return self._look("correlation", variant, sources, seed, kept)

    def attention(self, variant: str, sources: str, seed: int, target: str) -> Artefact:
        """Where a run's encoder looks in pictures of a target."""
        path = f"results/{self.suite}/attention/{variant}/{sources}/seed{seed}/{target}.npz"
        encoder = self.plan.settings(variant, sources).encoder_weights
        inputs = {
            "run": Given(self.run(variant, sources, seed)),
            "encoder": Given(self.network(encoder)),
            "data": Given(self.data(target)),
        }
        sidecar = str(sidecar_of(Path(path)))
        job = f"attention/{self.suite}-{variant}-{sources}-seed{seed}-{target}"
        return Artefact("dcac.inspection.attention", f"attention {path}", (path, sidecar), sidecar, {}, inputs, job)

    def overhead(self, variant: str, sources: str) -> Artefact:
        """What a training step of a run costs."""
        path = f"results/{self.suite}/overhead/{variant}/{sources}.json"
        runtime = self.plan.project.runtime.stepping().model_dump()
        trained = self.plan.settings(variant, sources).trained()
        asked = {"variant": variant, "sources": sources, "runtime": runtime, **trained}
        inputs = self._learnt_from(variant, sources)
        job = f"overhead/{self.suite}-{variant}-{sources}"
        return Artefact("dcac.training.overhead", f"overhead {path}", (path,), path, asked, inputs, job)

    def rehearsal(self, variant: str, sources: str) -> Artefact:
        """The rehearsal of a training, whatever its seed."""
        path = f"results/{self.suite}/rehearsals/{variant}/{sources}.json"
        settings, runtime = self.plan.settings(variant, sources), self.plan.project.runtime.stepping().model_dump()
        names = {"suite": self.suite, "variant": variant, "sources": sources, "runtime": runtime}
        asked = {**names, **settings.trained(), **settings.tested()}
        target = self.plan.rehearsed_target(sources)
        inputs = {**self._learnt_from(variant, sources), "target": Given(self.data(target))}
        job = f"rehearse/{self.suite}-{variant}-{sources}"
        what = f"rehearsal of {variant} on {sources}"
        return Artefact("dcac.rehearsal.rehearse", what, (path,), path, asked, inputs, job)

    def accepted(self, *tables: str) -> list[str]:
        """Reports of runs of some tables that stand for today's code only because a person accepted them."""
        reports = [self.run(*run).sidecar for table in tables for run in self.plan.runs(table)]
        code = self.code("dcac.training.train")
        records = {report: read_record(self.results.readable(report)) for report in dict.fromkeys(reports)}
        return [report for report, record in records.items() if record and accepted_modules(record, code)]

    def code(self, step: str) -> Mapping[str, str]:
        """The statement of a step's code, by the full name of its module."""
        return statement(step)

    def by_output(self) -> dict[str, Artefact]:
        """Everything of the suite under the names of its files."""
        tables, figures = map(self.table, self.plan.suite.tables), map(self.figure, self.plan.suite.figures)
        pages = [*tables, *figures, *self.pages()]
        return {path: artefact for artefact in behind(map(self.shown, pages)) for path in artefact.outputs}

    def read_with(self, path: str) -> tuple[str, ...]:
        """A file that a job reads, and those read along with it, such as its sidecar, its journal or its rankings.

        The weights of a run are not among them: what loads them names them.
        """
        maker = self.data(Path(path).stem) if path.startswith("results/data/") else self.by_output().get(path)
        beside = () if maker is None else (file for file in maker.outputs if Path(file).name != WEIGHTS)
        return tuple(dict.fromkeys((path, *beside)))

    def needed(self) -> list[Artefact]:
        """Everything behind the tables, figures and metrics that the suite makes by itself, inputs first."""
        suite = self.plan.suite
        tables = [self.table(name) for name, table in suite.tables.items() if not table.on_demand]
        figures = [self.figure(name) for name, figure in suite.figures.items() if not figure.on_demand]
        return behind((*tables, *figures, *self.pages()))

    def pages(self) -> list[Artefact]:
        """What is made of the whole suite: the report, where some table of scores is not on demand, and the metrics."""
        return [*([self.report()] if self.plan.reported else []), self.metrics()]

    def _made(self, paths: Iterable[str]) -> dict[str, Given]:
        """Return what makes files that a small step reads, under their paths."""
        return {path: Given(self._maker(path)) for path in paths}

    def _maker(self, path: str) -> Artefact:
        """Return what makes a file, from its place in results/."""
        if path.startswith("results/data/"):
            return self.data(Path(path).stem)
        room, *names = path.removeprefix(f"results/{self.suite}/").split("/")
        *names, file = names
        stem = file.partition(".")[0]
        if room == "records":
            return self.records(stem)
        if room == "figures":
            return self.figure(stem)
        if room == "overhead":
            return self.overhead(names[0], stem)
        if room in ("samples", "correlation"):
            return getattr(self, room)(*names, int(stem.removeprefix("seed")))
        variant, sources, seed = names[0], names[1], int(names[2].removeprefix("seed"))
        if room == "attention":
            return self.attention(variant, sources, seed, stem)
        if room == "runs":
            return self.run(variant, sources, seed)
        if room == "scores":
            return self.score(variant, sources, seed, stem)
        if variant in self.plan.suite.references:
            return self.reference(variant, stem)
        return self.features(variant, sources, seed, stem)

    def whole(self) -> Suite:
        """The suite as its file says, whatever data are at hand: what the steps of reporting read."""
        return load_suite(self.suite, self.plan.root)

    def _learnt_from(self, variant: str, sources: str) -> dict[str, Given]:
        settings, codes = self.plan.settings(variant, sources), split_sources(sources)
        inputs = {f"data {code}": Given(self.data(code)) for code in codes}
        inputs["encoder"] = Given(self.network(settings.encoder_weights))
        if (autoencoder := declared.needed(settings, "latents")) is not None:
            inputs |= {f"latents {code}": Given(self.latents(code, autoencoder)) for code in codes}
        return inputs | {name: Given(self.network(card)) for name, card in declared.networks(settings).items()}

    def _looked_at(self, variant: str, sources: str, seed: int) -> dict[str, Given]:
        inputs = {"run": Given(self.run(variant, sources, seed)), **self._learnt_from(variant, sources)}
        others = set(declared.networks(self.plan.settings(variant, sources))) - {"prior"}
        return {name: given for name, given in inputs.items() if name not in others}

    def _look(self, room: str, variant: str, sources: str, seed: int, inputs: Mapping[str, Given]) -> Artefact:
        path = f"results/{self.suite}/{room}/{variant}/{sources}/seed{seed}.npz"
        sidecar = str(sidecar_of(Path(path)))
        job = f"{room}/{self.suite}-{variant}-{sources}-seed{seed}"
        return Artefact(f"dcac.inspection.{room}", f"{room} {path}", (path, sidecar), sidecar, {}, inputs, job)

    def _embedded(self, name: str, target: str) -> Artefact:
        """Features of a network of a card on a target."""
        names = {"suite": self.suite, "variant": name, "sources": self.plan.reference_sources(name), "seed": 0}
        inputs = {"network": Given(self.network(name)), "data": Given(self.data(target))}
        acting = {"network": self.plan.weights[name].network.acting()}
        job = f"embed/{self.suite}-{name}-{names['sources']}"
        return self._features("dcac.networks.embed", names, target, acting, inputs, job)

    def _features(
        self, step: str, names: dict, target: str, tested: Mapping[str, Any], inputs: Mapping[str, Given], job: str
    ) -> Artefact:
        file = "results/{suite}/features/{variant}/{sources}/seed{seed}/".format(**names) + f"{target}.npz"
        sidecar = str(sidecar_of(Path(file)))
        asked = {"names": names, **tested}
        return Artefact(step, f"features {file}", (file, sidecar), sidecar, asked, inputs, job)

    def _recorded(self, sidecar: str) -> Mapping[str, Any]:
        record = read_record(self.results.readable(sidecar))
        return record["settings"] if record else {}
