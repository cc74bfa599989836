"""Find a data set's archive or unpacked folder below the data root, also under the names that other code bases use."""

import re
from pathlib import Path

from dcac.data.catalog import Card

PACKED = re.compile(r"\.(zip|tar|tgz|tar\.(gz|bz2|xz))$", re.IGNORECASE)


def locate(card: Card, data_root: Path) -> Path | None:
    """Return what lies in `data_root` under a name of the card, the card's first name first, or None.

    Names are compared without their case, hyphens, underscores and points; a folder's name may also be an archive's.
    """
    names = [*card.folders, *(archive.name for archive in card.archives)]
    exact = next((data_root / name for name in names if (data_root / name).exists()), None)
    if exact is not None or not data_root.is_dir():
        return exact
    entries = sorted(entry for entry in data_root.iterdir() if entry.is_dir() or PACKED.search(entry.name))
    found = {plain(entry.name): entry for entry in reversed(entries) if not entry.name.startswith(".")}
    return next((found[plain(name)] for name in names if plain(name) in found), None)


def plain(name: str) -> str:
    """Return a name without case, hyphens, underscores, points and the suffix of an archive."""
    return re.sub(r"[-_. ]", "", PACKED.sub("", name).lower())


def known_names(card: Card) -> str:
    """List the names under which a set is looked for, for people."""
    files = " or ".join(archive.name for archive in card.archives)
    folders = ", ".join(card.folders)
    return f"{files} (or a folder or archive named {folders})" if folders else files
