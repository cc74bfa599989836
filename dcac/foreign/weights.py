"""Fetch pre-trained networks once, checked, so that no later step needs the network.

In: a card of config/weights.yaml. Out: results/weights/{name}/ in the library's own layout, with manifest.json.
"""

import logging
import shutil
from pathlib import Path

from dcac.foreign import single_file
from dcac.foreign.weights_card import Weights
from dcac.locking import locked_while
from dcac.provenance import manifest, sha256
from dcac.provenance.code import digest
from dcac.provenance.networks import finish_network, put_back_network, require_network_folder
from dcac.provenance.record import ask

REQUIRED = {
    "encoder": ("config.json", "model.safetensors"),
    "diffusion": ("vae/config.json", "unet/config.json", "scheduler/scheduler_config.json"),
}
log = logging.getLogger(__name__)


def run(*, name: str, card: Weights, out: Path) -> None:
    """Bring the card's files into `out` and write their manifest.

    Raises:
        ValueError: the hub cannot be reached, a file is missing or refused, or a checksum differs.
        InUse: another process fetches this network.
    """
    require_network_folder(out)
    asked = ask(__name__, card.made_from(), {})
    with locked_while(out.with_name(f".{out.name}.lock"), f"fetches {name}"):
        if card.source != "folder" and put_back_network(asked, out):  # a folder's content may change under its name
            return
        # the network in `out` stays until it is whole
        staged = out.with_name(f".{out.name}.{asked.identity[:12]}.fetching")
        if card.source != "hub":  # a broken fetch goes on where it stopped
            shutil.rmtree(staged, ignore_errors=True)
        bring = {"hub": _from_hub, "folder": _from_folder, "file": _from_file}[card.source]
        revision = bring(name, card, staged)
        verify(staged, card)
        shutil.rmtree(out, ignore_errors=True)  # no file of an older network stays beside a newer one
        staged.replace(out)
        notes = {"name": name, "repo": card.repo, "revision": revision, "terms": card.terms, "code": digest(asked.code)}
        finish_network(out, asked, notes)


def verify(folder: Path, card: Weights) -> None:
    """Check that the files needed are there and that known checksums fit; a single file's was checked on reading."""
    found = manifest(folder)
    absent = [name for name in REQUIRED[card.kind] if name not in found]
    if absent:
        raise ValueError(
            f"{folder} lacks {', '.join(absent)}; it must hold the {card.kind} in the layout named in README.md"
        )
    for name, expected in card.sha256.items() if card.source != "file" else ():
        if found.get(name, {}).get("sha256") != expected:
            raise ValueError(f"{folder / name} has not the sha256 {expected} of the card; delete it and fetch it again")


def _from_hub(name: str, card: Weights, out: Path) -> str:
    from huggingface_hub import HfApi, snapshot_download

    try:
        commit = HfApi().model_info(card.repo, revision=card.revision).sha
        snapshot_download(card.repo, revision=commit, allow_patterns=list(card.files) or None, local_dir=out)
    except Exception as error:  # the client raises many kinds; each means the same to the user
        raise ValueError(
            f"cannot fetch {card.repo} ({type(error).__name__}: {str(error).splitlines()[0]}); on a machine with network run "
            f"`snakemake results/weights/{name}/manifest.json`, or set `source: folder` and `path` in config/weights.yaml"
        ) from None
    shutil.rmtree(out / ".cache", ignore_errors=True)
    for fetched, place in card.rename.items():
        (out / fetched).replace(out / place)
    return commit


def _from_folder(name: str, card: Weights, out: Path) -> str:
    folder = Path(card.path)
    if not folder.is_dir():
        raise ValueError(f"weights '{name}': path {folder} is not a folder; correct `path` in config/weights.yaml")
    shutil.copytree(folder, out, dirs_exist_ok=True)
    return f"folder {folder.name}"


def _from_file(name: str, card: Weights, out: Path) -> str:
    path = Path(card.path)
    if not path.is_file():
        raise ValueError(f"weights '{name}': path {path} is not a file; correct `path` in config/weights.yaml")
    found = sha256(path)
    if card.sha256.get(path.name, found) != found:
        raise ValueError(f"{path} has not the sha256 {card.sha256[path.name]} of the card; fetch it again")
    single_file.run(path, out, architecture=card.architecture, ema=card.ema)
    return f"file {path.name} sha256 {found}, {'moving average' if card.ema else 'weights as trained'}"
