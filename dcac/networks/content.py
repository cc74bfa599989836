"""What a network is to the features made with it: the content of its files."""

from collections.abc import Callable
from pathlib import Path

from dcac.foreign.weights_card import external_data
from dcac.provenance import sha256
from dcac.provenance.networks import MANIFEST, network_input
from dcac.provenance.record import Input, hash_json


def content_of(folder: Path, listing: Callable[[Path], dict]) -> Input:
    """Describe a folder by its manifest, or where it has none by hashing its files."""
    if (folder / MANIFEST).is_file():
        return network_input(folder)
    meaning = hash_json({name: entry["sha256"] for name, entry in listing(folder).items()})
    return Input(meaning, meaning)


def content_of_file(path: Path) -> Input:
    """Describe a file, with the external data of an ONNX file; in a folder that the workflow has filled, by its manifest."""
    if (path.parent / MANIFEST).is_file():
        return network_input(path.parent)
    meaning = hash_json({file.name: sha256(file) for file in (path, *external_data(path))})
    return Input(meaning, meaning)
