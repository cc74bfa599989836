"""Data cards: what each normalised file holds, and on which terms."""

from collections.abc import Mapping
from pathlib import Path

from dcac.data.catalog import Card
from dcac.data.store import read_sidecar


def data_card(store: Path, card: Card | None) -> dict:
    """Say name, version, counts, layout, content and terms of a data set.

    Args:
        store: normalised file.
        card: of `config/datasets.yaml`; None where the code has none.
    """
    sidecar = read_sidecar(store)
    facts = {
        "version": f"{sidecar.get('version', '–')}, {sidecar.get('variant', '–')}",
        "counts": "as the card says" if sidecar.get("standard") else "other than the card's, accepted by hand",
        "layout": str(sidecar.get("layout", "–")),
        "content": str(sidecar.get("content_sha256") or sidecar.get("sha256", "–")),
    }
    if card is not None:
        facts |= {"status": card.status, "terms": card.terms} | ({"notes": card.notes} if card.notes else {})
    counts = sidecar.get("counts", {})
    return {
        "code": store.stem,
        "name": sidecar.get("name") or (card.name if card else store.stem),
        "facts": facts,
        "page": card.page if card else None,
        "counts": {
            "columns": ["split", "people", "images", "cameras"],
            "rows": [
                [split, *(_count(own.get(key)) for key in ("ids", "images", "cameras"))]
                for split, own in counts.items()
            ],
        },
    }


def printed(cards: Mapping[str, Card]) -> dict[str, dict]:
    """Return what data cards print of the catalog."""
    return {
        code: card.model_dump(mode="json", include={"name", "status", "terms", "page", "notes"})
        for code, card in cards.items()
    }


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"
