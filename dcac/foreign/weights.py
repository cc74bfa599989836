"""Fetch pre-trained networks once, checked, so that no later step needs the network.

In: a card of config/weights.yaml. Out: results/weights/{name}/ in the library's own layout, with manifest.json.
"""

import shutil
from pathlib import Path

from dcac.foreign import single_file
from dcac.foreign.bring import from_hub, install, require_checksums
from dcac.foreign.weights_card import Weights
from dcac.provenance import manifest, sha256
from dcac.provenance.record import ask

REQUIRED = {
    "encoder": ("config.json", "model.safetensors"),
    "diffusion": ("vae/config.json", "unet/config.json", "scheduler/scheduler_config.json"),
}


def run(*, name: str, card: Weights, out: Path) -> None:
    """Bring the card's files into `out` and write their manifest.

    Raises:
        ValueError: the hub cannot be reached, a file is missing or refused, or a checksum differs.
        InUse: another process fetches this network.
    """
    asked = ask(__name__, card.made_from(), {})
    bring = {"hub": _from_hub, "folder": _from_folder, "file": _from_file}[card.source]
    install(asked, out, name=name, card=card, bring=bring, verify=verify)


def verify(folder: Path, card: Weights) -> None:
    """Check that the files needed are there and that known checksums fit; a single file's was checked on reading."""
    found = manifest(folder)
    absent = [name for name in REQUIRED[card.kind] if name not in found]
    if absent:
        raise ValueError(
            f"{folder} lacks {', '.join(absent)}; it must hold the {card.kind} in the layout of docs/paper.md section 6"
        )
    if card.source != "file":
        require_checksums(folder, found, card, remedy="delete it and fetch it again")


def _from_hub(name: str, card: Weights, out: Path) -> str:
    commit = from_hub(name, card, out, instead="folder")
    for fetched, place in card.rename.items():
        (out / fetched).replace(out / place)
    return commit


def _from_folder(name: str, card: Weights, out: Path) -> str:
    folder = card.place()
    if not folder.is_dir():
        raise ValueError(f"weights '{name}': path {folder} is not a folder; correct `path` in config/weights.yaml")
    shutil.copytree(folder, out, dirs_exist_ok=True)
    return f"folder {folder.name}"


def _from_file(name: str, card: Weights, out: Path) -> str:
    path = card.place()
    if not path.is_file():
        raise ValueError(f"weights '{name}': path {path} is not a file; correct `path` in config/weights.yaml")
    found = sha256(path)
    if card.sha256.get(path.name, found) != found:
        raise ValueError(f"{path} has not the sha256 {card.sha256[path.name]} of the card; fetch it again")
    if card.architecture is None or card.ema is None:
        raise ValueError(f"weights '{name}' from a single file need 'architecture' and 'ema'")
    single_file.run(path, out, architecture=card.architecture, ema=card.ema)
    return f"file {path.name} sha256 {found}, {'moving average' if card.ema else 'weights as trained'}"
