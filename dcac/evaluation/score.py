"""Scores of one feature file. In: features .npz (and another run's). Out: score JSON, per-query AP as Parquet.

VIPeR, PRID, GRID and i-LIDS are scored on their ten random splits: scores are means over splits, and the queries of
all splits are pooled, identity by identity, in intervals and comparisons.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dcac.data.catalog import NO_CAMERAS
from dcac.data.splits import SEED
from dcac.data.store import store_input
from dcac.evaluation.camera_pairs import camera_pairs
from dcac.evaluation.extra_distances import ExtraDistances, read_extra
from dcac.evaluation.metrics import RankingScore
from dcac.evaluation.ranking.blocks import Progress
from dcac.evaluation.ranking.distances import Metric
from dcac.evaluation.rankings import Ranking, arrays, pool, rank_target
from dcac.evaluation.recognition import Shown, recognise, require_same
from dcac.evaluation.statistics import (
    bootstrap_means,
    identity_sums,
    mean_and_sd,
    paired_differences,
    percentile_interval,
)
from dcac.features.feature_file import FeatureFile, Part, read_features
from dcac.provenance import atomic, environment, sha256, write_json
from dcac.provenance.code import digest
from dcac.provenance.outputs import require_output
from dcac.provenance.record import KEY, Asked, ask, hash_json, made_input
from dcac.suites import NO_SOURCES  # of a reference, which has no seed to share either

SCHEMA = 1  # of the record; raised when a field changes its meaning
MAX_RANK = 50  # of the CMC curve, unless a person asks for another
RESAMPLES = 10_000  # of every bootstrap
LEVEL = 0.95  # of every interval
DIGITS = 8  # after the point, of an identity's sums
BOOTSTRAP_SEED = 1  # fixed, so that a file has one interval
RANK_NAMES = {"rank-1": "rank1", "rank-5": "rank5", "rank-10": "rank10"}


def run(
    features: Path,
    out: Path,
    *,
    against: Path | None = None,
    dataset: str | None = None,
    store: Path | None = None,
    rerank: Literal["published", "released"] | None = None,
    metric: Metric | Literal["both", "card"] = "cosine",
    max_rank: int = MAX_RANK,
    extra_distances: Path | None = None,
    extra_weight: float | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> dict:
    """Score a feature file and write the record and its per-query table.

    Args:
        features: feature file.
        out: score JSON; the per-query table takes its name with `.queries.parquet`.
        against: another run's feature file of the same images, for a paired comparison.
        dataset: code of the data set, where the file's meta does not name it; `other` is one without shipped splits.
        store: the target's normalised file, by which the data set is recognised instead.
        rerank: also score the gallery re-ranked by k-reciprocal neighbours, with the paper's or DCAC's released k.
        metric: "cosine", "euclidean", "both" (cosine, and apart from it the Euclidean scores), or "card": what the card of
            the network that made the features fixes, both where it fixes none.
        max_rank: length of the CMC curve.
        extra_distances: .npz of `query`, `gallery` (rows of the feature file's splits) and `distance`, in the unit of the
            metric, for some pairs; they are mixed in before any re-ranking, and all other pairs keep their distance.
        extra_weight: their share in the mixture, 0..1.
        device: None for NumPy, else a torch device.
        progress: told how many queries are done.

    Returns:
        What the JSON holds.

    Raises:
        ValueError: it is not known whether the target has shipped splits, the other run is not one to compare with, an
            option does not fit another, or the extra distances do not fit the features.
    """
    queries = out.with_suffix(".queries.parquet")
    require_output(out, ".json", beside=[queries], inputs=[features, against, store, extra_distances])
    asked = asked_score(
        features,
        against=against,
        metric=metric,
        max_rank=max_rank,
        rerank=rerank,
        dataset=dataset,
        store=store,
        extra=(extra_distances, extra_weight),
    )
    file = read_features(features)
    metric = _fixed_metric(file) if metric == "card" else metric
    first = "cosine" if metric == "both" else metric
    shown = recognise(file, features, dataset=dataset, store=store)
    extra = _extra(extra_distances, extra_weight, file, alone=metric != "both" and device is None)
    rank = partial(rank_target, code=shown.code, max_rank=max_rank, device=device, progress=progress)
    other = None if against is None else _comparable(file, features, shown, against)
    with _naming(features):
        rankings = rank(file, metric=first, extra=extra)
    record = {
        **describe(rankings, metric=first, max_rank=max_rank),
        "protocol": shown.protocol(),
        "code": digest(asked.code),
    }
    if extra is not None and extra_distances is not None:
        record["extra_distances"] = describe_extra(extra, extra_distances)
    if metric == "both":
        record["other_metric"] = describe_other(rank(file, metric="euclidean"))
    if other is not None and against is not None:
        with _naming(against):
            theirs = rank(other, metric=first)
        record["against"] = compare(rankings, theirs)
    if rerank is not None:
        record["rerank"] = describe_reranked(
            rankings, setting=rerank, metric=first, max_rank=max_rank, progress=progress
        )
    write_queries(queries, rankings)
    record[KEY] = asked.record(meaning=hash_json(record))
    write_json(out, record)
    return record


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error name the file that is ranked."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _comparable(file: FeatureFile, path: Path, shown: Shown, against: Path) -> FeatureFile:
    """Open the other run's features.

    Raises:
        ValueError: the two runs differ in what a paired comparison holds fixed: target, sources or seed.
    """
    other = read_features(against)
    require_same(other, against, shown)
    names = [] if NO_SOURCES in (file.meta.get("sources"), other.meta.get("sources")) else ["sources", "seed"]
    for name in names:
        ours, theirs = file.meta.get(name), other.meta.get(name)
        if None not in (ours, theirs) and ours != theirs:
            raise ValueError(
                f"{path} has {name} {ours}, {against} has {name} {theirs}: compare two runs of the same {name}, or each "
                "difference is one of chance or of data too"
            )
    return other


def asked_score(
    features: Path,
    *,
    against: Path | None,
    metric: str,
    max_rank: int,
    rerank: str | None,
    dataset: str | None = None,
    store: Path | None = None,
    extra: tuple[Path | None, float | None] = (None, None),
) -> Asked:
    """Say what a score is asked to be: its options where they are not the workflow's, and the files it is made of."""
    options = {"metric": (metric, "cosine"), "max_rank": (max_rank, MAX_RANK), "rerank": (rerank, None)}
    options |= {"dataset": (dataset, None), "extra_weight": (extra[1], None)}
    settings = {name: given for name, (given, usual) in options.items() if given != usual}
    others = {"against": against, "extra distances": extra[0]}
    inputs = {"features": features} | {name: path for name, path in others.items() if path is not None}
    asked = {name: made_input(path) for name, path in inputs.items()}
    return ask(__name__, settings, asked | ({"data": store_input(store)} if store is not None else {}))


def describe(rankings: Sequence[Ranking], *, metric: Metric, max_rank: int) -> dict:
    """Put a score, its uncertainty and its stamps into one record; of several splits, counts are means like the scores.

    Returns:
        The record, with `splits` only for a target that has them.
    """
    values, identities = _pooled_values(rankings)
    return {
        "schema": SCHEMA,
        "meta": rankings[0].file.meta,
        "metric": metric,
        "max_rank": max_rank,
        "num_query": _mean_count(rankings, lambda r: len(r.file.query.pids)),
        "num_gallery": _mean_count(rankings, lambda r: len(r.file.gallery.pids)),
        "num_valid_queries": _mean_count(rankings, lambda r: r.score.num_valid_queries),
        "num_distractors": _mean_count(
            rankings, lambda r: int((~np.isin(r.file.gallery.pids, r.file.query.pids)).sum())
        ),
        "num_ids": _mean_count(rankings, lambda r: len(np.unique(r.file.query.pids[r.valid]))),
        **_scores([ranking.score for ranking in rankings]),
        "mAP_optimistic": _mean([ranking.score.optimistic.mAP for ranking in rankings]),
        "mAP_pessimistic": _mean([ranking.score.pessimistic.mAP for ranking in rankings]),
        **({"splits": describe_splits(rankings)} if len(rankings) > 1 else {}),
        "interval": _interval(values, identities),
        "identities": describe_identities(values, identities),
        "camera_pairs": camera_pairs(*pool(rankings)),
        "environment": environment(),
    }


def describe_identities(values: NDArray[np.float64], identities: NDArray[np.int64]) -> dict[str, list]:
    """List the valid queries of each identity and the sums of their AP and rank-1 hits, for comparisons over seeds."""
    names, queries, (ap, hits) = identity_sums(values, identities)
    sums = {"mAP": ap.round(DIGITS).tolist(), "rank1": hits.round(DIGITS).tolist()}
    return {"pid": names.tolist(), "queries": queries.tolist(), **sums}


def describe_other(rankings: Sequence[Ranking]) -> dict:
    """Put the Euclidean scores of a network whose card fixes no metric beside its cosine ones."""
    scores = _scores([ranking.score for ranking in rankings])
    return {"metric": "euclidean", **scores, "interval": _interval(*_pooled_values(rankings))}


def describe_extra(extra: ExtraDistances, path: Path) -> dict:
    """Say which distances of others were mixed in, for how many pairs; all others kept theirs."""
    return {
        "file": path.name,
        "sha256": sha256(path),
        "weight": extra.weight,
        "pairs": len(extra.query),
        "others": "unchanged",
    }


def describe_splits(rankings: Sequence[Ranking]) -> dict:
    """List the score of each split, and their sample standard deviations."""
    each = [{"mAP": ranking.score.mAP, "rank1": share_within(ranking.score, 1)} for ranking in rankings]
    deviations = {f"{name}_sd": mean_and_sd([split[name] for split in each])[1] for name in ("mAP", "rank1")}
    return {"count": len(each), **deviations, "each": each, "seed": SEED}


def share_within(score: RankingScore, k: int) -> float:
    """Return the share of valid queries whose nearest match has rank k or better."""
    return float(np.count_nonzero(score.first_rank <= k) / score.num_valid_queries)


def describe_reranked(
    rankings: Sequence[Ranking],
    *,
    setting: str,
    metric: Metric,
    max_rank: int,
    progress: Progress | None = None,
) -> dict:
    """Score the same galleries after k-reciprocal re-ranking, to be reported apart from the plain score."""
    from dcac.evaluation.rerank import PUBLISHED, RELEASED, score_reranked

    settings = {"published": PUBLISHED, "released": RELEASED}.get(setting)
    if settings is None:
        raise ValueError(f"rerank is {setting!r}: give 'published' or 'released'")
    score = partial(score_reranked, settings=settings, metric=metric, max_rank=max_rank, progress=progress)
    scores = [score(*arrays(ranking.file), extra=ranking.extra) for ranking in rankings]
    return {"setting": setting, **asdict(settings), **_scores(scores)}


def compare(ours: Sequence[Ranking], theirs: Sequence[Ranking]) -> dict:
    """Test the difference to another run by a paired bootstrap over query identities."""
    values, identities = _pooled_values(ours)
    pairs = list(zip(ours, theirs, strict=True))
    orders = [_order_of_same_images(mine.file, other.file) for mine, other in pairs]
    their_values = [other.values[order][mine.valid] for (mine, other), order in zip(pairs, orders, strict=True)]
    differences = paired_differences(
        values, np.concatenate(their_values), identities, resamples=RESAMPLES, level=LEVEL, seed=BOOTSTRAP_SEED
    )
    named = zip(("mAP", "rank1"), differences, strict=True)
    scores = _scores([ranking.score for ranking in theirs])
    return {
        "meta": theirs[0].file.meta,
        "mAP": scores["mAP"],
        "rank1": scores["rank1"],
        "difference": {name: {"mean": d.mean, "interval": [d.low, d.high], "verdict": d.verdict} for name, d in named},
        **_bootstrap_stamp(),
    }


def write_queries(path: Path, rankings: Sequence[Ranking]) -> None:
    """Write AP, INP and first rank of every query as Parquet; NaN where the query has no valid match.

    A target with splits has a row a query and split, and the column `split_index`, from 0.
    """
    import pyarrow
    import pyarrow.parquet

    tables = [
        {
            "path": ranking.file.query.paths,
            "pid": ranking.file.query.pids,
            "camid": ranking.file.query.camids,
            "ap": ranking.score.ap,
            "inp": ranking.score.inp,
            "first_rank": ranking.score.first_rank,
        }
        for ranking in rankings
    ]
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    columns["path"] = columns["path"].tolist()
    if len(rankings) > 1:
        columns["split_index"] = np.repeat(np.arange(len(rankings)), [len(table["pid"]) for table in tables])
    with atomic(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(columns), temporary)


def table_line(record: dict) -> str:
    """Return the record as one line for a terminal, in percent."""
    parts = [
        *_percents(record),
        f"({record['num_valid_queries']} queries of {record['num_ids']} identities, {record['num_gallery']} gallery)",
    ]
    if "splits" in record:
        splits = record["splits"]
        target = record["protocol"]["data_set"]
        deviations = f"sd {100 * splits['mAP_sd']:.1f} and {100 * splits['rank1_sd']:.1f}"
        parts.append(f"mean of {splits['count']} shipped splits of {target}, {deviations}")
    if (record["meta"].get("data") or {}).get("variant") == NO_CAMERAS:
        parts.append("without cameras: only a query's own picture is left out")
    if "extra_distances" in record:
        extra = record["extra_distances"]
        parts.append(f"{extra['pairs']} pairs mixed with given distances, weight {extra['weight']:g}")
    if "rerank" in record:
        parts.append(f"re-ranked mAP {100 * record['rerank']['mAP']:.1f} rank-1 {100 * record['rerank']['rank1']:.1f}")
    if "against" in record:
        difference = record["against"]["difference"]["mAP"]
        parts.append(
            f"mAP {100 * difference['mean']:+.1f} against the other, this pair of runs: {difference['verdict']}"
        )
    return "  ".join(parts)


def other_line(record: dict) -> str:
    """Return the Euclidean scores of a record that has both, as one line in percent."""
    return "  ".join(_percents(record["other_metric"]))


def _percents(scores: Mapping[str, Any]) -> list[str]:
    """Write mAP with its interval, the ranks and mINP, in percent."""
    low, high = (100 * end for end in scores["interval"]["mAP"])
    ranks = [f"{name} {100 * scores[key]:.1f}" for name, key in RANK_NAMES.items()]
    return [f"mAP {100 * scores['mAP']:.1f} [{low:.1f}, {high:.1f}]", *ranks, f"mINP {100 * scores['mINP']:.1f}"]


def _fixed_metric(file: FeatureFile) -> Literal["cosine", "euclidean", "both"]:
    """Read which distance the card of a network fixes, from the features that it made."""
    network = file.meta.get("network")
    card = network.get("card", {}) if isinstance(network, dict) else {}
    return card.get("metric") or "both"


def _extra(path: Path | None, weight: float | None, file: FeatureFile, *, alone: bool) -> ExtraDistances | None:
    """Read the distances of others, if there are any.

    Raises:
        ValueError: distances without their weight or the other way round, or an option that they do not go with.
    """
    if path is None and weight is None:
        return None
    if path is None or weight is None:
        raise ValueError(
            "extra distances and their weight go together; give --extra-distances FILE and --extra-weight W"
        )
    if not alone:
        raise ValueError(
            "extra distances are of one metric and are mixed in by NumPy; leave --device and --metric both out"
        )
    return read_extra(path, weight=weight, num_query=len(file.query.pids), num_gallery=len(file.gallery.pids))


def _scores(scores: Sequence[RankingScore]) -> dict:
    """Average the scores of one or several rankings."""
    ranks = {f"rank{k}": _mean([share_within(score, k) for score in scores]) for k in (1, 5, 10)}
    return {
        "mAP": _mean([score.mAP for score in scores]),
        "mINP": _mean([score.mINP for score in scores]),
        "cmc": np.mean([score.cmc for score in scores], axis=0).tolist(),
        **ranks,
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _mean_count(rankings: Sequence[Ranking], count: Callable[[Ranking], int]) -> int | float:
    """Average a count; it stays a whole number where all splits agree."""
    counts = [count(ranking) for ranking in rankings]
    return counts[0] if len(set(counts)) == 1 else _mean(counts)


def _interval(values: NDArray[np.float64], identities: NDArray[np.int64]) -> dict:
    """Bootstrap mAP and rank-1 over the identities of the queries."""
    resampled = bootstrap_means(values, identities, resamples=RESAMPLES, seed=BOOTSTRAP_SEED)
    ends = [list(percentile_interval(column, level=LEVEL)) for column in resampled.T]
    return {**dict(zip(("mAP", "rank1"), ends, strict=True)), **_bootstrap_stamp()}


def _bootstrap_stamp() -> dict:
    return {"resamples": RESAMPLES, "level": LEVEL, "seed": BOOTSTRAP_SEED}


def _pooled_values(rankings: Sequence[Ranking]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return AP and rank-1 hit of all valid queries [valid, 2], and their identities."""
    values = np.concatenate([ranking.values[ranking.valid] for ranking in rankings])
    return values, np.concatenate([ranking.file.query.pids[ranking.valid] for ranking in rankings])


def _order_of_same_images(ours: FeatureFile, theirs: FeatureFile) -> NDArray[np.intp]:
    """Return the rows of their queries in the order of ours, once both files are seen to hold the same images."""
    for name in ("query", "gallery"):
        our_keys, their_keys = (np.sort(_keys(getattr(file, name))) for file in (ours, theirs))
        if not np.array_equal(our_keys, their_keys):
            raise ValueError(
                f"the {name} images of the two feature files differ ({len(our_keys)} and {len(their_keys)}): "
                "compare runs on the same target, version and split"
            )
    if len(np.unique(_keys(ours.query))) < len(ours.query.pids):
        raise ValueError(
            "two queries have the same path, pid and camid: name each image once, so that they can be paired"
        )
    order = np.empty(len(ours.query.pids), dtype=np.intp)
    order[np.argsort(_keys(ours.query), kind="stable")] = np.argsort(_keys(theirs.query), kind="stable")
    return order


def _keys(part: Part) -> NDArray[np.str_]:
    return np.array(
        [f"{path}\n{pid}\n{camid}" for path, pid, camid in zip(part.paths, part.pids, part.camids, strict=True)]
    )
