"""Read `config/`: merge base, sources and variant into the settings of a run; describe suites, tables and weights."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import yaml
from pydantic import Field, ValidationError, model_validator

from dcac.settings import Closed, DiffusionPretraining, EncoderPretraining, Runtime, Settings

CONFIG_DIR = Path("config")
BASELINE = "baseline"  # what a variant is compared with unless it names another
NO_SOURCES = "none"  # the `sources` word of references, which learn from no source
INTENDED = "intended"  # the preset that is the base file itself
Model = TypeVar("Model", bound=Closed)


class ConfigError(ValueError):
    """A configuration file that cannot be used; the message names file, key, value and remedy."""


class Project(Closed):
    """`config/config.yaml`: what runs."""

    suite: str
    seeds: tuple[Annotated[int, Field(ge=0)], ...] | None
    data_root: str
    profile: str
    accept_withdrawn: tuple[str, ...]
    runtime: Runtime = Runtime()


class Variant(NamedTuple):
    """One entry of `config/variants.yaml`."""

    label: str  # its name in tables and figures
    changes: dict[str, Any]  # settings that differ from everything below
    baseline: str = BASELINE  # the variant it is compared with, seed by seed


class Table(Closed):
    """One table: the cells of one protocol with the published rows named by their origin, or what its trainings cost."""

    protocol: str
    title: str
    kind: Literal["scores", "overhead"] = "scores"
    variants: tuple[str, ...] = ()  # instead of the suite's
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = ()  # instead of the suite's
    published: tuple[str, ...] = ()
    note: str = ""
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

    table: str
    kind: Literal["cmc", "diagnostics", "samples", "correlation", "tsne"]
    title: str
    variants: tuple[str, ...] = ()  # the runs to draw, for the kinds that draw single runs
    on_demand: bool = False  # as of a table

    @model_validator(mode="after")
    def _runs_are_named(self) -> "Figure":
        if self.kind in ("samples", "correlation") and len(self.variants) != 1:
            raise ValueError(f"a figure of kind '{self.kind}' draws one run; name it, such as `variants: [dcac]`")
        if self.kind == "tsne" and not self.variants:
            raise ValueError("a figure of kind 'tsne' needs the runs to compare, such as `variants: [baseline, dcac]`")
        if self.kind in ("cmc", "diagnostics") and self.variants:
            raise ValueError(f"a figure of kind '{self.kind}' draws all variants of its table; remove 'variants'")
        return self


class Preset(Closed):
    """`config/presets/*.yaml`: settings that go together, laid over the base."""

    every_run: dict[str, Any]
    single_source: dict[str, Any]


class Suite(Closed):
    """`config/suites/*.yaml`: domains, protocols, variants, tables and figures."""

    title: str
    demo: bool
    device: Literal["cpu", "auto"]
    base: str
    preset: str = INTENDED
    seeds: tuple[Annotated[int, Field(ge=0)], ...]
    domains: tuple[str, ...]
    variants: tuple[str, ...]
    references: tuple[Literal["chance", "histogram", "pretrained"], ...]
    protocols: dict[str, dict[str, tuple[str, ...]]]
    source_settings: dict[str, dict[str, Any]] = {}
    overrides: dict[str, Any] = {}
    tables: dict[str, Table]
    figures: dict[str, Figure] = {}

    @model_validator(mode="after")
    def _names_exist(self) -> "Suite":
        for name, table in self.tables.items():
            _require(table.protocol, self.protocols, f"protocol of table '{name}'")
        for name, figure in self.figures.items():
            _require(figure.table, self.tables, f"table of figure '{name}'")
            if self.tables[figure.table].kind != "scores":
                raise ValueError(f"figure '{name}' is drawn from table '{figure.table}', which has no scores")
            for variant in figure.variants:
                _require(variant, self.variants_of(figure.table), f"variant of figure '{name}'")
        for sources in self.source_settings:
            _require(sources, self.source_sets, "sources in source_settings")
        for protocol, cells in self.protocols.items():
            for sources, targets in cells.items():
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


class Weights(Closed):
    """One card of `config/weights.yaml`: where a pre-trained network comes from."""

    kind: Literal["encoder", "diffusion"]
    source: Literal["demo", "hub", "folder", "file"]
    repo: str | None = None
    revision: str | None = None
    files: tuple[str, ...] = ()
    rename: dict[str, str] = {}  # files of a hub that take another's place, such as a U-Net before averaging
    path: str | None = None
    architecture: Literal["sd-1", "sd-2-base"] | None = None  # of a single file
    ema: bool | None = None  # of a single file: its moving average, or the weights as trained
    sha256: dict[str, str] = {}
    pretraining: dict[str, Any] | None = None
    terms: str

    @model_validator(mode="after")
    def _complete(self) -> "Weights":
        if self.source == "hub" and not (self.repo and self.revision):
            raise ValueError("weights from a hub need both 'repo' and a pinned 'revision'")
        if self.source in ("folder", "file") and not self.path:
            raise ValueError(f"weights from a {self.source} need 'path'")
        self._check_single_file()
        if (self.source == "demo") != (self.pretraining is not None):
            raise ValueError("'pretraining' belongs to the demo's own weights, and they need it")
        return self

    def _check_single_file(self) -> None:
        given = [name for name in ("architecture", "ema") if getattr(self, name) is not None]
        if self.source != "file":
            if given:
                raise ValueError(f"'{given[0]}' belongs to `source: file` only; remove it, or correct 'source'")
            return
        if self.kind != "diffusion":
            raise ValueError(f"`source: file` reads Stable Diffusion only; give this {self.kind} as `source: folder`")
        if len(given) < 2:
            raise ValueError(
                "weights from a single file need 'architecture' (sd-1 or sd-2-base) and 'ema' (true or false)"
            )

    def recipe(self) -> EncoderPretraining | DiffusionPretraining:
        """The checked pre-training settings of the demo's own weights."""
        model = EncoderPretraining if self.kind == "encoder" else DiffusionPretraining
        return parse(model, self.pretraining or {}, f"pretraining of a demo {self.kind}")


def split_sources(sources: str) -> list[str]:
    """Split `MA+D+MS` into its data-set codes."""
    return sources.split("+")


def join_sources(codes: Sequence[str], order: Sequence[str]) -> str:
    """Join data-set codes with `+` in the fixed order of the cards."""
    return "+".join(sorted(codes, key=list(order).index))


def load_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping.

    Raises:
        ConfigError: the file is missing or holds no mapping.
    """
    if not path.is_file():
        siblings = sorted(p.stem for p in path.parent.glob("*.yaml"))
        near = _nearest(path.stem, siblings)
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


def load_project(root: Path = CONFIG_DIR, overrides: Mapping[str, Any] | None = None) -> Project:
    """Read `config.yaml`; `overrides` are the values given with `snakemake --config`."""
    content = {**load_yaml(root / "config.yaml"), **(overrides or {})}
    return parse(Project, content, str(root / "config.yaml"))


def load_suite(name: str, root: Path = CONFIG_DIR) -> Suite:
    """Read `suites/{name}.yaml`; with `extends: PARENT` every key that it does not give is the parent's.

    Raises:
        ConfigError: the suite is unknown or inconsistent.
    """
    path = root / "suites" / f"{name}.yaml"
    known = sorted(p.stem for p in path.parent.glob("*.yaml"))
    if name not in known:
        raise ConfigError(f"unknown suite '{name}'{_nearest(name, known)}; set `suite:` to one of: {', '.join(known)}")
    content = load_yaml(path)
    if (parent := content.pop("extends", None)) is not None:
        inherited = load_yaml(path.with_name(f"{parent}.yaml"))
        if "extends" in inherited:
            raise ConfigError(f"{path}: '{parent}' extends '{inherited['extends']}'; a parent must stand by itself")
        content = {**inherited, **content}
    return parse(Suite, content, str(path))


def load_variants(root: Path = CONFIG_DIR) -> dict[str, Variant]:
    """Read what each variant changes; without a `label` a variant is called by its key.

    Raises:
        ConfigError: a `baseline` is no variant.
    """
    path = root / "variants.yaml"
    entries = {name: dict(entry or {}) for name, entry in load_yaml(path).items()}
    variants = {
        name: Variant(str(entry.pop("label", name)), baseline=str(entry.pop("baseline", BASELINE)), changes=entry)
        for name, entry in entries.items()
    }
    for name, variant in variants.items():
        if variant.baseline not in (*variants, BASELINE):
            near = _nearest(variant.baseline, list(variants))
            raise ConfigError(
                f"{path}: baseline '{variant.baseline}' of '{name}' is no variant{near}; name one of this file"
            )
    return variants


def load_weights(root: Path = CONFIG_DIR) -> dict[str, Weights]:
    """Read the cards of pre-trained networks."""
    path = root / "weights.yaml"
    return {name: parse(Weights, card, f"{path}: {name}") for name, card in load_yaml(path).items()}


def run_settings(suite: Suite, variant: str, sources: str, root: Path = CONFIG_DIR) -> Settings:
    """Merge base <- preset <- suite overrides <- sources <- variant into the settings of one run.

    Args:
        variant: a key of `variants.yaml`; the variant wins over everything else.
        sources: data-set codes joined with `+`.

    Raises:
        ConfigError: unknown variant, misspelt key, missing key, or value out of range.
    """
    variants = load_variants(root)
    if variant not in variants:
        raise ConfigError(f"unknown variant '{variant}'{_nearest(variant, list(variants))}; see {root}/variants.yaml")
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
    return parse(Settings, merged, f"settings of variant '{variant}' on {sources}")


def load_preset(name: str, sources: str, root: Path = CONFIG_DIR) -> dict[str, Any]:
    """Read the switches that a preset of `presets/` sets for one source set; `intended` sets none."""
    if name == INTENDED:
        return {}
    content = parse(Preset, load_yaml(root / "presets" / f"{name}.yaml"), f"{root}/presets/{name}.yaml")
    return {**content.every_run, **(content.single_source if len(split_sources(sources)) == 1 else {})}


def dump_settings(settings: Settings) -> str:
    """Write settings as YAML in the order of the model."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_settings(path: Path) -> Settings:
    """Read the merged settings of one run, as `write_config` left them."""
    return parse(Settings, load_yaml(path), str(path))


def _require(name: str, known: Sequence[str] | Mapping[str, Any], what: str) -> None:
    if name not in known:
        raise ValueError(f"unknown {what}: '{name}'{_nearest(name, list(known))}; known: {', '.join(known)}")


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""


def _explain(issue: Any, model: type[Closed]) -> str:
    key = ".".join(str(part) for part in issue["loc"]) or "value"
    if issue["type"] == "extra_forbidden":
        return f"unknown key '{key}'{_nearest(key, list(model.model_fields))}"
    if issue["type"] == "missing":
        return f"key '{key}' is missing; add it"
    message = issue["msg"].removeprefix("Value error, ")
    value = issue.get("input")
    return message if isinstance(value, dict) else f"'{key}' is {value!r}: {message}"
