"""What one table says, before it takes a format: blocks, summary, diagnostics, notes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from dcac import declared
from dcac.data.splits import NUM_SPLITS, SEED
from dcac.evaluation.statistics import BETTER, UNCLEAR, WORSE, mean_and_sd
from dcac.reporting import cells as table_cells
from dcac.reporting.cells import METRIC_NAMES, METRICS, Cell, Row
from dcac.reporting.configured import Accepted
from dcac.reporting.labels import method_labels
from dcac.reporting.protocol_card import euclidean_notes, protocol_card
from dcac.suites import Remark, Suite, Variant

Protocol = Mapping[str, Sequence[str]]
VERDICTS = (BETTER, UNCLEAR, WORSE)


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
        self.blocks: list[tuple[list[Cell], list[Row]]] = []
        for cells in table_cells.blocks(protocol):
            rows = table_cells.published_rows(published, table.protocol, table.published, cells)
            rows += table_cells.own_rows(records, cells, variants, labels, references=suite.references)
            self.blocks.append((cells, rows + table_cells.differences_to_paper(rows, known)))
        partners = {v: known[v].baseline if v in known else v for v in compared if v in variants}
        self.summary = summary(records, partners, protocol, labels)
        self.diagnostics = diagnostics(
            records, [v for v in compared if v not in known or known[v].baseline != v], labels
        )
        self.notes = [caption(records, suite), *([table.note] if table.note else []), *footnotes(accepted)]
        self.notes += [protocol_card(records, suite, labels), *euclidean_notes(records, suite, protocol, labels)]
        if suite.remark and len(heard := diagnostics(records, [suite.remark.variant], labels)):
            partner = known[suite.remark.variant].baseline
            self.notes.append(remark(suite.remark, partner, records, protocol, heard))

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
    warning = f" Non-standard counts, accepted by hand: {', '.join(odd)}." if odd else ""
    count = f"n = {len(seeds)} training seed{'' if len(seeds) == 1 else 's'}"
    mean = (
        f"mean ± sample standard deviation over {count}; last epoch, targets never used to choose. "
        if len(trained)
        else "nothing was trained for this table. "
    )
    return (
        f"mAP and rank-1 in percent ({data}camera-aware, single query, no re-ranking); {mean}"
        f"Best bold, second underlined.{splits}{warning}"
    )


def footnotes(accepted: Sequence[Accepted]) -> list[str]:
    """Name the runs that were made with other code than today's and accepted by hand, with the modules that changed."""
    if not accepted:
        return []
    runs = ", ".join(entry.run for entry in accepted)
    modules = ", ".join(sorted({module for entry in accepted for module in entry.modules}))
    return [f"Made before today's code and accepted by hand as equal (changed since: {modules}): {runs}."]


def summary(
    records: pd.DataFrame, partners: Mapping[str, str], protocol: Protocol, labels: Mapping[str, str]
) -> pd.DataFrame:
    """Average each variant over all cells, and its paired difference to its baseline over the seeds.

    Args:
        partners: what each variant is compared with; variants in the table's order.
    """
    mine = of_protocol(records, protocol)
    several = len(set(partners.values())) > 1
    lines = []
    for variant, partner in partners.items():
        line = {"method": labels.get(variant, variant)}
        per_seed = mine[mine["variant"] == variant].groupby("seed")[list(METRICS)].mean() * 100
        for metric, name in METRIC_NAMES.items():
            line[name] = spread(per_seed[metric].tolist())
        if variant != partner and partner in partners:
            if several:
                line["baseline"] = labels.get(partner, partner)
            pairs = table_cells.paired_differences(mine, variant, partner)
            for metric, name in METRIC_NAMES.items():
                line[f"{name} − baseline"] = spread(
                    pairs.groupby("seed")[f"{metric}_difference"].mean().tolist(), sign=True
                )
            counts = pairs["mAP_verdict"].value_counts()
            line[f"single scores: {' / '.join(VERDICTS)}"] = " / ".join(str(counts.get(word, 0)) for word in VERDICTS)
        lines.append(line)
    return pd.DataFrame(lines).fillna("–")


def remark(said: Remark, partner: str, records: pd.DataFrame, protocol: Protocol, means: pd.DataFrame) -> str:
    """Fill a suite's remark with the numbers of its variant.

    Args:
        partner: what the variant is compared with.
        means: its diagnostics.
    """
    pairs = table_cells.paired_differences(of_protocol(records, protocol), said.variant, partner)
    ratio = (means["gradient_noise"] / means["gradient_prototype"]).mean()
    heard = (means["noise_other"] / means["noise_own"] - 1).mean()
    return said.filled(
        difference=spread(pairs.groupby("seed")["mAP_difference"].mean().tolist(), sign=True),
        pull=f"{ratio:.0e}",
        heard=f"{100 * heard:+.2f} %",
    )


def of_protocol(records: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Keep the records of a protocol's cells."""
    wanted = {(sources, target) for sources, targets in protocol.items() for target in targets}
    return records[[pair in wanted for pair in zip(records["sources"], records["target"], strict=True)]]


def diagnostics(records: pd.DataFrame, variants: Sequence[str], labels: Mapping[str, str]) -> pd.DataFrame:
    """Average the conditioning diagnostics of the last epoch over seeds, one row a variant and source set."""
    runs = records[records["variant"].isin(variants)].drop_duplicates(["variant", "sources", "seed"])
    names = list(declared.diagnostics())
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
