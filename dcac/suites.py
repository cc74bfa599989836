"""Suites: what is trained, tested and shown, and the settings of each run: base <- preset <- overrides <- sources <- variant."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import AfterValidator, Field, model_validator

from dcac.closed import (
    QUOTES,
    Closed,
    ConfigError,
    Count,
    Names,
    Seed,
    Seeds,
    Share,
    distinct,
    load_yaml,
    nearest,
    parse,
    require_mappings,
    require_names,
    stems,
)
from dcac.declared import FigureKindName, figure_kind
from dcac.settings import Runtime, Settings, parse_settings

CONFIG_DIR = Path("config")
BASELINE = "baseline"  # what a variant is compared with unless it names another
NO_SOURCES = "none"  # the `sources` word of references, which learn from no source
INTENDED = "intended"  # the preset that is the base file itself
Reference = Literal["chance", "histogram", "pretrained"]  # those that need no card
REFERENCES = get_args(Reference)
BLIND = ("chance", "histogram")  # references without a network
NAMED = ("label", "control", "colour", "published")  # of a variant: what another that is like it does not inherit
COLOUR = re.compile("#[0-9a-fA-F]{6}")
NonEmptyNames = Annotated[Names, Field(min_length=1)]


class Running(Runtime):
    """`runtime:` of the project: how training steps are computed, and where the logs of trainings are shown."""

    follow: Literal["tensorboard", "wandb"] | None = None  # shows the log of each training there too

    def stepping(self) -> Runtime:
        """Return what acts on a step: a run knows no more of it."""
        return Runtime(**self.model_dump(exclude={"follow"}))


class Cluster(Closed):
    """What jobs on a cluster ask for; no other profile than `slurm` reads it."""

    account: str | None = None  # that jobs are charged to
    partition: str | None = None  # of every job; None: the cluster's own
    gpu_partition: str | None = None  # of jobs with a GPU; None: that of every job
    qos: str | None = None  # quality of service
    gpu_request: Literal["gpus", "gres"] = "gpus"  # the option of sbatch that the cluster takes
    constraint: str | None = None  # a feature of nodes, for jobs with a GPU
    hours: Count = 24  # of a training on a GPU; one that needs more continues in its next attempt


class Project(Closed):
    """`config/config.yaml`: what runs."""

    suite: str
    seeds: Seeds | None
    data_root: Annotated[str, AfterValidator(os.path.expanduser)]
    profile: str
    accept_withdrawn: Names
    runtime: Running = Running()
    cluster: Cluster = Cluster()


class Variant(NamedTuple):
    """One entry of `config/variants.yaml`."""

    label: str  # its name in tables and figures
    changes: dict[str, Any]  # settings that differ from everything below
    baseline: str = BASELINE  # the variant it is compared with, seed by seed
    control: str | None = None  # another one it is compared with, which shares all but what is to be shown
    colour: str | None = None  # in figures, #rrggbb; None: that of variants without one
    published: str | None = None  # the row of published numbers that it repeats


class Table(Closed):
    """One table: the cells of one protocol with the published rows named by their origin, or what its trainings cost."""

    protocol: str  # one of the suite's `protocols`
    title: str  # its heading
    kind: Literal["scores", "overhead"] = "scores"  # of Re-ID scores, or of what a training step costs
    variants: Names = ()  # instead of the suite's
    seeds: Annotated[tuple[Seed, ...], AfterValidator(distinct)] = ()  # instead of the suite's
    published: Names = ()  # origins in `config/published.csv` whose rows stand above ours, e.g. DCAC Table 2
    note: str = ""  # a sentence below it
    correction: Literal["none", "holm"] = "none"  # of the paired tests against the baseline, for their number
    on_demand: bool = False  # made when asked for by name, not with the whole suite

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Table":
        if self.kind == "overhead" and (self.published or self.seeds):
            raise ValueError(
                "a table of kind 'overhead' has neither published rows nor seeds; remove 'published' and 'seeds'"
            )
        return self


class Figure(Closed):
    """One figure, drawn from what stands behind a table: its records, its runs' logs, or single runs of it."""

    table: str  # the table behind it
    kind: FigureKindName  # what is drawn
    title: str  # its heading
    variants: Names = ()  # the runs to draw, for the kinds that draw single runs; in ranked lists references too
    queries: tuple[
        Share | str, ...
    ] = ()  # of ranked lists: best, median, worst, quantiles of AP, paths of query images
    faces: Literal["blurred", "shown"] = "blurred"  # of real people, where pictures of a target are drawn
    on_demand: bool = False  # as of a table

    @model_validator(mode="after")
    def _runs_are_named(self) -> "Figure":
        kind = figure_kind(self.kind)
        if fault := kind.misnamed(self.variants):
            raise ValueError(fault)
        if self.queries and not kind.shows_queries:
            raise ValueError(f"a figure of kind '{self.kind}' shows no queries; remove 'queries'")
        if "faces" in self.model_fields_set and not kind.shows_people:
            raise ValueError(f"a figure of kind '{self.kind}' shows no pictures of a target; remove 'faces'")
        return self


class Remark(Closed):
    """A sentence below the tables of a suite, with numbers of one variant put in."""

    variant: str  # whose numbers are put in; its tables have the sentence
    text: str  # with the places of `filled`

    @model_validator(mode="after")
    def _has_known_places(self) -> "Remark":
        self.filled(difference="", interval="", verdict="", control="", pull="", heard="")
        return self

    def filled(self, *, difference: str, interval: str, verdict: str, control: str, pull: str, heard: str) -> str:
        """Put the numbers in.

        Args:
            difference: to its baseline, mAP.
            interval: of that difference.
            verdict: what the interval says.
            control: the words `, minus its control` and that difference, where the table has its control.
            pull: of the noise loss on the encoder, as a share of the prototype loss's.
            heard: of another image's condition in the noise loss.

        Raises:
            ValueError: the text has another place than these.
        """
        try:
            return self.text.format(
                difference=difference, interval=interval, verdict=verdict, control=control, pull=pull, heard=heard
            )
        except (AttributeError, LookupError, ValueError) as error:
            raise ValueError(
                f"the remark has a place {error} that nothing fills; use {{difference}}, {{interval}}, {{verdict}}, {{control}}, "
                "{pull} and {heard}"
            ) from None


class Preset(Closed):
    """`config/presets/*.yaml`: settings that go together, laid over the base."""

    every_run: dict[str, Any]  # settings laid over the base in every run
    single_source: dict[str, Any]  # and those laid over it where there is one source


class Suite(Closed):
    """`config/suites/*.yaml`: domains, protocols, variants, tables and figures."""

    title: str  # its name for people
    demo: bool  # whether its people are rendered, so that no real data is needed
    remark: Remark | None = None  # a sentence below its tables
    device: Literal["cpu", "cuda", "auto"]  # auto: a GPU where there is one
    base: str  # a file of `config/base/`
    preset: str = INTENDED  # a file of `config/presets/`; intended: the base as it is
    seeds: Seeds  # of training; a table averages over them
    domains: NonEmptyNames  # codes of the data sets that take part
    variants: Names  # none in a suite that trains nothing, of references alone
    references: Names  # of `Reference`, or encoders and networks of `config/weights.yaml`
    protocols: Annotated[
        dict[str, Annotated[dict[str, NonEmptyNames], Field(min_length=1)]], Field(min_length=1)
    ]  # protocol: {sources joined by +: targets}
    source_settings: dict[str, dict[str, Any]] = {}  # settings of the runs from these sources
    overrides: dict[str, Any] = {}  # settings of every run, over base and preset
    tables: dict[str, Table]  # each becomes results/{suite}/tables/NAME.{md,html,tex,csv}
    figures: dict[str, Figure] = {}  # each becomes results/{suite}/figures/NAME.{pdf,svg,png}
    report_faces: Literal["blurred", "shown", "none"] = "blurred"  # real people in report.html; none: left out

    @model_validator(mode="after")
    def _names_exist(self) -> "Suite":
        if not (self.variants or self.references):
            raise ValueError("a suite without variants and references has nothing to score; name some of either")
        require_names(self.tables, "table")
        require_names(self.figures, "figure")
        for name, table in self.tables.items():
            _require(table.protocol, self.protocols, f"protocol of table '{name}'")
        for name, figure in self.figures.items():
            _require(figure.table, self.tables, f"table of figure '{name}'")
            if self.tables[figure.table].kind != "scores":
                raise ValueError(f"figure '{name}' is drawn from table '{figure.table}', which has no scores")
            drawn = self.variants_of(figure.table)
            if figure_kind(figure.kind).shows_references:
                drawn = (*drawn, *self.references)
            for variant in figure.variants:
                _require(variant, drawn, f"variant of figure '{name}'")
        for sources in self.source_settings:
            _require(sources, self.source_sets, "sources in source_settings")
        for protocol, cells in self.protocols.items():
            for sources, targets in cells.items():
                distinct(tuple(split_sources(sources)))
                for code in (*split_sources(sources), *targets):
                    _require(code, self.domains, f"data set in protocol '{protocol}'")
        return self

    def table(self, name: str) -> Table:
        """Return a table by name."""
        _require(name, self.tables, "table")
        return self.tables[name]

    def figure(self, name: str) -> Figure:
        """Return a figure by name."""
        _require(name, self.figures, "figure")
        return self.figures[name]

    def variants_of(self, table: str) -> tuple[str, ...]:
        """Variants that a table compares, in its order."""
        return self.table(table).variants or self.variants

    def seeds_of(self, table: str) -> tuple[int, ...]:
        """Training seeds of a table."""
        return self.table(table).seeds or self.seeds

    def with_seeds(self, seeds: tuple[int, ...]) -> "Suite":
        """Return the suite with other seeds, in every table."""
        tables = {name: table.model_copy(update={"seeds": ()}) for name, table in self.tables.items()}
        return self.model_copy(update={"seeds": seeds, "tables": tables})

    @property
    def all_variants(self) -> tuple[str, ...]:
        """Every variant that some table compares, each once."""
        return tuple(dict.fromkeys(variant for table in self.tables for variant in self.variants_of(table)))

    @property
    def evaluated(self) -> tuple[str, ...]:
        """All targets that some protocol scores, in suite order."""
        wanted = {target for cells in self.protocols.values() for targets in cells.values() for target in targets}
        return tuple(code for code in self.domains if code in wanted)

    @property
    def source_sets(self) -> tuple[str, ...]:
        """Everything that some protocol trains on, each once."""
        return tuple(dict.fromkeys(sources for cells in self.protocols.values() for sources in cells))


def first_variant(suite: Suite) -> str:
    """Name the variant whose settings references share; in a suite without variants it is the baseline."""
    return suite.variants[0] if suite.variants else BASELINE


def split_sources(sources: str) -> list[str]:
    """Split `MA+D+MS` into its data-set codes."""
    return sources.split("+")


def join_sources(codes: Sequence[str], order: Sequence[str]) -> str:
    """Join data-set codes with `+` in the fixed order of the cards."""
    return "+".join(sorted(codes, key=list(order).index))


def load_project(root: Path = CONFIG_DIR, overrides: Mapping[str, Any] | None = None) -> Project:
    """Read `config.yaml`; `overrides` are the values given with `snakemake --config`."""
    content = {**load_yaml(root / "config.yaml"), **(overrides or {})}
    return parse(Project, content, str(root / "config.yaml"))


def load_suite(name: str, root: Path = CONFIG_DIR) -> Suite:
    """Read `suites/{name}.yaml`, laid over the suite that it `extends`; see `laid_over`.

    Raises:
        ConfigError: the suite is unknown or inconsistent, extends itself, or removes what its parent does not have.
    """
    path = root / "suites" / f"{name}.yaml"
    known = stems(path.parent)
    if known and name not in known:
        raise ConfigError(f"unknown suite '{name}'{nearest(name, known)}; set `suite:` to one of: {', '.join(known)}")
    require_names([name], f"{path}: suite")
    return parse(Suite, _extended(path, ()), str(path))


def _extended(path: Path, children: tuple[str, ...]) -> dict[str, Any]:
    """Return what a suite says together with all that it extends."""
    if path.stem in children:
        raise ConfigError(f"{path}: '{path.stem}' extends itself, by way of {', '.join(children)}; name another parent")
    content = load_yaml(path)
    parent = content.pop("extends", None)
    if parent is None:
        return content
    if not isinstance(parent, str):
        raise ConfigError(f"{path}: extends is {parent!r}, not the name of a suite; {QUOTES}")
    inherited = _extended(path.with_name(f"{parent}.yaml"), (*children, path.stem))
    return laid_over(inherited, content, f"{path}: '{parent}'")


def laid_over(inherited: Mapping[str, Any], own: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Lay mappings over each other, key by key at every depth; lists and single values take the place of others.

    A key that is null removes the inherited one with all that is below it.

    Args:
        origin: what is inherited from, for messages.

    Raises:
        ConfigError: a key is null that is not inherited.
    """
    merged = dict(inherited)
    for key, value in own.items():
        below = inherited.get(key)
        if value is None:
            if key not in inherited:
                near = nearest(key, list(inherited))
                raise ConfigError(
                    f"{origin} has no '{key}' that null could remove{near}; remove the line, or give a value"
                )
            del merged[key]
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = laid_over(below, value, f"{origin}: {key}")
        else:
            merged[key] = value
    return merged


def load_variants(root: Path = CONFIG_DIR) -> dict[str, Variant]:
    """Read what each variant changes; without a `label` a variant is called by its key.

    With `like: OTHER` it changes what OTHER does and is compared with the same baseline, but for the keys that it gives.

    Raises:
        ConfigError: a `baseline`, `control` or `like` is no variant, variants are like each other in a circle, a label is
            given twice, a colour is none, or a name cannot stand in a path.
    """
    path = root / "variants.yaml"
    content = load_yaml(path)
    require_names(content, f"{path}: variant", reserved=REFERENCES)
    entries = {name: {} if entry is None else entry for name, entry in content.items()}
    require_mappings(entries, f"{path}: variant")
    for name, entry in entries.items():
        for key in (*NAMED, "like", "baseline"):
            if not isinstance(entry.get(key, ""), str):
                raise ConfigError(f"{path}: {key} of '{name}' is {entry[key]!r}, not a word; {QUOTES}")
        if not COLOUR.fullmatch(entry.get("colour", "#000000")):
            raise ConfigError(f"{path}: colour of '{name}' is {entry['colour']!r}; write '#rrggbb' in quotes")
    entries = {name: _with_inherited(name, entries, path) for name in entries}
    variants = {
        name: Variant(
            entry.pop("label", name),
            baseline=entry.pop("baseline", BASELINE),
            **{key: entry.pop(key, None) for key in NAMED if key != "label"},
            changes=entry,
        )
        for name, entry in entries.items()
    }
    named: dict[str, str] = {}
    for name, variant in variants.items():
        if (other := named.setdefault(variant.label, name)) != name:
            raise ConfigError(
                f"{path}: '{other}' and '{name}' have one label, '{variant.label}'; rows of a table are told apart by it"
            )
        for key, named_by_it in (("baseline", variant.baseline), ("control", variant.control)):
            if named_by_it is not None and named_by_it not in (*variants, BASELINE):
                near = nearest(named_by_it, list(variants))
                raise ConfigError(
                    f"{path}: {key} '{named_by_it}' of '{name}' is no variant{near}; name one of this file"
                )
    return variants


def _with_inherited(
    name: str, entries: Mapping[str, Mapping[str, Any]], path: Path, asking: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the keys of a variant with those of the one that it is like, and of the one that this is like, and so on."""
    own = dict(entries[name])
    other = own.pop("like", None)
    if other is None:
        return own
    if other not in entries:
        raise ConfigError(f"{path}: '{name}' is like '{other}', which is no variant{nearest(other, list(entries))}")
    if other in (*asking, name):
        circle = " -> ".join((*asking, name, other))
        raise ConfigError(f"{path}: variants are like each other in a circle, {circle}; remove one `like`")
    inherited = _with_inherited(other, entries, path, (*asking, name))
    return {key: value for key, value in inherited.items() if key not in NAMED} | own


def run_settings(
    suite: Suite,
    variant: str,
    sources: str,
    root: Path = CONFIG_DIR,
    *,
    variants: Mapping[str, Variant] | None = None,
) -> Settings:
    """Merge base <- preset <- suite overrides <- sources <- variant into the settings of one run.

    Args:
        variant: a key of `variants.yaml`; the variant wins over everything else.
        sources: data-set codes joined with `+`.
        variants: content of `variants.yaml`, where it has been read already.

    Raises:
        ConfigError: unknown variant or data set, misspelt key, missing key, or value out of range.
    """
    variants = load_variants(root) if variants is None else variants
    if variant not in variants:
        raise ConfigError(f"unknown variant '{variant}'{nearest(variant, list(variants))}; see {root}/variants.yaml")
    try:
        distinct(tuple(split_sources(sources)))
        for code in split_sources(sources):
            _require(code, suite.domains, "data set among the sources")
    except ValueError as error:
        raise ConfigError(f"sources '{sources}': {error}") from None
    base = load_yaml(root / "base" / f"{suite.base}.yaml")
    layers = (
        load_preset(suite.preset, sources, root),
        suite.overrides,
        suite.source_settings.get(sources, {}),
        variants[variant].changes,
    )
    merged = dict(base)
    for layer in layers:
        merged.update(layer)
    return parse_settings(merged, f"settings of variant '{variant}' on {sources}")


def load_preset(name: str, sources: str, root: Path = CONFIG_DIR) -> dict[str, Any]:
    """Read the switches that a preset of `presets/` sets for one source set; `intended` sets none."""
    if name == INTENDED:
        return {}
    content = parse(Preset, load_yaml(root / "presets" / f"{name}.yaml"), f"{root}/presets/{name}.yaml")
    return {**content.every_run, **(content.single_source if len(split_sources(sources)) == 1 else {})}


def _require(name: str, known: Sequence[str] | Mapping[str, Any], what: str) -> None:
    if name not in known:
        raise ValueError(f"unknown {what}: '{name}'{nearest(name, list(known))}; known: {', '.join(known)}")
