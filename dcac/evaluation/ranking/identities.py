"""Who is on each image and which camera took it: what counts as a match, and what leaves a query's ranking."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcac.evaluation.ranking.checks import checked_ids, checked_pids

Column = Sequence[int] | NDArray  # identities or cameras, one a row of features; torch tensors do as well


@dataclass(frozen=True)
class Identities:
    """Identities and cameras of a target."""

    query_pids: NDArray[np.int64]  # [Q]
    query_camids: NDArray[np.int64]
    gallery_pids: NDArray[np.int64]  # [G]
    gallery_camids: NDArray[np.int64]


def checked_identities(
    query_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_pids: ArrayLike,
    gallery_camids: ArrayLike,
    *,
    num_query: int,
    num_gallery: int,
) -> Identities:
    """Return identities that fit their features: integers, one a row, no junk identity."""
    return Identities(
        checked_pids(query_pids, "query_pids", rows=num_query),
        checked_ids(query_camids, "query_camids", rows=num_query),
        checked_pids(gallery_pids, "gallery_pids", rows=num_gallery),
        checked_ids(gallery_camids, "gallery_camids", rows=num_gallery),
    )


class MatchIndex:
    """Finds the gallery images of a query's identity."""

    def __init__(self, identities: Identities) -> None:
        self.identities = identities
        self._order = np.argsort(identities.gallery_pids, kind="stable")
        ordered = identities.gallery_pids[self._order]
        self._start = np.searchsorted(ordered, identities.query_pids, side="left")
        self._stop = np.searchsorted(ordered, identities.query_pids, side="right")

    def split(self, query: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the gallery rows that match a query, and those of its own camera, which leave its ranking."""
        same = self._order[self._start[query] : self._stop[query]]
        own_camera = self.identities.gallery_camids[same] == self.identities.query_camids[query]
        return same[~own_camera], same[own_camera]
