"""Find a data set's archive or unpacked folder below the data root."""

from pathlib import Path

from dcac.data.catalog import Card


def locate(card: Card, data_root: Path) -> Path | None:
    """Return the first of the card's folders and archives that lies in `data_root`, or None."""
    names = [*card.folders, *(archive.name for archive in card.archives)]
    return next((data_root / name for name in names if (data_root / name).exists()), None)
