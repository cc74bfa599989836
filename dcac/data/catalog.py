"""The cards of the data sets: what `config/datasets.yaml` knows of each, as closed models."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dcac.closed import Closed, Count, load_yaml, parse, require_mappings, require_names
from dcac.provenance.seen import content_hash

Status = Literal["direct", "on-request", "withdrawn", "synthetic"]
Hex = Annotated[str, Field(pattern="^[0-9a-f]+$")]


class Archive(Closed):
    """One archive file of a data set; `url` or `drive` (a Google Drive id) only where anyone may download it."""

    name: str
    url: str | None = None
    drive: str | None = None
    bytes: Count | None = None
    md5: Hex | None = None
    sha256: Hex | None = None

    @property
    def downloadable(self) -> bool:
        """Whether the card names a direct link."""
        return bool(self.url or self.drive)


class SplitCounts(Closed):
    """Numbers of one split; None is unknown and never asserted."""

    ids: Count | None = None
    images: Count | None = None
    cameras: Count | None = None


class Variant(Closed):
    """The counts of one variant of a data set: its splits and the images dropped on purpose, by reason."""

    train: SplitCounts | None = None
    query: SplitCounts | None = None
    gallery: SplitCounts | None = None
    dropped: dict[str, Count] = {}

    def splits(self) -> dict[str, SplitCounts]:
        """Return the splits this variant has."""
        return {name: counts for name in ("train", "query", "gallery") if (counts := getattr(self, name)) is not None}


class Limits(Closed):
    """Bounds that a genuine archive never reaches: unpacked size in gigabytes, ratio of unpacked to packed size."""

    unpacked_gb: Annotated[float, Field(gt=0)]
    ratio: Annotated[float, Field(gt=1)]


class Network(Closed):
    """A synthetic camera network with identities, cameras and shots per identity and camera."""

    train_ids: Count
    test_ids: Count
    cameras: Annotated[int, Field(ge=2)]  # a match by the query's own camera never counts
    shots: Annotated[int, Field(ge=2)]  # shot 0 is the query, the others are the gallery
    seed: int
    domain: str | None = None  # whose palette and cameras are rendered; None: those of the card's own name


class Crowd(Closed):
    """The synthetic pre-training domain: people with captions in many cameras."""

    people: Count
    images_per_person: Count
    seed: int


class Card(Closed):
    """Everything the project knows about one data set."""

    code: str
    name: str
    status: Status
    terms: str
    page: str | None = None
    ask: str | None = None
    archives: tuple[Archive, ...] = ()
    folders: tuple[str, ...] = ()
    layouts: dict[str, str] = {}
    variants: dict[str, Variant] = {}
    versions: tuple[str, ...] = ()
    fingerprints: dict[str, Hex] = {}
    distractor_pid: int | None = None
    limits: Limits | None = None
    notes: str = ""
    synthetic: Network | Crowd | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Card":
        if (self.status == "synthetic") != (self.synthetic is not None):
            raise ValueError(
                f"status {self.status!r} of {self.code}: a synthetic card, and only that, has `synthetic:`"
            )
        if self.synthetic is None and not (self.layouts and self.variants and self.versions and self.limits):
            raise ValueError(
                f"{self.code} lacks layouts, variants, versions or limits; a real data set states them all"
            )
        if self.status == "withdrawn" and (self.page or any(archive.downloadable for archive in self.archives)):
            raise ValueError(f"{self.code} is withdrawn, so its card names no page and no link; remove them")
        return self

    def made_from(self, archive: Path | None = None) -> dict[str, Any]:
        """Return what acts when the normalised file is made, as plain JSON values: no prose, no links.

        Args:
            archive: the archive or folder of a real set; an archive acts by its content, a folder by its name.
        """
        acting = {"code", "layouts", "variants", "versions", "fingerprints", "distractor_pid", "synthetic"}
        facts = self.model_dump(mode="json", include=acting)
        if archive is not None:
            facts["archive"] = {"sha256": content_hash(archive)} if archive.is_file() else {"folder": archive.name}
        return facts

    def variant(self, name: str | None = None) -> tuple[str, Variant]:
        """Return a variant with its name; the first one of the card is the default.

        Raises:
            ValueError: The card has no such variant.
        """
        name = name or next(iter(self.variants))
        if name not in self.variants:
            raise ValueError(f"{self.code} has no variant {name!r}; choose one of {', '.join(self.variants)}")
        return name, self.variants[name]


def load_catalog(path: Path) -> dict[str, Card]:
    """Read all cards, in the order in which source names are joined.

    Raises:
        ValueError: A key is unknown, missing or wrong; the message names it.
    """
    cards = load_yaml(path)
    require_names(cards, f"{path}: data set", marks="-", reserved=("none",))  # joined with + in a path, or `none`
    require_mappings(cards, f"{path}: data set")
    return {code: parse(Card, {"code": code, **card}, f"{path}: {code}") for code, card in cards.items()}


def require_accepted(card: Card, accept_withdrawn: tuple[str, ...] = ()) -> None:
    """Refuse a withdrawn data set that `accept_withdrawn` does not list.

    Raises:
        ValueError: The set is withdrawn and not listed.
    """
    if card.status == "withdrawn" and card.code not in accept_withdrawn:
        raise ValueError(
            f"{card.code} ({card.name}) is withdrawn: {card.terms} If you hold it lawfully and have decided to use it, "
            f"add {card.code} to accept_withdrawn in config/config.yaml."
        )
