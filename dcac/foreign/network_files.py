"""Bring a network that is tested as it is, an ONNX file or exported program, to where the workflow reads it.

In: a card of kind `network` in config/weights.yaml. Out: results/weights/{name}/ with the file and manifest.json.
"""

import logging
import shutil
from pathlib import Path

from dcac.foreign.weights_card import NETWORK_FILES, Weights
from dcac.provenance import manifest
from dcac.provenance.code import digest
from dcac.provenance.networks import finish_network, put_back_network
from dcac.provenance.record import ask

log = logging.getLogger(__name__)


def run(*, name: str, card: Weights, out: Path) -> None:
    """Copy or fetch the card's files into `out` and write their manifest.

    Raises:
        ValueError: a file is missing, the hub cannot be reached, or a checksum differs.
    """
    asked = ask(__name__, card.made_from(), {})
    if card.source == "hub" and put_back_network(asked, out):  # a file's content may change under its name
        return
    staged = out.with_name(f".{out.name}.{asked.identity[:12]}.fetching")
    shutil.rmtree(staged, ignore_errors=True)
    revision = _fetch(name, card, staged) if card.source == "hub" else _copy(name, Path(card.path), staged)
    verify(staged, card)
    shutil.rmtree(out, ignore_errors=True)
    staged.replace(out)
    notes = {"name": name, "repo": card.repo, "revision": revision, "terms": card.terms, "code": digest(asked.code)}
    finish_network(out, asked, notes)
    log.info("%s: %s", out, revision)


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
    for name, expected in card.sha256.items():
        if found.get(name, {}).get("sha256") != expected:
            raise ValueError(
                f"{folder / name} has not the sha256 {expected} of the card; correct the card, or get the file"
            )


def external_data(path: Path) -> list[Path]:
    """List the files beside an ONNX file that hold its larger tensors, under the names that exporters give them."""
    beside = {path.with_name(f"{path.name}.data"), path.with_name(f"{path.name}_data"), path.with_suffix(".data")}
    return sorted(file for file in beside if file.is_file())


def _copy(name: str, path: Path, out: Path) -> str:
    if not path.is_file():
        raise ValueError(f"weights '{name}': path {path} is not a file; correct `path` in config/weights.yaml")
    out.mkdir(parents=True)
    for file in (path, *external_data(path)):
        shutil.copy2(file, out / file.name)
    return f"file {path.name}"


def _fetch(name: str, card: Weights, out: Path) -> str:
    from huggingface_hub import HfApi, snapshot_download

    try:
        commit = HfApi().model_info(card.repo, revision=card.revision).sha
        snapshot_download(card.repo, revision=commit, allow_patterns=list(card.files) or None, local_dir=out)
    except Exception as error:  # the client raises many kinds; each means the same to the user
        raise ValueError(
            f"cannot fetch {card.repo} ({type(error).__name__}: {str(error).splitlines()[0]}); on a machine with network run "
            f"`snakemake results/weights/{name}/manifest.json`, or set `source: file` and `path` in config/weights.yaml"
        ) from None
    shutil.rmtree(out / ".cache", ignore_errors=True)
    return commit
