"""What the workflow has to do: the active suite, the runs and scores it needs, and what of it is possible here."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any

from dcac import declared
from dcac.closed import ConfigError, nearest
from dcac.data.catalog import Card, load_catalog
from dcac.data.locate import locate
from dcac.demo.recipes import DiffusionPretraining, EncoderPretraining, recipe
from dcac.foreign.weights_card import Weights, load_weights
from dcac.places import Here
from dcac.reporting.figures.kind import Behind
from dcac.settings import Settings
from dcac.suites import (
    BLIND,
    CONFIG_DIR,
    NO_SOURCES,
    REFERENCES,
    Project,
    Suite,
    Variant,
    first_variant,
    join_sources,
    load_project,
    load_suite,
    load_variants,
    run_settings,
    split_sources,
)


@dataclass(frozen=True)
class Plan:
    """The active suite, cut down to the data sets at hand, with what Snakemake asks about it."""

    project: Project
    suite: Suite
    cards: dict[str, Card]
    weights: dict[str, Weights]
    variants: dict[str, Variant]
    notices: tuple[str, ...]
    runnable: bool
    cut: dict[str, str]  # tables and figures that the suite has and the plan has not, with the reason
    root: Path
    results: Here

    @classmethod
    def read(
        cls, *, given: Mapping[str, Any] | None = None, root: Path = CONFIG_DIR, results: Here | None = None
    ) -> "Plan":
        """Read the configuration and find out what is possible.

        Args:
            given: values of `snakemake --config`.
            results: where results lie; None: in `results/`.

        Returns:
            The plan; with none of its data sets at hand a suite of real data is planned in full, but not `runnable`.

        Raises:
            ConfigError: a name is unknown, a key is misspelt, or nothing can be run with the data at hand.
        """
        project = load_project(root, given)
        suite = load_suite(project.suite, root)
        if project.seeds is not None:
            suite = suite.with_seeds(project.seeds)
        cards = load_catalog(root / "datasets.yaml")
        _check_domains(suite, cards, root)
        whole = suite
        results = results or Here()
        suite, notices, runnable = _possible(suite, project, cards, results)
        cut = _cut(whole, suite, notices)
        variants = load_variants(root)
        weights = load_weights(root / "weights.yaml")
        plan = cls(project, suite, cards, weights, variants, notices, runnable, cut, root, results)
        plan._check_references(whole)
        plan._check_runs()
        plan._check_figures()
        plan._check_remark()
        return plan

    @property
    def synthetic(self) -> list[str]:
        """Data sets that are rendered here."""
        return [code for code, card in self.cards.items() if card.synthetic is not None]

    @property
    def real(self) -> list[str]:
        """Data sets that are imported."""
        return [code for code, card in self.cards.items() if card.synthetic is None]

    @property
    def weights_fetched(self) -> list[str]:
        """Networks that come from elsewhere."""
        return [name for name, card in self.weights.items() if card.source != "demo"]

    @property
    def diffusion_image_size(self) -> int:
        """Pixels of the suite's diffusion view, which the cached latents share."""
        return self.common_settings.diffusion_image_size

    @property
    def common_settings(self) -> Settings:
        """Settings that references share: image size and encoder of the suite's first run."""
        return self.settings(first_variant(self.suite), self.suite.source_sets[0])

    def require_planned(self, targets: Iterable[str]) -> None:
        """Refuse targets that are tables or figures of the suite, but not possible with the data at hand.

        Args:
            targets: names or files, as a user asks for them.

        Raises:
            ConfigError: with the reason.
        """
        for target in targets:
            name = Path(target).stem
            if name in self.cut:
                raise ConfigError(f"'{target}' is not possible: {self.cut[name]}")

    def weights_made_here(self, kind: str) -> list[str]:
        """Networks of a kind that the workflow pre-trains itself."""
        return [name for name, card in self.weights.items() if card.source == "demo" and card.kind == kind]

    @property
    def networks(self) -> list[str]:
        """References of the suite that are networks of `config/weights.yaml`."""
        return [name for name in self.suite.references if name not in REFERENCES]

    def reference_sources(self, reference: str) -> str:
        """What a reference has learnt from, as a path has it: codes in the order of the cards, then those of no card."""
        codes = () if reference in REFERENCES else self.weights[reference].network.trained_on
        order = [*self.cards, *sorted(set(codes) - set(self.cards))]
        return join_sources(codes, order) if codes else NO_SOURCES

    def metric(self, method: str) -> str:
        """The distance that a variant or reference is scored by; `card` for a network whose own files may fix one."""
        return (self.weights[method].network.metric or "card") if method in self.networks else "cosine"

    def reference_cells(self, reference: str, cells: Mapping[str, tuple[str, ...]]) -> list[str]:
        """Targets for which a reference's number stands in a protocol: all, or those of the sources it has learnt from."""
        own = self.reference_sources(reference)
        chosen = cells.values() if own == NO_SOURCES else [cells.get(own, ())]
        return list(dict.fromkeys(target for targets in chosen for target in targets))

    def recipe(self, name: str) -> EncoderPretraining | DiffusionPretraining:
        """Pre-training settings of one of the demo's networks."""
        card = self.weights[name]
        return recipe(card.kind, card.pretraining or {})

    def archive(self, code: str) -> Path | None:
        """Where the archive or folder of a data set lies; None where it is not at hand."""
        return locate(self.cards[code], Path(self.project.data_root))

    def import_source(self, code: str) -> str:
        """Where the archive or folder of a data set lies, or the folder where it is expected."""
        return str(self.archive(code) or self.project.data_root)

    def settings(self, variant: str, sources: str) -> Settings:
        """Merged settings of one run."""
        return self._merged(variant, sources)

    @cached_property
    def _merged(self) -> Callable[[str, str], Settings]:
        """Merges the settings of a variant on sources, once for all seeds and targets that ask for them."""
        return cache(partial(run_settings, self.suite, root=self.root, variants=self.variants))

    def partner(self, variant: str) -> str | None:
        """Name the variant whose scores a variant's are compared with; None where the suite has none."""
        compared = self.suite.all_variants
        partner = self.variants[variant].baseline if variant in compared else None
        return partner if partner in compared and partner != variant else None

    def tables(self, kind: str) -> list[str]:
        """Tables of a kind."""
        return [name for name, table in self.suite.tables.items() if table.kind == kind]

    def scores(self, table: str) -> list[str]:
        """Score files that a table's records are made of."""
        suite, paths = self.project.suite, []
        cells = self._cells(table)
        for reference in self.suite.references:
            folder = f"results/{suite}/scores/{reference}/{self.reference_sources(reference)}/seed0"
            paths += [f"{folder}/{target}.json" for target in self.reference_cells(reference, cells)]
        for variant, sources, seed in self.runs(table):
            folder = f"results/{suite}/scores/{variant}/{sources}/seed{seed}"
            paths += [f"{folder}/{target}.json" for target in cells[sources]]
        return paths

    def overheads(self, table: str) -> list[str]:
        """Measurements that a table of overhead is made of: one a source set and variant, whatever the seed."""
        pairs = dict.fromkeys((variant, sources) for variant, sources, _ in self.runs(table))
        return [f"results/{self.project.suite}/overhead/{variant}/{sources}.json" for variant, sources in pairs]

    def rehearsed_target(self, sources: str) -> str:
        """Name the target of which a rehearsal scores a slice: the first that a table of scores has for these sources.

        Raises:
            ConfigError: no table scores them.
        """
        cells = (self._cells(table).get(sources, ()) for table in self.tables("scores"))
        target = next((targets[0] for targets in cells if targets), None)
        if target is None:
            raise ConfigError(f"no table of suite '{self.project.suite}' scores runs on {sources}; add one to it")
        return target

    def trainings(self) -> list[tuple[str, str]]:
        """List variant and sources of every training behind the tables that the suite makes by itself, whatever the seed."""
        tables = [name for name, table in self.suite.tables.items() if not table.on_demand]
        return list(dict.fromkeys(run[:2] for table in tables for run in self.runs(table)))

    def figure_inputs(self, name: str) -> list[str]:
        """Files that a figure is drawn from; kinds of single runs take the first source set, seed and target."""
        figure, runs = self.suite.figures[name], list(self.runs(self.suite.figures[name].table))
        cells = self._cells(figure.table)
        foreign = [name for name in figure.variants if name in self.suite.references]
        targets = cells[runs[0][1]] if runs else [t for name in foreign[:1] for t in self.reference_cells(name, cells)]
        behind = Behind(
            suite=self.project.suite,
            table=figure.table,
            runs=runs,
            named=figure.variants,
            target=next(iter(targets), ""),
            settings=self.settings,
            references={reference: self.reference_sources(reference) for reference in self.suite.references},
        )
        return declared.figure_kind(figure.kind).inputs(behind)

    @property
    def reported(self) -> list[str]:
        """Tables of scores that the page of the suite shows: those that it makes by itself."""
        return [name for name in self.tables("scores") if not self.suite.tables[name].on_demand]

    def report_inputs(self) -> list[str]:
        """Files that the page of the suite is made of; features are of the first seed, whose ranked lists it shows."""
        suite, paths = self.project.suite, []
        for table in self.reported:
            scores, first = self.scores(table), self.suite.seeds_of(table)[0]
            paths += [f"results/{suite}/records/{table}.csv", *scores]
            for variant, *place in (Path(path).with_suffix(".npz").parts[3:] for path in scores):
                shown = f"seed{first}" in place or variant in self.suite.references
                if shown and variant not in BLIND:
                    paths.append("/".join(("results", suite, "features", variant, *place)))
            paths += [
                f"results/{suite}/runs/{v}/{sources}/seed{seed}/run.json" for v, sources, seed in self.runs(table)
            ]
            for sources, targets in self._cells(table).items():
                learnt = split_sources(sources) if self.suite.variants_of(table) else []
                paths += [f"results/data/{code}.parquet" for code in (*learnt, *targets)]
        return list(dict.fromkeys(paths))

    def _cells(self, table: str) -> Mapping[str, tuple[str, ...]]:
        return self.suite.protocols[self.suite.tables[table].protocol]

    def runs(self, table: str) -> Iterator[tuple[str, str, int]]:
        """Yield variant, sources and seed of every training that a table compares."""
        for sources, variant, seed in product(
            self._cells(table), self.suite.variants_of(table), self.suite.seeds_of(table)
        ):
            yield variant, sources, seed

    @property
    def labels(self) -> dict[str, str]:
        """Names of the suite's variants in tables and figures."""
        return {name: self.variants[name].label for name in self.suite.all_variants}

    @property
    def methods(self) -> dict[str, Variant]:
        """All that may stand in a row of a table under a name of the configuration."""
        return named_methods(self.suite, self.variants, self.weights)

    @staticmethod
    def pattern(names: Iterable[str]) -> str:
        """Regular expression that matches exactly these names; none matches nothing that exists."""
        return "|".join(re.escape(name) for name in names) or "no-such-name"

    def _check_references(self, whole: Suite) -> None:
        protocols = whole.protocols.values()
        for name in self.networks:
            known = [key for key, card in self.weights.items() if card.kind != "diffusion"]
            if name not in known:
                raise ConfigError(
                    f"unknown reference '{name}'{nearest(name, [*REFERENCES, *known])}; references are {', '.join(REFERENCES)}, or "
                    f"encoders and networks of {self.root}/weights.yaml: {', '.join(known)}"
                )
            if name in self.variants:
                raise ConfigError(
                    f"'{name}' is a variant and a network, whose results would be filed as one; rename either"
                )
            if not any(self.reference_cells(name, cells) for cells in protocols):
                raise ConfigError(
                    f"reference '{name}' was trained on {self.reference_sources(name)}, which no protocol of the suite has as "
                    f"sources: its numbers would stand nowhere; add such a cell, or correct `trained_on` in {self.root}/weights.yaml"
                )

    def _check_runs(self) -> None:
        size = self.diffusion_image_size
        for variant, sources in self._all_runs():
            chosen = self.settings(variant, sources)
            if chosen.diffusion_image_size != size:
                raise ConfigError(
                    f"diffusion_image_size is {chosen.diffusion_image_size} for variant '{variant}' and {size} for "
                    f"'{first_variant(self.suite)}', but all runs of a suite share their latents; give it under `overrides` of a suite"
                )
            if chosen.train_splits == "all":
                self._check_targets(sources)
            for name in (chosen.encoder_weights, chosen.diffusion_weights):
                if name not in self.weights:
                    raise ConfigError(
                        f"unknown weights '{name}'; {self.root}/weights.yaml has: {', '.join(self.weights)}"
                    )
                if self.weights[name].kind == "network":
                    raise ConfigError(f"'{name}' is a network to be tested, not one to train; name an encoder or prior")

    def _check_remark(self) -> None:
        said = self.suite.remark
        if said is not None and said.variant not in self.variants:
            near = nearest(said.variant, list(self.variants))
            raise ConfigError(f"the remark of the suite speaks of '{said.variant}', which is no variant{near}")

    def _check_figures(self) -> None:
        for name, figure in self.suite.figures.items():
            _, sources, _ = next(self.runs(figure.table), ("", "", 0))
            for variant in figure.variants:
                if variant in self.suite.references:
                    self._check_drawn_reference(name, variant, sources)
                elif fault := declared.figure_kind(figure.kind).fault(self.settings(variant, sources)):
                    raise ConfigError(f"figure '{name}' draws '{variant}', {fault}")

    def _check_drawn_reference(self, figure: str, reference: str, sources: str) -> None:
        """Refuse a reference in a figure of ranked lists that is not ranked as the runs beside it."""
        if self.metric(reference) == "euclidean":
            raise ConfigError(
                f"figure '{figure}' ranks by cosine, but the card of '{reference}' fixes the Euclidean distance; leave it out"
            )
        own = self.reference_sources(reference)
        if own not in (NO_SOURCES, sources) and sources:
            raise ConfigError(
                f"figure '{figure}' shows the first sources of its table, {sources}, but '{reference}' has learnt from {own}; "
                "leave it out"
            )

    def _all_runs(self) -> list[tuple[str, str]]:
        runs = (run[:2] for table in self.suite.tables for run in self.runs(table))
        return list(dict.fromkeys(runs))

    def _check_targets(self, sources: str) -> None:
        scored = {target for cells in self.suite.protocols.values() for target in cells.get(sources, ())}
        learnt = sorted(scored.intersection(split_sources(sources)))
        if learnt:
            raise ConfigError(
                f"train_splits is 'all', so {sources} learns from the test images of {learnt[0]}, its own target; "
                "take that target out of the protocol, or set train_splits: train"
            )


def named_methods(suite: Suite, variants: Mapping[str, Variant], weights: Mapping[str, Weights]) -> dict[str, Variant]:
    """Join the variants with the networks among a suite's references, under the labels of their cards."""
    networks = [name for name in suite.references if name in weights]
    return {**variants, **{name: Variant(weights[name].network.label or name, changes={}) for name in networks}}


def _check_domains(suite: Suite, cards: Mapping[str, Card], root: Path) -> None:
    unknown = [code for code in suite.domains if code not in cards]
    if unknown:
        raise ConfigError(
            f"unknown data set '{unknown[0]}'; the cards are of: {', '.join(cards)}; `dcac data add` adds your own"
        )
    shown = [code for code in suite.domains if cards[code].synthetic is None]
    if suite.demo and shown:
        raise ConfigError(
            f"the suite has `demo: true`, by which its tables say that people are rendered, but {shown[0]} is not; say "
            "`demo: false` in the suite"
        )
    order = list(cards)
    for cells in suite.protocols.values():
        for sources in cells:
            right = join_sources(split_sources(sources), order)
            if sources != right:
                raise ConfigError(f"sources '{sources}' are not in the order of the cards; write '{right}'")


def _possible(
    suite: Suite, project: Project, cards: Mapping[str, Card], results: Here
) -> tuple[Suite, tuple[str, ...], bool]:
    root = Path(project.data_root)
    real = [code for code in suite.domains if cards[code].synthetic is None]
    missing = {
        code: why for code in real if (why := _why_missing(cards[code], root, project.accept_withdrawn, results))
    }
    if not missing:
        return suite, (), True
    notices = tuple(f"{code}: {why}" for code, why in missing.items())
    if len(missing) == len(real):
        return (
            suite,
            (*notices, "No data set of this suite is at hand: the plan shows the whole suite, and nothing can run."),
            False,
        )
    needed = set(missing) if suite.all_variants else set()  # what nothing learns from need not be at hand
    protocols = {name: _without(cells, set(missing), needed) for name, cells in suite.protocols.items()}
    kept = {name: cells for name, cells in protocols.items() if cells}
    if not kept:
        raise ConfigError("no protocol of this suite is possible with the data at hand. " + " ".join(notices))
    tables = {name: table for name, table in suite.tables.items() if table.protocol in kept}
    changes = {
        "domains": tuple(code for code in suite.domains if code not in needed),
        "protocols": kept,
        "tables": tables,
        "figures": {name: figure for name, figure in suite.figures.items() if figure.table in tables},
    }
    return suite.model_copy(update=changes), (*notices, "Cells that need them are left out of this plan."), True


def _cut(whole: Suite, possible: Suite, notices: tuple[str, ...]) -> dict[str, str]:
    """Say of each table and figure that is not possible which data sets its protocol lacks."""
    named = [notice.partition(":")[0] for notice in notices]
    reasons = {}
    for table in whole.tables.values():
        cells = whole.protocols[table.protocol]
        needed = {code for sources, targets in cells.items() for code in (*split_sources(sources), *targets)}
        lacking = [notice for code, notice in zip(named, notices, strict=True) if code in needed]
        reasons[table.protocol] = f"no cell of protocol '{table.protocol}' has all its data sets. {' '.join(lacking)}"
    tables = {name: reasons[table.protocol] for name, table in whole.tables.items() if name not in possible.tables}
    figures = {name: figure.table for name, figure in whole.figures.items() if name not in possible.figures}
    return tables | {name: f"it is drawn from table '{table}': {tables[table]}" for name, table in figures.items()}


def _without(cells: Mapping[str, tuple[str, ...]], missing: set[str], unlearnt: set[str]) -> dict[str, tuple[str, ...]]:
    """Leave out missing targets, and cells that would learn from a missing source."""
    kept = {}
    for sources, targets in cells.items():
        present = tuple(target for target in targets if target not in missing)
        if present and not unlearnt.intersection(split_sources(sources)):
            kept[sources] = present
    return kept


def _why_missing(card: Card, root: Path, accepted: Iterable[str], results: Here) -> str:
    if card.status == "withdrawn" and card.code not in accepted:
        return (
            f"{card.name} is withdrawn and off; if you hold it lawfully, list it in accept_withdrawn of config/config.yaml, "
            "or use a suite without it (paper-duke-free, protocol-1)."
        )
    if results.has(f"results/data/{card.code}.parquet") or locate(card, root) is not None:
        return ""
    if card.own is not None:
        return f"{card.name}, a set of your own, is not where it was when it was added; `dcac data status` says where."
    if not root.is_dir():
        return f"data_root '{root}' does not exist; create it, or set data_root in config/config.yaml."
    return f"{card.name} is not in data_root '{root}'; `dcac data status` says how to get it."
