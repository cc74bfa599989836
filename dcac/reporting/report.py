"""Write the suite on one page. In: records, scores, features, runs and normalised files. Out: report.html and a record."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from dcac.data.catalog import Card
from dcac.features.feature_file import read_features
from dcac.provenance import atomic
from dcac.provenance.code import PACKAGE
from dcac.provenance.outputs import require_outputs
from dcac.provenance.record import ask, made_inputs, split_off_records, write_record
from dcac.reporting.configured import configured_report
from dcac.reporting.figures.style import method_colour
from dcac.reporting.html import runs as run_pages
from dcac.reporting.html import scored, sets
from dcac.reporting.html.drawn import drawn, left_out
from dcac.reporting.html.lists import Album
from dcac.reporting.html.missing import missing
from dcac.reporting.html.runs import Curve, Run, read_run
from dcac.reporting.html.scored import Key, Score, read_scores
from dcac.reporting.html.tables import content
from dcac.reporting.html.template import LICENCES, fill, libraries, read
from dcac.reporting.tables.accepted import read_accepted
from dcac.reporting.tables.cells import Cell
from dcac.reporting.tables.labels import method_labels
from dcac.reporting.tables.page import Page
from dcac.reporting.tables.recorded import read_records
from dcac.suites import Suite, Variant


class Files(NamedTuple):
    """What a report is made of, by kind."""

    records: dict[str, Path]  # by table
    scores: list[Path]
    features: list[Path]
    runs: list[Path]
    stores: dict[str, Path]  # by code of the data set
    figures: dict[str, Path]  # by name


def run(
    *,
    suite: Suite,
    variants: Mapping[str, Variant],
    cards: Mapping[str, Card],
    inputs: Sequence[Path],
    published: Path,
    out: Sequence[Path],
    accepted: Sequence[Path] = (),
    told: Sequence[str] = (),
) -> None:
    """Write the page (.html), and in .json what it was made from.

    Args:
        cards: of the data sets.
        inputs: records (.csv) named as their tables, scores (.json), features (.npz) of the scores whose ranked lists are
            shown, reports of runs (run.json), normalised files (.parquet), figures (.svg, each with its .png beside it);
            without some the page has less.
        published: file of other methods' numbers.
        accepted: reports (run.json) of runs that a person let stand for other code than their own.
        told: sentences on what is not possible here.

    Raises:
        ValueError: a file is none of these, or there are no records.
    """
    require_outputs(out, ".html", ".json", inputs=inputs)
    files = sorted_out(inputs, suite)
    shown = configured_report(
        suite, list(files.records), variants, sets.printed(cards), published=published, accepted=accepted, told=told
    )
    asked = ask(__name__, shown, made_inputs(inputs))
    page = Report(suite, variants, cards, files, published, accepted=accepted, told=told).html()
    pages, sidecars = split_off_records(out)
    for path in pages:
        with atomic(path) as temporary:
            temporary.write_text(page, encoding="utf-8")
    for sidecar in sidecars:
        write_record(sidecar, asked)


def sorted_out(inputs: Sequence[Path], suite: Suite) -> Files:
    """Tell the files of a report apart by their names.

    Raises:
        ValueError: a file is of no kind that a report reads, or a record file or picture is named as no table or figure.
    """
    kinds = {
        suffix: [path for path in inputs if path.suffix == suffix]
        for suffix in (".csv", ".npz", ".parquet", ".json", ".svg")
    }
    odd = [path for path in inputs if path.suffix not in kinds]
    if odd:
        raise ValueError(
            f"{odd[0]} is nothing that a report reads; give records, scores, features, runs, normalised files, figures"
        )
    if not kinds[".csv"]:
        raise ValueError("there are no records (.csv) among the files; give those of the suite's tables")
    for path in kinds[".csv"]:
        suite.table(path.stem)
    for path in kinds[".svg"]:
        suite.figure(path.stem)
    runs = [path for path in kinds[".json"] if path.name == "run.json"]
    return Files(
        {path.stem: path for path in kinds[".csv"]},
        [path for path in kinds[".json"] if path not in runs],
        kinds[".npz"],
        runs,
        {path.stem: path for path in kinds[".parquet"]},
        {path.stem: path for path in kinds[".svg"]},
    )


class Report:
    """All that the page says."""

    def __init__(
        self,
        suite: Suite,
        variants: Mapping[str, Variant],
        cards: Mapping[str, Card],
        files: Files,
        published: Path,
        *,
        accepted: Sequence[Path] = (),
        told: Sequence[str] = (),
    ):
        self.suite, self.cards, self.files, self.told = suite, cards, files, told
        self.labels = method_labels(variants)
        self.scores = read_scores(files.scores)
        self.runs = [read_run(path) for path in files.runs]
        self.records = {name: read_records(path) for name, path in files.records.items()}
        entries = read_accepted(accepted)
        self.pages = [
            Page(name, suite, records, published, variants, accepted=entries) for name, records in self.records.items()
        ]
        own = {name: variant.colour for name, variant in variants.items()}
        order = [*suite.all_variants, *suite.references]
        self.colours = {self.labels.get(name, name): method_colour(name, own) for name in order}
        self.album = Album(files.stores, suite.report_faces)
        self.charts: dict[str, dict[str, Any]] = {}  # specifications by the place where they are drawn

    def html(self) -> str:
        """Write the page."""
        groups = scored.cells_of(self._ordered()).items()
        cells = [self._cell(sources, target, keys) for (sources, target), keys in groups]
        training = [self._training(*entry) for entry in run_pages.curves(self.runs, self.labels, self.colours).items()]
        return fill(
            "report.html",
            style=read("style.css"),
            script=read("report.js"),
            libraries=libraries(),
            licences=read(LICENCES),
            suite=self.suite,
            facts=self._facts(),
            tables=[content(page, self._link) for page in self.pages],
            figures=drawn(self.suite, self.files.figures),
            cells=cells,
            training=training,
            cost=run_pages.cost_table(self.runs, self.labels) if self.runs else None,
            sets=[sets.data_card(path, self.cards.get(code)) for code, path in sorted(self.files.stores.items())],
            missing=missing(
                self.suite,
                self.records,
                self.labels,
                [*self.told, *left_out(self.suite, self.files.figures)],
                self.files.figures,
            ),
            charts=self.charts,
            pictures=self.album.as_data(),
        )

    def _facts(self) -> dict[str, list[str]]:
        """Say what was run, of which code, where, and how long."""
        seeds = sorted({int(run.seed) for run in self.runs})
        time = run_pages.duration(sum(run.report["seconds"] for run in self.runs))
        codes: dict[str, set[str]] = {}
        for score in (score for scores in self.scores.values() for score in scores):
            for step, code in {**score.content["meta"].get("code", {}), "score": score.content.get("code", "")}.items():
                codes.setdefault(step, set()).add(code)
        versions = {run.start.get("environment", {}).get(PACKAGE, "–") for run in self.runs}
        stores = [sets.data_card(path, None) for path in self.files.stores.values()]
        facts = {
            "Suite": [self.suite.title + (" (rendered people, not real data)" if self.suite.demo else "")],
            "Data": [f"{card['code']}: {card['name']}, version {card['facts']['version']}" for card in stores],
            "Seeds": [", ".join(map(str, seeds))],
            "Trainings": [f"{len(self.runs)} runs, {time} in all"],
            "Machines": run_pages.machines(self.runs),
            "Code": [f"{PACKAGE} {', '.join(sorted(versions))}" if versions else ""]
            + [f"{step}: {', '.join(sorted(found))}" for step, found in sorted(codes.items())],
            "Selection": ["last epoch; targets were never used to choose anything"],
        }
        return {name: said for name, words in facts.items() if (said := [word for word in words if word])}

    def _ordered(self) -> list[Key]:
        """List what was scored in the order of the tables, methods in the order of the suite."""
        cells = [(cell.sources, cell.target) for page in self.pages for own, _ in page.blocks for cell in own]
        methods = [*self.suite.references, *self.suite.all_variants]

        def place(key: Key) -> tuple[int, int]:
            cell = (key.sources, key.target)
            return (
                cells.index(cell) if cell in cells else len(cells),
                methods.index(key.variant) if key.variant in methods else len(methods),
            )

        return sorted(self.scores, key=place)

    def _link(self, variant: str, cell: Cell) -> str:
        keys = (Key(variant, cell.sources, cell.target), Key(variant, scored.NO_SOURCES, cell.target))
        return next((key.place for key in keys if key in self.scores), "")

    def _cell(self, sources: str, target: str, keys: Sequence[Key]) -> dict[str, Any]:
        """Collect what stands behind the numbers of one target, method by method."""
        place = f"cmc-{sources}-{target}"
        self.charts[place] = scored.cmc_chart(keys, self.scores, self.labels, self.colours)
        return {
            "title": f"{target}, learnt from nothing" if sources == scored.NO_SOURCES else f"{sources} → {target}",
            "chart": place,
            "text": scored.cmc_text(keys, self.scores, self.labels),
            "methods": [self._method(key, self.scores[key]) for key in keys],
        }

    def _method(self, key: Key, scores: Sequence[Score]) -> dict[str, Any]:
        own = [run for run in self.runs if (run.variant, run.sources) == (key.variant, key.sources)]
        return {
            "place": key.place,
            "name": self.labels.get(key.variant, key.variant),
            "seeds": scored.seed_rows(scores),
            "cameras": scored.camera_matrix(scores),
            "cost": _cost(own),
            "lists": self._lists(key, scores),
            "listed_seed": scores[0].seed,
        }

    def _lists(self, key: Key, scores: Sequence[Score]) -> list[dict[str, Any]]:
        first = scores[0]
        features = self._features.get((*key, first.seed))
        if features is None or first.content["metric"] != "cosine":
            return []
        return self.album.lists(features, first.path, key.target)

    @cached_property
    def _features(self) -> dict[tuple[str, str, str, int], Path]:
        found = {}
        for path in self.files.features:
            meta = read_features(path).meta
            variant, sources, target, seed = (str(meta[name]) for name in ("variant", "sources", "target", "seed"))
            found[variant, sources, target, int(seed)] = path
        return found

    def _training(self, sources: str, charts: Sequence[Curve]) -> dict[str, Any]:
        shown = []
        for number, curve in enumerate(charts):
            place = f"curve-{sources}-{number}"
            self.charts[place] = curve.chart
            shown.append({"title": curve.title, "chart": place, "text": curve.text})
        return {"sources": sources, "charts": shown}


def _cost(runs: Sequence[Run]) -> str:
    """Say what the trainings behind a number cost."""
    if not runs:
        return "Nothing was trained for this number."
    parts = [
        f"seed {run.seed}: {run_pages.duration(run.report['seconds'])}, {run.pace:.0f} images/s, "
        f"{run.report['peak_memory_bytes'] / 2**30:.2f} GiB"
        for run in runs
    ]
    return f"Training, {'; '.join(parts)} at most."
