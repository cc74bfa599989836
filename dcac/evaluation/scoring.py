"""Scores of one feature file. In: features .npz (and another run's). Out: score JSON, per-query AP as Parquet."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dcac.evaluation.blocks import Progress
from dcac.evaluation.camera_pairs import camera_pairs
from dcac.evaluation.distances import Metric
from dcac.evaluation.feature_file import FeatureFile, Part, read_features
from dcac.evaluation.metrics import RankingScore, score_ranking
from dcac.evaluation.statistics import bootstrap_means, paired_differences, percentile_interval
from dcac.provenance import atomic, environment, fingerprint, write_json

SCHEMA = 1  # of the record; raised when a field changes its meaning
RESAMPLES = 10_000  # of every bootstrap
LEVEL = 0.95  # of every interval
BOOTSTRAP_SEED = 1  # fixed, so that a file has one interval
RANK_NAMES = {"rank-1": "rank1", "rank-5": "rank5", "rank-10": "rank10"}


def run(
    features: Path,
    out: Path,
    *,
    against: Path | None = None,
    rerank: Literal["published", "released"] | None = None,
    metric: Metric = "cosine",
    max_rank: int = 50,
    device: str | None = None,
    progress: Progress | None = None,
) -> dict:
    """Score a feature file and write the record and its per-query table.

    Args:
        features: feature file.
        out: score JSON; the per-query table takes its name with `.queries.parquet`.
        against: another run's feature file of the same images, for a paired comparison.
        rerank: also score the gallery re-ranked by k-reciprocal neighbours, with the paper's or DCAC's released k.
        metric: "cosine" or "euclidean".
        max_rank: length of the CMC curve.
        device: None for NumPy, else a torch device.
        progress: told how many queries are done.

    Returns:
        What the JSON holds.
    """
    file = read_features(features)
    score = rank_file(file, metric=metric, max_rank=max_rank, device=device, progress=progress)
    record = describe(file, score, metric=metric, max_rank=max_rank)
    if against is not None:
        other = read_features(against)
        other_score = rank_file(other, metric=metric, max_rank=max_rank, device=device, progress=progress)
        record["against"] = compare(file, score, other, other_score)
    if rerank is not None:
        record["rerank"] = describe_reranked(file, setting=rerank, metric=metric, max_rank=max_rank, progress=progress)
    write_queries(out.with_suffix(".queries.parquet"), file, score)
    write_json(out, record)
    return record


def rank_file(
    file: FeatureFile,
    *,
    metric: Metric,
    max_rank: int,
    device: str | None = None,
    progress: Progress | None = None,
) -> RankingScore:
    """Rank a feature file's gallery for each of its queries."""
    return score_ranking(*_arguments(file), metric=metric, max_rank=max_rank, device=device, progress=progress)


def describe(file: FeatureFile, score: RankingScore, *, metric: Metric, max_rank: int) -> dict:
    """Put a score, its uncertainty and its stamps into one record."""
    valid, values = _valid_values(score)
    resampled = bootstrap_means(values, file.query.pids[valid], resamples=RESAMPLES, seed=BOOTSTRAP_SEED)
    intervals = [percentile_interval(column, level=LEVEL) for column in resampled.T]
    return {
        "schema": SCHEMA,
        "meta": file.meta,
        "metric": metric,
        "max_rank": max_rank,
        "num_query": len(file.query.pids),
        "num_gallery": len(file.gallery.pids),
        "num_valid_queries": score.num_valid_queries,
        "num_ids": len(np.unique(file.query.pids[valid])),
        **_scores(score),
        "mAP_optimistic": score.optimistic.mAP,
        "mAP_pessimistic": score.pessimistic.mAP,
        "interval": {"mAP": list(intervals[0]), "rank1": list(intervals[1]), **_bootstrap_stamp()},
        "camera_pairs": camera_pairs(score.matches, file.query.camids, file.gallery.camids),
        "code": fingerprint("score"),
        "environment": environment(),
    }


def share_within(score: RankingScore, k: int) -> float:
    """Return the share of valid queries whose nearest match has rank k or better."""
    return float(np.count_nonzero(score.first_rank <= k) / score.num_valid_queries)


def describe_reranked(
    file: FeatureFile, *, setting: str, metric: Metric, max_rank: int, progress: Progress | None = None
) -> dict:
    """Score a feature file after k-reciprocal re-ranking, to be reported apart from the plain score."""
    from dcac.evaluation.rerank import PUBLISHED, RELEASED, score_reranked

    settings = {"published": PUBLISHED, "released": RELEASED}.get(setting)
    if settings is None:
        raise ValueError(f"rerank is {setting!r}: give 'published' or 'released'")
    score = score_reranked(*_arguments(file), settings=settings, metric=metric, max_rank=max_rank, progress=progress)
    return {"setting": setting, **asdict(settings), **_scores(score)}


def compare(ours: FeatureFile, our_score: RankingScore, theirs: FeatureFile, their_score: RankingScore) -> dict:
    """Test the difference to another run by a paired bootstrap over query identities."""
    order = _order_of_same_images(ours, theirs)
    valid, values = _valid_values(our_score)
    their_values = np.stack([their_score.ap, their_score.first_rank <= 1], axis=1)[order][valid]
    differences = paired_differences(
        values, their_values, ours.query.pids[valid], resamples=RESAMPLES, level=LEVEL, seed=BOOTSTRAP_SEED
    )
    named = zip(("mAP", "rank1"), differences, strict=True)
    return {
        "meta": theirs.meta,
        "mAP": their_score.mAP,
        "rank1": share_within(their_score, 1),
        "difference": {name: {"mean": d.mean, "interval": [d.low, d.high], "verdict": d.verdict} for name, d in named},
        **_bootstrap_stamp(),
    }


def write_queries(path: Path, file: FeatureFile, score: RankingScore) -> None:
    """Write AP, INP and first rank of every query as Parquet; NaN where the query has no valid match."""
    import pyarrow
    import pyarrow.parquet

    query = file.query
    columns = {
        "path": query.paths.tolist(),
        "pid": query.pids,
        "camid": query.camids,
        "ap": score.ap,
        "inp": score.inp,
        "first_rank": score.first_rank,
    }
    with atomic(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(columns), temporary)


def table_line(record: dict) -> str:
    """Return the record as one line for a terminal, in percent."""
    percent = {key: 100 * record[key] for key in ("mAP", "rank1", "rank5", "rank10", "mINP")}
    low, high = (100 * end for end in record["interval"]["mAP"])
    parts = [
        f"mAP {percent['mAP']:.1f} [{low:.1f}, {high:.1f}]",
        *(f"{name} {percent[key]:.1f}" for name, key in RANK_NAMES.items()),
        f"mINP {percent['mINP']:.1f}",
        f"({record['num_valid_queries']} queries of {record['num_ids']} identities, {record['num_gallery']} gallery)",
    ]
    if "rerank" in record:
        parts.append(f"re-ranked mAP {100 * record['rerank']['mAP']:.1f} rank-1 {100 * record['rerank']['rank1']:.1f}")
    if "against" in record:
        difference = record["against"]["difference"]["mAP"]
        parts.append(f"mAP {100 * difference['mean']:+.1f} against the other: {difference['verdict']}")
    return "  ".join(parts)


def _arguments(file: FeatureFile) -> tuple[NDArray, ...]:
    """Return a file's arrays in the order in which the metrics take them."""
    parts = file.query, file.gallery
    return tuple(values for part in parts for values in (part.features, part.pids, part.camids))


def _scores(score: RankingScore) -> dict:
    ranks = {f"rank{k}": share_within(score, k) for k in (1, 5, 10)}
    return {"mAP": score.mAP, "mINP": score.mINP, "cmc": score.cmc.tolist(), **ranks}


def _bootstrap_stamp() -> dict:
    return {"resamples": RESAMPLES, "level": LEVEL, "seed": BOOTSTRAP_SEED}


def _valid_values(score: RankingScore) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which queries count [Q], and their AP and rank-1 hit [valid, 2]."""
    valid = ~np.isnan(score.ap)
    return valid, np.stack([score.ap, score.first_rank <= 1], axis=1)[valid]


def _order_of_same_images(ours: FeatureFile, theirs: FeatureFile) -> NDArray[np.intp]:
    """Return the rows of their queries in the order of ours, once both files are seen to hold the same images."""
    for name in ("query", "gallery"):
        our_keys, their_keys = (np.sort(_keys(getattr(file, name))) for file in (ours, theirs))
        if not np.array_equal(our_keys, their_keys):
            raise ValueError(
                f"the {name} images of the two feature files differ ({len(our_keys)} and {len(their_keys)}): "
                "compare runs on the same target, version and split"
            )
    order = np.empty(len(ours.query.pids), dtype=np.intp)
    order[np.argsort(_keys(ours.query), kind="stable")] = np.argsort(_keys(theirs.query), kind="stable")
    return order


def _keys(part: Part) -> NDArray[np.str_]:
    return np.array(
        [f"{path}\n{pid}\n{camid}" for path, pid, camid in zip(part.paths, part.pids, part.camids, strict=True)]
    )
