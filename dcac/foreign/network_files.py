"""Bring a network that is tested as it is, an ONNX file or exported program, to where the workflow reads it.

In: a card of kind `network` in config/weights.yaml. Out: results/weights/{name}/ with the file and manifest.json.
"""

import shutil
from functools import partial
from pathlib import Path

from dcac.foreign.bring import from_hub, install, require_checksums
from dcac.foreign.weights_card import NETWORK_FILES, Weights, external_data
from dcac.provenance import manifest
from dcac.provenance.record import ask


def run(*, name: str, card: Weights, out: Path) -> None:
    """Copy or fetch the card's files into `out` and write their manifest.

    Raises:
        ValueError: a file is missing, the hub cannot be reached, or a checksum differs.
        InUse: another process fetches this network.
    """
    asked = ask(__name__, card.made_from(), {})
    bring = partial(from_hub, instead="file") if card.source == "hub" else _copy
    install(asked, out, name=name, card=card, bring=bring, verify=verify)


def verify(folder: Path, card: Weights) -> None:
    """Check that one network is there and that known checksums fit.

    Raises:
        ValueError: there is none or several, or a file is not that of the card.
    """
    found = manifest(folder)
    networks = [name for name in found if Path(name).suffix in NETWORK_FILES]
    if len(networks) != 1:
        raise ValueError(
            f"{folder} holds {len(networks)} networks ({', '.join(NETWORK_FILES)}), not one; correct `files` or `path` of the card"
        )
    require_checksums(folder, found, card, remedy="correct the card, or get the file")


def _copy(name: str, card: Weights, out: Path) -> str:
    path = card.place()
    if not path.is_file():
        raise ValueError(f"weights '{name}': path {path} is not a file; correct `path` in config/weights.yaml")
    out.mkdir(parents=True)
    for file in (path, *external_data(path)):
        shutil.copy2(file, out / file.name)
    return f"file {path.name}"
