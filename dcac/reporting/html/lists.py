"""The best and the worst query of a score, and what is found first for them, as small pictures."""

import io
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dcac.data.store import read_sidecar
from dcac.features.feature_file import FeatureFile, Part
from dcac.reporting.figures.faces import read_pictures
from dcac.reporting.figures.ranked_lists import choose, first_ranking, rank
from dcac.reporting.html.drawn import address

WORDS = ("best", "worst")
SHOWN = 5  # gallery images of a list
QUALITY = 60  # of WebP, 0 to 100
NONE = "none"  # of `faces`: real people are left out


class Album:
    """The pictures of a page, each once, and the lists that show them."""

    def __init__(self, stores: Mapping[str, Path], faces: str):
        self.stores, self.faces = stores, faces
        self.numbers: dict[tuple[str, str], int] = {}  # of the pictures, by target and path

    def lists(self, features: Path, score: Path, target: str) -> list[dict[str, Any]]:
        """Rank the gallery for the best and the worst query of a score.

        Args:
            features: feature file of the score.
            score: score file, with its per-query table beside it.
            target: code of the data set.

        Returns:
            A list a query; none where the pictures of the target are not at hand or are to be left out.
        """
        import pandas

        if not self.shows(target):
            return []
        file = first_ranking(features)
        picked = choose(pandas.read_parquet(score.with_suffix(".queries.parquet")), file, WORDS)
        return [self._list(word, file, row, target) for word, row in picked.items()]

    def shows(self, target: str) -> bool:
        """Tell whether the pictures of a target are at hand and may be shown."""
        store = self.stores.get(target)
        return store is not None and (self.faces != NONE or read_sidecar(store).get("layout") == "rendered")

    def as_data(self) -> list[str]:
        """Return all pictures as data addresses, in the order of their numbers."""
        found: dict[tuple[str, str], str] = {}
        for target, keys in groupby(sorted(self.numbers), key=itemgetter(0)):
            pictures = read_pictures(self.stores[target], [path for _, path in keys], faces=self.faces)
            found |= {(target, path): _address(picture) for path, picture in pictures.items()}
        return [found[key] for key in self.numbers]

    def _list(self, word: str, file: FeatureFile, row: int, target: str) -> dict[str, Any]:
        own = rank(file, row)
        hits = zip(own.rows[:SHOWN], own.cosines[:SHOWN], own.right[:SHOWN], strict=True)
        return {
            "word": word,
            "ap": f"{100 * own.ap:.1f}",
            "query": self._entry(target, file.query, row),
            "hits": [
                {**self._entry(target, file.gallery, at), "cosine": f"{cosine:.3f}", "right": bool(right)}
                for at, cosine, right in hits
            ],
        }

    def _entry(self, target: str, part: Part, row: int) -> dict[str, int]:
        number = self.numbers.setdefault((target, str(part.paths[row])), len(self.numbers))
        return {"picture": number, "camera": int(part.camids[row]) + 1}


def _address(picture: NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="WEBP", quality=QUALITY, method=6)
    return address("image/webp", stream.getvalue())
