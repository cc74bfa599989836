"""Bring the files of a network's card into its folder: whole, checked, and by one process at a time."""

import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from dcac.foreign.weights_card import Weights
from dcac.locking import locked_while
from dcac.provenance.code import digest
from dcac.provenance.networks import finish_network, put_back_network, require_network_folder
from dcac.provenance.record import Asked

log = logging.getLogger(__name__)


def install(
    asked: Asked,
    out: Path,
    *,
    name: str,
    card: Weights,
    bring: Callable[[str, Weights, Path], str],
    verify: Callable[[Path, Weights], None],
) -> None:
    """Put a network into `out` with its manifest; the one that is there stays until the new one is whole.

    Args:
        bring: fills a folder by name and card; returns the revision.
        verify: refuses a folder that is not the card's network.

    Raises:
        ValueError: the hub cannot be reached, a file is missing or refused, or a checksum differs.
        InUse: another process fetches this network.
    """
    require_network_folder(out)
    with locked_while(out.with_name(f".{out.name}.lock"), f"fetches {name}"):
        if put_back_network(asked, out):
            return
        staged = out.with_name(f".{out.name}.{asked.identity[:12]}.fetching")
        if card.source != "hub":  # a broken fetch goes on where it stopped
            shutil.rmtree(staged, ignore_errors=True)
        revision = bring(name, card, staged)
        verify(staged, card)
        shutil.rmtree(out, ignore_errors=True)  # no file of an older network stays beside a newer one
        staged.replace(out)
        for left in out.parent.glob(f".{out.name}.*.fetching"):  # what a killed fetch under another card left
            shutil.rmtree(left, ignore_errors=True)
        notes = {"name": name, "repo": card.repo, "revision": revision, "terms": card.terms, "code": digest(asked.code)}
        finish_network(out, asked, notes)
        log.info("%s: %s", out, revision)


def from_hub(name: str, card: Weights, out: Path, *, instead: str) -> str:
    """Fetch the card's files from the hub; return the commit.

    Args:
        instead: the other source that the card may name, for the message.

    Raises:
        ValueError: the hub cannot be reached, or refuses.
    """
    from huggingface_hub import HfApi, snapshot_download

    if card.repo is None:
        raise ValueError(f"weights '{name}' name no `repo` of a hub; give one, with its `revision`")
    try:
        commit = HfApi().model_info(card.repo, revision=card.revision).sha
        if commit is None:
            raise ValueError("the hub names no commit")
        snapshot_download(card.repo, revision=commit, allow_patterns=list(card.files) or None, local_dir=out)
    except Exception as error:  # the client raises many kinds; each means the same to the user
        raise ValueError(
            f"cannot fetch {card.repo} ({type(error).__name__}: {str(error).splitlines()[0]}); on a machine with network run "
            f"`snakemake results/weights/{name}/manifest.json`, or set `source: {instead}` and `path` in config/weights.yaml"
        ) from None
    shutil.rmtree(out / ".cache", ignore_errors=True)
    return commit


def require_checksums(folder: Path, found: Mapping[str, Mapping[str, object]], card: Weights, *, remedy: str) -> None:
    """Refuse files that are not those of the card's checksums.

    Args:
        found: manifest of the folder.

    Raises:
        ValueError: the message names the file.
    """
    for name, expected in card.sha256.items():
        if found.get(name, {}).get("sha256") != expected:
            raise ValueError(f"{folder / name} has not the sha256 {expected} of the card; {remedy}")
