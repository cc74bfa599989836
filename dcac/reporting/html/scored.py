"""What stands behind the numbers of tables: seeds one by one, CMC curves, pairs of cameras, ranked lists, cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dcac.reading import read_json
from dcac.reporting.html.charts import lines
from dcac.reporting.tables.recorded import SCORE_REMEDY
from dcac.suites import NO_SOURCES

RANKS = 20  # of a curve
NEEDED = ("meta", "mAP", "mINP", "cmc", "interval", "rank1", "rank5", "rank10", "metric")


class Key(NamedTuple):
    """What was scored on what."""

    variant: str
    sources: str
    target: str

    @property
    def place(self) -> str:
        """Where the page shows it."""
        return f"score-{self.variant}-{self.sources}-{self.target}"


class Score(NamedTuple):
    """One score file."""

    seed: int
    path: Path
    content: Mapping[str, Any]


def read_scores(paths: Sequence[Path]) -> dict[Key, list[Score]]:
    """Read score files, seed by seed."""
    found: dict[Key, list[Score]] = {}
    for path in paths:
        content = read_json(path, keys=NEEDED, remedy=SCORE_REMEDY)
        meta = content["meta"]
        key = Key(*(str(meta[name]) for name in ("variant", "sources", "target")))
        found.setdefault(key, []).append(Score(int(meta["seed"]), path, content))
    return {key: sorted(scores, key=lambda score: score.seed) for key, scores in found.items()}


def cells_of(keys: Sequence[Key]) -> dict[tuple[str, str], list[Key]]:
    """Group what was scored by sources and target; what learnt from nothing comes last."""
    groups: dict[tuple[str, str], list[Key]] = {}
    for key in sorted(keys, key=lambda key: key.sources == NO_SOURCES):
        groups.setdefault((key.sources, key.target), []).append(key)
    return groups


def seed_rows(scores: Sequence[Score]) -> dict[str, list]:
    """Write the scores of each seed in percent, with the intervals over identities and the verdict on the pair."""
    rows = []
    for seed, _, score in scores:
        low, high = (100 * value for value in score["interval"]["mAP"])
        shares = [f"{100 * score[name]:.1f}" for name in ("rank1", "rank5", "rank10", "mINP")]
        rows.append([str(seed), f"{100 * score['mAP']:.1f}", f"[{low:.1f}, {high:.1f}]", *shares, _against(score)])
    columns = ["seed", "mAP", "interval", "R1", "R5", "R10", "mINP", "mAP − baseline of the same seed"]
    return {"columns": columns, "rows": rows}


def _against(score: Mapping[str, Any]) -> str:
    if not score.get("against"):
        return "–"
    found = score["against"]["difference"]["mAP"]
    low, high = (100 * value for value in found["interval"])
    return f"{100 * found['mean']:+.2f} [{low:+.2f}, {high:+.2f}], {found['verdict']}"


def camera_matrix(scores: Sequence[Score]) -> dict[str, list] | None:
    """Average the mean precision of each pair of cameras over seeds, in percent: a row a query camera."""
    found: dict[tuple[int, int], list[float]] = {}
    for score in scores:
        for pair in score.content.get("camera_pairs", []):
            found.setdefault((pair["query_camera"], pair["gallery_camera"]), []).append(pair["mean_precision"])
    if not found:
        return None
    queries, galleries = (sorted({pair[side] for pair in found}) for side in (0, 1))
    rows = [
        [
            f"query camera {query + 1}",
            *(f"{100 * np.mean(found[query, g]):.1f}" if (query, g) in found else "–" for g in galleries),
        ]
        for query in queries
    ]
    return {"columns": ["", *(f"match in camera {gallery + 1}" for gallery in galleries)], "rows": rows}


def cmc_chart(
    keys: Sequence[Key], scores: Mapping[Key, Sequence[Score]], labels: Mapping[str, str], colours: Mapping[str, str]
) -> dict[str, Any]:
    """Draw the CMC curves of one target, mean over seeds."""
    rows = []
    for key in keys:
        curve = 100 * np.mean([score.content["cmc"][:RANKS] for score in scores[key]], axis=0)
        name = labels.get(key.variant, key.variant)
        rows += [{"method": name, "rank": k, "% found": round(float(v), 1)} for k, v in enumerate(curve, 1)]
    return lines(rows, x="rank", y="% found", colours=colours, text=cmc_text(keys, scores, labels), share=True)


def cmc_text(keys: Sequence[Key], scores: Mapping[Key, Sequence[Score]], labels: Mapping[str, str]) -> str:
    """Say in words what the curves show."""
    parts = []
    for key in keys:
        means = [100 * np.mean([score.content["cmc"][k - 1] for score in scores[key]]) for k in (1, 5, 10)]
        parts.append(f"{labels.get(key.variant, key.variant)} {' / '.join(f'{mean:.1f}' for mean in means)}")
    return f"Queries with a match within rank 1 / 5 / 10, in percent: {'; '.join(parts)}."
