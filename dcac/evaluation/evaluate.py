"""Embed and score targets with any network, for people who train nothing.

In: a network, normalised files. Out: a feature file and a score file of each target.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from dcac.evaluation import score
from dcac.evaluation.ranking.blocks import Progress
from dcac.evaluation.ranking.distances import Metric
from dcac.networks import embed
from dcac.networks.network import Network
from dcac.provenance.outputs import require_output
from dcac.suites import NO_SOURCES

SUITE = "evaluate"  # the word that such files have for a suite


def run(
    *,
    network: Network,
    stores: Sequence[Path],
    out: Path,
    metric: Metric | Literal["both", "card"] = "card",
    progress: Progress | None = None,
) -> Iterator[tuple[str, dict]]:
    """Score each target in turn: `{out}/{target}.npz` and `{out}/{target}.json`.

    Args:
        stores: normalised files of the targets.
        metric: "cosine", "euclidean", "both", or "card": what the network's card fixes, else both.
        progress: told how many queries are done.

    Yields:
        A target's name and its score.

    Raises:
        ValueError: the results would lie among the normalised files, whose sidecars have the names of scores.
    """
    for store in stores:
        require_output(out / f"{store.stem}.json", ".json", inputs=[store])
    names: dict[str, str | int] = {
        "suite": SUITE,
        "variant": word_of(network.name),
        "sources": "+".join(network.card.trained_on) or NO_SOURCES,
        "seed": 0,
    }
    for store in stores:
        embed.run(network=network, stores=[store], names=names, out=out)
        features = out / f"{store.stem}.npz"
        yield store.stem, score.run(features, features.with_suffix(".json"), metric=metric, progress=progress)


def word_of(name: str) -> str:
    """Turn a network's name or path into one word that can be a folder."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", re.sub(r"^results/", "", name)).strip("-.") or "network"


def lines(target: str, record: dict, network: Network) -> Iterator[str]:
    """Yield a line for a terminal with the scores of a target, and a second one where both metrics are given."""
    learnt = "  (the network was trained on this set)" if target in network.card.trained_on else ""
    yield f"{target:8s} {record['metric']:9s} {score.table_line(record)}{learnt}"
    if "other_metric" in record:
        yield f"{'':8s} {'euclidean':9s} {score.other_line(record)}"
