"""Which pairs of cameras a model matches well: mean precision at the matches, pair by pair."""

import numpy as np
from numpy.typing import NDArray

from dcac.evaluation.ranking.ranks import Matches


def camera_pairs(
    matches: Matches, query_camids: NDArray[np.int64], gallery_camids: NDArray[np.int64]
) -> list[dict[str, int | float]]:
    """Break the precision at the matches down by the cameras of query and match.

    Args:
        matches: of one ranking.
        query_camids: [Q].
        gallery_camids: [G].

    Returns:
        One entry a pair, ordered by query and gallery camera; `mean_precision` averages hits / rank over its matches.
    """
    cameras = np.stack([query_camids[matches.query], gallery_camids[matches.gallery]], axis=1)
    pairs, member = np.unique(cameras, axis=0, return_inverse=True)
    counts = np.bincount(member)
    precision = np.bincount(member, weights=matches.hits / matches.rank) / counts
    members = np.unique(np.stack([member, matches.query], axis=1), axis=0)[:, 0]
    queries = np.bincount(members)
    return [
        {
            "query_camera": int(query_camera),
            "gallery_camera": int(gallery_camera),
            "num_queries": int(queries[pair]),
            "num_matches": int(counts[pair]),
            "mean_precision": float(precision[pair]),
        }
        for pair, (query_camera, gallery_camera) in enumerate(pairs)
    ]
