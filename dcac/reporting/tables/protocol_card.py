"""The protocol card of a table: in one line everything that two papers may do differently, read from the records."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from dcac.data.splits import NUM_SPLITS
from dcac.suites import BLIND, Suite


def protocol_card(records: pd.DataFrame, suite: Suite, labels: Mapping[str, str]) -> str:
    """Say sets and versions, splits, metric, view, epoch, junk, distractors and re-ranking.

    What differs between methods is said with their names; what records of an older version do not tell is left out.
    """
    told = records.assign(method=[labels.get(name, name) for name in records["variant"]])
    seen = told[~told["variant"].isin([name for name in suite.references if name in BLIND])]
    learnt = told[~told["variant"].isin(suite.references)]
    parts = [
        ", ".join(sets(told)),
        "single query, images of the query's own person and camera ignored, junk left out at import",
        distractors(told),
        by_method(told, METRIC_WORDS.get, "metric", "metric"),
        by_method(seen.assign(view=views(seen)), str, "view", "images stretched to"),
        by_method(learnt, lambda epoch: f"{int(epoch)}", "epoch", "last epoch:"),
        *extra(told),
        "no re-ranking",
    ]
    return f"Protocol card: {'; '.join(part for part in parts if part)}."


METRIC_WORDS = {"cosine": "cosine", "euclidean": "Euclidean"}


def sets(records: pd.DataFrame) -> list[str]:
    """Name each target with version, variant, splits, and the numbers of images scored."""
    lines = []
    for target, rows in records.groupby("target", sort=True):
        first = rows.iloc[0]
        version = " ".join(str(first[key]) for key in ("data_version", "data_variant") if known(first.get(key)))
        splits = f", mean of {NUM_SPLITS} random splits" if first["num_splits"] > 1 else ""
        counts = f"{first['num_query']:,.0f} query and {first['num_gallery']:,.0f} gallery images"
        lines.append(f"{target} ({f'version {version}, ' if version else ''}{counts}{splits})")
    return lines


def distractors(records: pd.DataFrame) -> str:
    """Say how many gallery images show nobody who is looked for."""
    if "num_distractors" not in records or records["num_distractors"].isna().all():
        return ""
    counts = records.groupby("target")["num_distractors"].max()
    present = [f"{count:,.0f} on {target}" for target, count in counts.items() if count > 0]
    return f"distractors: {', '.join(present) or 'none'}"


def views(records: pd.DataFrame) -> list[str | None]:
    """Say at which size, and with which kernel, each record's images were seen."""
    rows = (records.get(name, pd.Series(index=records.index)) for name in ("image_height", "image_width", "resize"))
    return [
        f"{height:.0f} × {width:.0f}, {kernel}" if known(height) and known(kernel) else None
        for height, width, kernel in zip(*rows, strict=True)
    ]


def by_method(records: pd.DataFrame, word: Callable[[Any], object], column: str, what: str) -> str:
    """Say a fact once where all methods share it, else with the methods it holds for."""
    if column not in records:
        return ""
    pairs = [
        (word(value), method) for value, method in zip(records[column], records["method"], strict=True) if known(value)
    ]
    ordered = list(dict.fromkeys(pair for pair in pairs if pair[0]))
    values = dict.fromkeys(value for value, _ in ordered)
    if len(values) < 2:
        return f"{what} {next(iter(values))}" if values else ""
    named = sorted(ordered, key=lambda pair: list(values).index(pair[0]))
    groups = [
        f"{value} ({', '.join(m for _, m in group)})" for value, group in groupby(named, key=lambda pair: pair[0])
    ]
    return f"{what} {' and '.join(groups)}"


def extra(records: pd.DataFrame) -> list[str]:
    """Name the methods whose distances were mixed with distances of others."""
    if "extra_weight" not in records:
        return []
    mixed = records[records["extra_weight"].notna()].drop_duplicates(["method", "extra_weight"])
    return [f"{row.method} mixed with given distances, weight {row.extra_weight:g}" for row in mixed.itertuples()]


def euclidean_notes(
    records: pd.DataFrame, suite: Suite, protocol: Mapping[str, Sequence[str]], labels: Mapping[str, str]
) -> list[str]:
    """Give the Euclidean numbers of networks whose card fixes no metric; the table has the cosine ones."""
    if "euclidean_mAP" not in records:
        return []
    targets = {target for cells in protocol.values() for target in cells}
    rows = records[
        records["variant"].isin(suite.references) & records["euclidean_mAP"].notna() & records["target"].isin(targets)
    ]
    notes = []
    for variant in (name for name in suite.references if name in set(rows["variant"])):
        own = rows[rows["variant"] == variant].sort_values("target")
        shown = [f"{r.target} {100 * r.euclidean_mAP:.1f} / {100 * r.euclidean_rank1:.1f}" for r in own.itertuples()]
        notes.append(f"{labels.get(variant, variant)} by Euclidean distance, mAP / rank-1: {', '.join(shown)}.")
    return notes


def known(value: object) -> bool:
    """Tell a value from what is missing."""
    return value is not None and value == value and value != ""
