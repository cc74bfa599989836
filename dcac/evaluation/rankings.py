"""The rankings a target is scored by: one, or one for each of its ten random splits (VIPeR, PRID, GRID, i-LIDS)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dcac.data.splits import PEOPLE, split_rows
from dcac.evaluation.extra_distances import ExtraDistances, score_mixed
from dcac.evaluation.metrics import RankingScore, score_ranking
from dcac.evaluation.ranking.blocks import Progress
from dcac.evaluation.ranking.distances import Metric
from dcac.evaluation.ranking.ranks import Matches
from dcac.features.feature_file import SPLITS, FeatureFile, Part


@dataclass(frozen=True)
class Ranking:
    """The queries and the gallery of one ranking, and its score."""

    file: FeatureFile
    score: RankingScore
    extra: ExtraDistances | None = None  # distances of others that were mixed in, by rows of this file

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Which queries count [Q]: those with a valid match."""
        return ~np.isnan(self.score.ap)

    @property
    def values(self) -> NDArray[np.float64]:
        """AP and rank-1 hit of every query [Q, 2]."""
        return np.stack([self.score.ap, self.score.first_rank <= 1], axis=1)


def rank_target(
    file: FeatureFile,
    code: str | None,
    *,
    metric: Metric,
    max_rank: int,
    extra: ExtraDistances | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> tuple[Ranking, ...]:
    """Rank the gallery for every query, in each split of a target that has splits.

    Args:
        code: data set that the file shows, as far as known.
        extra: distances of others for some pairs of the file's rows; a split takes those of its pairs.

    Raises:
        ValueError: the target has splits, but the file does not hold all of it.
    """
    parts = split_file(file, code)
    if extra is None:
        score = partial(score_ranking, metric=metric, max_rank=max_rank, progress=progress, device=device)
        return tuple(Ranking(part, score(*arrays(part))) for part in parts)
    mixed = partial(score_mixed, metric=metric, max_rank=max_rank, progress=progress)
    rows = _split_rows(file, code) or [(np.arange(len(file.query.pids)), np.arange(len(file.gallery.pids)))]
    own = [extra.among(*chosen) for chosen in rows]
    return tuple(
        Ranking(part, mixed(*arrays(part), extra=pairs), pairs) for part, pairs in zip(parts, own, strict=True)
    )


def split_file(file: FeatureFile, code: str | None) -> tuple[FeatureFile, ...]:
    """Cut a target with shipped splits, known by its data set's code, into one file a split; leave others whole."""
    rows = _split_rows(file, code)
    parts = [FeatureFile(_rows(file.query, query), _rows(file.gallery, gallery), file.meta) for query, gallery in rows]
    return tuple(parts) or (file,)


def _split_rows(file: FeatureFile, code: str | None) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the rows of the file's queries and of its gallery in each split; nothing for a target without splits."""
    if code is None or code not in PEOPLE:
        return []
    sides = file.query, file.gallery
    split = np.repeat(SPLITS, [len(side.pids) for side in sides])
    pids, camids = (np.concatenate([getattr(side, name) for side in sides]) for name in ("pids", "camids"))
    return [(query, gallery - len(file.query.pids)) for query, gallery in split_rows(code, split, pids, camids)]


def arrays(file: FeatureFile) -> tuple[NDArray, ...]:
    """Return a file's arrays in the order in which the metrics take them."""
    parts = file.query, file.gallery
    return tuple(values for part in parts for values in (part.features, part.pids, part.camids))


def pool(rankings: Sequence[Ranking]) -> tuple[Matches, NDArray[np.int64], NDArray[np.int64]]:
    """Join rankings as if their queries, and their galleries, stood below each other.

    Returns:
        All matches, the cameras of all queries [Q] and of all gallery images [G].
    """
    sides = {name: [getattr(ranking.file, name).camids for ranking in rankings] for name in SPLITS}
    starts = {name: np.cumsum([0, *map(len, camids)]) for name, camids in sides.items()}
    joined = {
        field.name: np.concatenate(
            [
                getattr(ranking.score.matches, field.name) + (starts[field.name][place] if field.name in starts else 0)
                for place, ranking in enumerate(rankings)
            ]
        )
        for field in fields(Matches)
    }
    return Matches(**joined), np.concatenate(sides["query"]), np.concatenate(sides["gallery"])


def _rows(part: Part, rows: NDArray[np.intp]) -> Part:
    return Part(part.features[rows], part.pids[rows], part.camids[rows], part.paths[rows])
