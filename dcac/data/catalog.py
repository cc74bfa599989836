"""The cards of the data sets: what `config/datasets.yaml` knows of each, as closed models."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from dcac.closed import Closed, ConfigError, Count, Seed, is_blank, load_yaml, parse, require_mappings, require_names
from dcac.data.safety import is_leftover
from dcac.provenance.seen import content_hash

LOCAL = "datasets.local.yaml"  # beside the project's cards: those of this clone alone, which git does not know
OWN = "own"  # the status and the version of a set of one's own
STANDARD, NO_CAMERAS = "standard", "no-cameras"  # variants of a set of one's own; results of the second say so
Status = Literal["direct", "on-request", "withdrawn", "synthetic", "own"]
Hex = Annotated[str, Field(pattern="^[0-9a-f]+$")]


class Archive(Closed):
    """One archive file of a data set; `url` or `drive` (a Google Drive id) only where anyone may download it."""

    name: str  # of the file, as looked for in data_root
    url: str | None = None  # a direct link
    drive: str | None = None  # or a Google Drive id
    bytes: Count | None = None  # its size
    md5: Hex | None = None  # checked before it is read
    sha256: Hex | None = None  # likewise

    @property
    def downloadable(self) -> bool:
        """Whether the card names a direct link."""
        return bool(self.url or self.drive)


class SplitCounts(Closed):
    """Numbers of one split; None is unknown and never asserted."""

    ids: Count | None = None  # identities, without distractors
    images: Count | None = None  # pictures
    cameras: Count | None = None  # cameras


class SetVariant(Closed):
    """The counts of one variant of a data set: its splits and the images dropped on purpose, by reason."""

    train: SplitCounts | None = None  # counts of the split
    query: SplitCounts | None = None  # counts of the split
    gallery: SplitCounts | None = None  # counts of the split
    dropped: dict[str, Count] = {}  # images left out on purpose, by reason

    def splits(self) -> dict[str, SplitCounts]:
        """Return the splits this variant has."""
        return {name: counts for name in ("train", "query", "gallery") if (counts := getattr(self, name)) is not None}


class Limits(Closed):
    """Bounds that a genuine archive never reaches: unpacked size in gigabytes, ratio of unpacked to packed size."""

    unpacked_gb: Annotated[float, Field(gt=0)]  # gigabytes, all files together
    ratio: Annotated[float, Field(gt=1)]  # unpacked size by packed size


def camera_pattern(text: str) -> str:
    """Refuse what is no regular expression with one group, which is the camera's name.

    Raises:
        ValueError: with the expression and what it lacks.
    """
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"camera {text!r} is no regular expression ({error}); write one such as 'cam(\\d+)'") from None
    if groups != 1:
        raise ValueError(f"camera {text!r} has {groups} groups in round brackets; give one, around the camera's name")
    return text


class Own(Closed):
    """How a set of one's own is read; `dcac data add` writes it."""

    layout: Literal["market", "folders", "list"]  # how names tell people
    cameras: bool  # False: nobody knows them, and only a query's own picture is left out of its ranking
    camera: Annotated[str, AfterValidator(camera_pattern)] | None = None  # its group is the camera; None: a column
    table: str | None = None  # of the layout `list`: a file within the set, or beside it
    split: Literal[
        "keep", "half", "test"
    ]  # keep what the layout says, half of the people to train on, or test: all are a target
    seed: Seed  # of the draws of people and queries, where the layout does not divide them
    labels: Hex | None = None  # hash of split, path, pid and camera of every picture, asserted on import

    @model_validator(mode="after")
    def _fits_its_layout(self) -> "Own":
        if (self.layout == "list") != (self.table is not None):
            raise ValueError(
                f"layout {self.layout!r} and table {self.table!r}: the layout `list`, and only it, has one"
            )
        if self.cameras and self.camera is None and self.layout != "list":
            raise ValueError(f"layout {self.layout!r} tells cameras by `camera`; give it, or `cameras: false`")
        return self


class Network(Closed):
    """A synthetic camera network with identities, cameras and shots per identity and camera."""

    train_ids: Count  # people to train on
    test_ids: Count  # people to test on
    cameras: Annotated[int, Field(ge=2)]  # a match by the query's own camera never counts
    shots: Annotated[int, Field(ge=2)]  # shot 0 is the query, the others are the gallery
    seed: int  # of everything drawn
    domain: str | None = None  # whose palette and cameras are rendered; None: those of the card's own name


class Crowd(Closed):
    """The synthetic pre-training domain: people with captions in many cameras."""

    people: Count  # how many
    images_per_person: Count  # of each
    seed: int  # of everything drawn


class Card(Closed):
    """Everything the project knows about one data set."""

    code: str  # the key of its entry
    name: str  # its name for people
    status: Status  # direct: may be downloaded; on-request: ask its owners; withdrawn: never downloaded; synthetic: rendered here; own
    terms: str  # on which it may be used
    page: str | None = None  # of its owners
    ask: str | None = None  # whom, and how
    archives: tuple[Archive, ...] = ()  # its files
    folders: tuple[str, ...] = ()  # names of the unpacked set, whatever their case, hyphens and underscores
    beside: tuple[str, ...] = ()  # names of files that a layout reads too, in the archive or beside it
    layouts: dict[str, str] = {}  # name: tree; what `dcac data import` accepts
    variants: dict[str, SetVariant] = {}  # name: counts that are asserted on import; the first is the default
    versions: tuple[str, ...] = ()  # releases in circulation
    fingerprints: dict[str, Hex] = {}  # version/variant: hash of all pictures
    distractor_pid: int | None = None  # pid of people in the gallery who match nobody
    limits: Limits | None = None  # what no genuine archive exceeds
    notes: str = ""  # for people
    synthetic: Network | Crowd | None = None  # how it is rendered
    own: Own | None = None  # how a set of one's own is read

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
        if (self.status == OWN) != (self.own is not None):
            raise ValueError(f"status {self.status!r} of {self.code}: a set of one's own, and only that, has `own:`")
        if self.own is not None and list(self.variants) != [STANDARD if self.own.cameras else NO_CAMERAS]:
            raise ValueError(
                f"{self.code} has the variants {', '.join(self.variants)}; a set of one's own has one, {STANDARD!r}, or "
                f"{NO_CAMERAS!r} where `cameras` is false"
            )
        if self.status == "withdrawn" and (self.page or any(archive.downloadable for archive in self.archives)):
            raise ValueError(f"{self.code} is withdrawn, so its card names no page and no link; remove them")
        return self

    def made_from(self, archive: Path | None = None) -> dict[str, Any]:
        """Return what acts when the normalised file is made, as plain JSON values: no prose, no links.

        Args:
            archive: the archive or folder of a real set; it acts by its content and that of `beside`, a folder by its name
                too, which may tell a version.
        """
        acting = {"code", "layouts", "variants", "versions", "fingerprints", "distractor_pid", "synthetic"}
        facts = self.model_dump(mode="json", include=acting)
        if self.own is not None:
            facts["own"] = self.own.model_dump(mode="json")
            if archive is not None and self.own.table is not None and (table := self.table(archive)).is_file():
                facts["own"]["table"] = content_hash(table)
        if archive is not None and (archive.is_file() or archive.is_dir()):
            facts["archive"] = {"sha256": content_hash(archive, ignored=is_leftover)}
            if archive.is_dir():
                facts["archive"]["folder"] = archive.name
            beside = [archive.parent / name for name in self.beside]
            facts["archive"] |= {path.name: content_hash(path) for path in beside if path.is_file()}
        return facts

    def table(self, archive: Path) -> Path:
        """Return where the table of the layout `list` would lie as a file of its own: in the folder, or beside it."""
        name = str(self.own and self.own.table)
        return archive / name if (archive / name).is_file() else archive.parent / name

    def variant(self, name: str | None = None) -> tuple[str, SetVariant]:
        """Return a variant with its name; the first one of the card is the default.

        Raises:
            ValueError: The card has no such variant.
        """
        name = name or next(iter(self.variants))
        if name not in self.variants:
            raise ValueError(f"{self.code} has no variant {name!r}; choose one of {', '.join(self.variants)}")
        return name, self.variants[name]


def load_catalog(path: Path) -> dict[str, Card]:
    """Read all cards, those of this clone alone last, in the order in which source names are joined.

    Raises:
        ValueError: A key is unknown, missing or wrong, or a card of this clone has the code of another; the message
            names it.
    """
    cards, local = load_cards(path), path.with_name(LOCAL)
    if not local.is_file() or is_blank(local):
        return cards
    own = load_cards(local)
    for code in own:
        require_new(code, cards, local)
    return cards | own


def require_new(code: str, cards: Mapping[str, Card], local: Path) -> None:
    """Refuse a code of the project's own cards for one of this clone.

    Raises:
        ConfigError: The code, or one that differs in capitals only, is taken.
    """
    other = next((known for known in cards if known.lower() == code.lower()), None)  # files differ by more than case
    if other is not None:
        raise ConfigError(
            f"{local}: {code} is the code of {cards[other].name} in the project's own cards; choose another code"
        )


def load_cards(path: Path) -> dict[str, Card]:
    """Read the cards of one file.

    Raises:
        ValueError: A key is unknown, missing or wrong; the message names it.
    """
    cards = load_yaml(path)
    require_names(cards, f"{path}: data set", marks="-", reserved=("none",))  # joined with + in a path, or `none`
    require_mappings(cards, f"{path}: data set")
    return {code: parse(Card, {"code": code, **card}, f"{path}: {code}") for code, card in cards.items()}


def require_accepted(card: Card, accept_withdrawn: Collection[str] = ()) -> None:
    """Refuse a withdrawn data set that `accept_withdrawn` does not list.

    Raises:
        ValueError: The set is withdrawn and not listed.
    """
    if card.status == "withdrawn" and card.code not in accept_withdrawn:
        raise ValueError(
            f"{card.code} ({card.name}) is withdrawn: {card.terms} If you hold it lawfully and have decided to use it, "
            f"add {card.code} to accept_withdrawn in config/config.yaml."
        )
