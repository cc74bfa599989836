"""Embed the test images of targets with any network, as a reference of a suite or for people who only evaluate.

In: a network, normalised files. Out: the feature file of each, like that of a run.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dcac.data.store import iter_split, read_split
from dcac.features.rows import describe, due_targets, write_rows
from dcac.features.targets import TEST_SPLITS
from dcac.networks.network import Network
from dcac.provenance import environment
from dcac.provenance.code import digest
from dcac.suites import NO_SOURCES, split_sources

log = logging.getLogger(__name__)


def run(*, network: Network, stores: Sequence[Path], names: Mapping[str, str | int], out: Path) -> None:
    """Write the features of each target as `{target}.npz`, a row group of images in memory at a time.

    Args:
        stores: normalised files of the targets.
        names: suite, variant, sources and seed, kept in the files.

    Raises:
        ValueError: the network says itself that it was trained on other sets than these sources.
    """
    require_sources(network, str(names["sources"]))
    acting = {"names": dict(names), "network": network.given.acting()}
    due = due_targets(__name__, acting, {"network": network.content}, stores, out)
    for store, asked in due.items():
        parts = [network.encode(list(rows["data"])) for rows in iter_split(store, TEST_SPLITS)]
        meta = {**names, **describe(store), **stamp(network), "code": {"embed": digest(asked.code)}}
        features = np.concatenate(parts)
        rows = read_split(store, TEST_SPLITS, images=False)
        write_rows(out / f"{store.stem}.npz", features, rows, {**meta, "environment": environment()}, asked)
        log.info("%s: %d features of %d values", store.stem, *features.shape)


def require_sources(network: Network, sources: str) -> None:
    """Refuse sources that are not those a network was trained on: its numbers would stand in the wrong columns.

    Raises:
        ValueError: with both.
    """
    own, asked = set(network.card.trained_on), set() if sources == NO_SOURCES else set(split_sources(sources))
    if own != asked:
        codes = ", ".join(network.card.trained_on)
        raise ValueError(
            f"{network.name} was trained on {codes or 'none of the data sets'}, not on {sources}; write `trained_on: [{codes}]` "
            "under `network:` of its card in config/weights.yaml"
        )


def stamp(network: Network) -> dict:
    """Say what a feature file tells of the network that made it; the view in the words of a run's settings."""
    view = network.card.view
    settings = {"image_height": view.height, "image_width": view.width, "evaluation_resize": view.resize}
    card = network.card.model_dump(mode="json")
    return {"network": {"name": network.name, "content": network.content.meaning, "card": card}, "settings": settings}
