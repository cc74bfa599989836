"""What one table says, before it takes a format: blocks, summary, diagnostics, notes."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import pandas as pd

from dcac import declared
from dcac.data.catalog import NO_CAMERAS
from dcac.data.splits import NUM_SPLITS, SEED
from dcac.evaluation.score import LEVEL
from dcac.evaluation.statistics import HIGHER, LOWER, UNCLEAR, holm, mean_and_sd
from dcac.reporting.tables import cells as table_cells
from dcac.reporting.tables.accepted import Accepted
from dcac.reporting.tables.cells import METRIC_NAMES, METRICS, Cell, Row
from dcac.reporting.tables.comparisons import compared, interval_text, level, verdict_text
from dcac.reporting.tables.labels import method_labels
from dcac.reporting.tables.protocol_card import euclidean_notes, protocol_card
from dcac.suites import Remark, Suite, Variant

Protocol = Mapping[str, Sequence[str]]
VERDICTS = (HIGHER, UNCLEAR, LOWER)
VERDICT = "verdict on mAP − baseline"
ALONE = " (as the only test; not among all of them)"  # of a verdict that does not outlast the correction


class Page:
    """Everything one table says, before it takes a format."""

    def __init__(
        self,
        name: str,
        suite: Suite,
        records: pd.DataFrame,
        published: Path,
        known: Mapping[str, Variant],
        *,
        accepted: Sequence[Accepted] = (),
    ):
        table, labels = suite.table(name), method_labels(known)
        protocol = suite.protocols[table.protocol]
        compared = suite.variants_of(name)
        variants = [v for v in (*suite.references, *compared) if v in set(records["variant"])]
        self.name, self.demo = name, suite.demo
        self.title = f"{suite.title}: {table.title}"

        def rows(cells: Sequence[Cell]) -> list[Row]:
            found = table_cells.published_rows(published, table.protocol, table.published, cells)
            found += table_cells.own_rows(records, cells, variants, labels, references=suite.references)
            return found + table_cells.differences_to_paper(found, known)

        self.blocks = [(cells, rows(cells)) for cells in table_cells.blocks(protocol)]
        self.narrow_blocks = [(cells, rows(cells)) for cells in table_cells.narrow_blocks(protocol)]
        partners = {v: known[v].baseline if v in known else v for v in compared if v in variants}
        controls = {v: other for v in partners if v in known and (other := known[v].control) in partners}
        self._compared = partners, of_protocol(records, protocol)
        self.levels = levels(records, variants, protocol, labels)
        self.summary = summary(records, partners, controls, protocol, labels)
        if table.correction == "holm":
            self.summary = with_corrected_tests(self.summary, records, partners, protocol, labels)
        judged = [v for v in compared if v not in known or known[v].baseline != v]
        self.diagnostics = diagnostics(records, judged, labels)
        self.notes = [caption(records, suite), *([table.note] if table.note else []), *footnotes(accepted)]
        self.notes += [protocol_card(records, suite, labels), *euclidean_notes(records, suite, protocol, labels)]
        if suite.remark and len(heard := diagnostics(records, [suite.remark.variant], labels)):
            self.notes.append(remark(suite.remark, known[suite.remark.variant], of_protocol(records, protocol), heard))

    @property
    def differences(self) -> pd.DataFrame:
        """The summary; empty where no method is compared."""
        return self.summary if len(self.summary.columns) > 1 else pd.DataFrame()

    @cached_property
    def verdicts(self) -> dict[tuple[str, Cell], tuple[str, str]]:
        """Say of each variant and cell how its mAP differs from its baseline's: the difference with its interval, a verdict."""
        partners, records = self._compared
        found = {}
        for (sources, target), own in records.groupby(["sources", "target"], sort=False):
            for variant, partner in partners.items():
                difference = compared(own, variant, partner) if partner in partners and partner != variant else None
                if difference is not None:
                    said = verdict_text(difference, own.loc[own["variant"] == variant, "seed"].nunique())
                    found[variant, Cell(sources, target)] = (
                        f"{100 * difference.mean:+.2f} {interval_text(difference)}",
                        said,
                    )
        return found

    def tidy(self) -> pd.DataFrame:
        """Return one row a method, cell and metric."""
        lines = []
        for _, rows in self.blocks:
            for row in rows:
                for (cell, metric), value in row.values.items():
                    lines.append([row.name, row.kind, *cell, metric, value.mean, value.sd, value.n])
        columns = ["method", "kind", "sources", "target", "metric", "mean_percent", "sd_percent", "n"]
        return pd.DataFrame(lines, columns=columns)


def caption(records: pd.DataFrame, suite: Suite) -> str:
    """Say metric, unit, seeds, splits and selection."""
    trained = records[(records["sources"] != "none") & ~records["variant"].isin(suite.references)]
    seeds = sorted(trained["seed"].unique()) if len(trained) else []
    data = "rendered people, not real data; " if suite.demo else ""
    odd = sorted(trained.loc[trained["standard"].astype(str) == "False", "target"].unique()) if len(trained) else []
    split = sorted(records.loc[records["num_splits"] > 1, "target"].unique())
    splits = (
        f" Each score on {', '.join(split)} is the mean over {NUM_SPLITS} random splits (seed {SEED})." if split else ""
    )
    blind = sorted(records.loc[records["data_variant"] == NO_CAMERAS, "target"].unique())
    cameras = (
        f" Without cameras on {', '.join(blind)}: only a query's own picture is left out of its ranking."
        if blind
        else ""
    )
    warning = f" Non-standard counts, accepted by hand: {', '.join(odd)}." if odd else ""
    count = f"n = {len(seeds)} training seed{'' if len(seeds) == 1 else 's'}"
    mean = (
        f"mean ± sample standard deviation over {count}; last epoch, targets never used to choose. "
        if len(trained)
        else "nothing was trained for this table. "
    )
    return (
        f"mAP and rank-1 in percent ({data}camera-aware, single query, no re-ranking); {mean}"
        f"Best bold, second underlined.{splits}{cameras}{warning}"
    )


def footnotes(accepted: Sequence[Accepted]) -> list[str]:
    """Name the runs that were made with other code than today's and accepted by hand, with the modules that changed."""
    if not accepted:
        return []
    runs = ", ".join(entry.run for entry in accepted)
    modules = ", ".join(sorted({module for entry in accepted for module in entry.modules}))
    return [f"Made before today's code and accepted by hand as equal (changed since: {modules}): {runs}."]


def levels(
    records: pd.DataFrame, variants: Sequence[str], protocol: Protocol, labels: Mapping[str, str]
) -> pd.DataFrame:
    """Average each method that has all cells over them, those that learnt from no source too, with the interval of its mAP."""
    lines, cells = [], sum(len(targets) for targets in protocol.values())
    for variant in variants:
        mine = at_cells(records[records["variant"] == variant], protocol)
        if len(mine.drop_duplicates(["sources", "target"])) < cells:
            continue
        per_seed = mine.groupby("seed")[list(METRICS)].mean() * 100
        line = {"method": labels.get(variant, variant)}
        line |= {name: spread(per_seed[metric].tolist()) for metric, name in METRIC_NAMES.items()}
        found = level(mine, variant)
        if found is not None:
            line["interval of mAP"] = f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"
        lines.append(line)
    return pd.DataFrame(lines).fillna("–")


def at_cells(records: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Keep the records of a protocol's cells; those that learnt from no source stand in every cell of their target."""
    if not (records["sources"] == "none").all():
        return of_protocol(records, protocol)
    cells = [(sources, target) for sources, targets in protocol.items() for target in targets]
    return pd.concat([records[records["target"] == target].assign(sources=sources) for sources, target in cells])


def summary(
    records: pd.DataFrame,
    partners: Mapping[str, str],
    controls: Mapping[str, str],
    protocol: Protocol,
    labels: Mapping[str, str],
) -> pd.DataFrame:
    """Average over all cells each variant's paired differences to its baseline and its control over the seeds.

    Args:
        partners: what each variant is compared with; variants in the table's order.
        controls: what some of them are compared with besides.
    """
    mine = of_protocol(records, protocol)
    lines = []
    for variant, partner in partners.items():
        line = {"method": labels.get(variant, variant)}
        if variant != partner and partner in partners:
            several = len(set(partners.values())) > 1
            line |= {"baseline": labels.get(partner, partner)} if several else {}
            line |= _against(mine, variant, partner, "baseline")
            counts = table_cells.paired_differences(mine, variant, partner)["mAP_verdict"].value_counts()
            title = f"single pairs of runs: {' / '.join(VERDICTS)}"
            line[title] = " / ".join(str(counts.get(word, 0)) for word in VERDICTS)
        if variant in controls:
            line |= {"control": labels.get(controls[variant], controls[variant])}
            line |= _against(mine, variant, controls[variant], "control")
        lines.append(line)
    return pd.DataFrame(lines).fillna("–")


def with_corrected_tests(
    summary: pd.DataFrame,
    records: pd.DataFrame,
    partners: Mapping[str, str],
    protocol: Protocol,
    labels: Mapping[str, str],
) -> pd.DataFrame:
    """Add the p-values of the comparisons with the baselines, corrected for their number after Holm, and hold verdicts to them."""
    mine = of_protocol(records, protocol)
    every = {variant: compared(mine, variant, partner) for variant, partner in partners.items() if variant != partner}
    tested = {labels.get(variant, variant): found for variant, found in every.items() if found is not None}
    ps = dict(zip(tested, holm([found.p for found in tested.values()]), strict=True))
    texts = [f"{ps[name]:.3f}" if name in ps else "–" for name in summary["method"]]
    summary = summary.assign(**{f"p of mAP − baseline (Holm, {len(ps)} tests)": texts})
    fallen = {name for name, found in tested.items() if found.verdict != UNCLEAR and ps[name] >= 1 - LEVEL}
    summary.loc[summary["method"].isin(fallen), VERDICT] += ALONE
    return summary


def _against(records: pd.DataFrame, variant: str, partner: str, word: str) -> dict[str, str]:
    """Write the columns of one comparison: differences paired by seed, the interval of the mAP's, and what it says."""
    pairs = table_cells.paired_differences(records, variant, partner)
    by_seed = pairs.groupby("seed")
    columns = {
        f"{name} − {word}": spread(by_seed[f"{metric}_difference"].mean().tolist(), sign=True)
        for metric, name in METRIC_NAMES.items()
    }
    found = compared(records, variant, partner)
    if found is not None:
        columns[f"interval of mAP − {word}"] = interval_text(found)
        columns[f"verdict on mAP − {word}"] = verdict_text(found, len(by_seed))
    return columns


def remark(said: Remark, variant: Variant, mine: pd.DataFrame, means: pd.DataFrame) -> str:
    """Fill a suite's remark with the numbers of its variant.

    Args:
        mine: records of the table's cells.
        means: diagnostics of the variant.
    """

    def minus(partner: str) -> str:
        pairs = table_cells.paired_differences(mine, said.variant, partner)
        return spread(pairs.groupby("seed")["mAP_difference"].mean().tolist(), sign=True)

    control = variant.control if variant.control in set(mine["variant"]) else None
    found = compared(mine, said.variant, variant.baseline)
    seeds = mine.loc[mine["variant"] == said.variant, "seed"].nunique()
    return said.filled(
        difference=minus(variant.baseline),
        interval="no interval" if found is None else interval_text(found),
        verdict="not judged" if found is None else verdict_text(found, seeds),
        control=f", minus its control {minus(control)}" if control is not None else "",
        pull=f"{(means['gradient_noise'] / means['gradient_prototype']).mean():.0e}",
        heard=f"{100 * (means['noise_other'] / means['noise_own'] - 1).mean():+.2f} %",
    )


def of_protocol(records: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Keep the records of a protocol's cells."""
    wanted = {(sources, target) for sources, targets in protocol.items() for target in targets}
    return records[[pair in wanted for pair in zip(records["sources"], records["target"], strict=True)]]


def diagnostics(records: pd.DataFrame, variants: Sequence[str], labels: Mapping[str, str]) -> pd.DataFrame:
    """Average the conditioning diagnostics of the last epoch over seeds, one row a variant and source set."""
    runs = records[records["variant"].isin(variants)].drop_duplicates(["variant", "sources", "seed"])
    names = [name for name in declared.diagnostics() if name in runs]
    runs = runs[runs[names].notna().any(axis=1)]  # baselines have none
    if runs.empty:
        return pd.DataFrame()
    runs = runs.sort_values("variant", key=lambda names: names.map(list(variants).index), kind="stable")
    means = runs.groupby(["variant", "sources"], sort=False)[names].mean(numeric_only=True).reset_index()
    means["variant"] = means["variant"].map(lambda name: labels.get(name, name))
    return means


def spread(values: Sequence[float], *, sign: bool = False) -> str:
    """Write mean ± sample sd with one decimal; a single value has no sd."""
    if not len(values):
        return "–"
    mean, sd, _ = mean_and_sd(list(values))
    text = f"{mean:+.2f}" if sign else f"{mean:.1f}"
    return text if sd is None else f"{text} ± {sd:{'.2f' if sign else '.1f'}}"
