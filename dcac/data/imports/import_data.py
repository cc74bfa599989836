"""Import one data set. In: its archive or unpacked folder, in any accepted layout. Out: the normalised file, sidecar.

Labels are counted against the card before any image is read; every image is decoded before anything is written.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dcac.data.archives import Source, open_inside
from dcac.data.catalog import Card, Limits, SetVariant, require_accepted
from dcac.data.imports.counts import Comparison, CountError, queries_without_match, require_matches
from dcac.data.imports.own_pictures import settle
from dcac.data.imports.verifying import ANOTHER_COPY, Finding, refuse_or_drop, verify
from dcac.data.readers import LayoutError, Reading, made_with, reader_of
from dcac.data.readers.layout import UNKNOWN, tree
from dcac.data.readers.own import labels_fingerprint
from dcac.data.store import Record, count, read_sidecar, write_store
from dcac.provenance.keep import put_back
from dcac.provenance.outputs import require_output
from dcac.provenance.record import BY_HAND, ask

PACKED = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
_ADDED_AGAIN = "bring them back, or add the set again with `dcac data add ... --replace`"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Imported:
    """The sidecar of a new normalised file, and a few lines for people."""

    sidecar: dict
    report: str


def run(
    path: Path,
    out: Path,
    *,
    card: Card,
    variant: str | None = None,
    inside: str | None = None,
    workers: int = 1,
    allow_different_counts: bool = False,
    drop_unreadable: bool = False,
    accept_withdrawn: Sequence[str] = (),
) -> Imported:
    """Import a data set.

    Args:
        path: Archive (zip, tar, tgz) or unpacked folder.
        out: The Parquet file.
        variant: One of the card's variants; None is its first.
        inside: Folder or archive within `path` that holds the set, where `path` holds several.
        workers: Processes that decode images.
        allow_different_counts: Go on with counts unlike the card's or with the images of another version; the file is
            then marked as non-standard for ever.
        drop_unreadable: Leave unreadable images out and count them; the file is then marked as non-standard too.
        accept_withdrawn: Codes of withdrawn sets that the user has decided to use.

    Raises:
        ValueError: The set is synthetic or withdrawn, no layout fits, files have unknown names, counts deviate, no query
            has a match by another camera, or images cannot be read; the message says which, and what to do.
    """
    require_output(out, ".parquet", inputs=[path])
    require_accepted(card, accept_withdrawn)
    reader_of(card)
    name, wanted = card.variant(variant)
    by_hand = {
        "variant": variant,
        "inside": inside,
        "different_counts": allow_different_counts,
        "drop_unreadable": drop_unreadable,
    }
    chosen = {option: value for option, value in by_hand.items() if value}
    settings = card.made_from(Path(path)) | made_with(card) | ({BY_HAND: chosen} if chosen else {})
    asked = ask(__name__, settings, {})
    names = [out.name, out.with_suffix(".json").name]
    if put_back(asked, out.parent, names):
        sidecar = read_sidecar(out)
        return Imported(sidecar, report(sidecar, card))
    out.parent.mkdir(parents=True, exist_ok=True)
    with open_set(Path(path), card.limits, inside=inside, scratch=out.parent) as source:
        kept, facts = examine(
            source,
            card,
            variant=name,
            wanted=wanted,
            workers=workers,
            allow_different_counts=allow_different_counts,
            drop_unreadable=drop_unreadable,
        )
        facts["archive"] = _archive(Path(path), card) | ({"inside": inside} if inside else {})
        sidecar = write_store(kept, out, facts=facts, asked=asked)
    return Imported(sidecar, report(sidecar, card))


@contextmanager
def open_set(path: Path, limits: Limits | None, *, inside: str | None, scratch: Path | None) -> Iterator[Source]:
    """Open the archive or folder of a real set, or a part of it, within the limits of its card."""
    if limits is None:
        raise ValueError(f"the card of {path} has no limits; a real data set states them")
    most = {"max_bytes": limits.unpacked_gb * 1e9, "max_ratio": limits.ratio}
    with open_inside(path, inside, **most, scratch=scratch) as source:
        yield source


def examine(
    source: Source,
    card: Card,
    *,
    variant: str,
    wanted: SetVariant,
    workers: int,
    allow_different_counts: bool = False,
    drop_unreadable: bool = False,
) -> tuple[list[Record], dict]:
    """Read and check a set as its card says; nothing is written.

    Args:
        wanted: Counts of the variant.

    Returns:
        The records, whose images are read when they are written, and what the sidecar says of them.

    Raises:
        ValueError: As of `run`.
    """
    reading = _read(source, card, variant)
    allow = allow_different_counts
    deviations = _check_counts(reading, card, wanted, allow=allow) + _check_labels(reading, card, allow=allow)
    if card.own is None:
        require_matches(reading.records, card.name)
    findings = verify(reading.records, workers=workers)
    remedy = ANOTHER_COPY if card.own is None else "Replace or remove them, and add the set again."
    kept, unreadable = refuse_or_drop(reading.records, findings, drop=drop_unreadable, remedy=remedy)
    if card.own is None:
        require_matches(kept, card.name)
    fingerprint = images_fingerprint(findings)
    version, unlike = _version(card, reading.version, variant, fingerprint, allow=allow)
    remarks = _remarks(card, reading.version, variant, fingerprint)
    own: dict[str, object] = {}
    if card.own is not None:
        kept, told = settle(kept, [finding for finding in findings if not finding.problem], card.own)
        remarks, own = remarks + told, {"own": {**reading.facts, "labels": labels_fingerprint(reading.records)}}
    facts = {
        "dataset": card.code,
        "name": card.name,
        "status": card.status,
        "version": version,
        "variant": variant,
        "layout": reading.layout,
        "standard": not (deviations or unlike or unreadable),
        "deviations": deviations + unlike,
        "remarks": remarks,
        "fingerprint": fingerprint,
        "distractor_pid": card.distractor_pid,
        "dropped": dict(sorted(reading.dropped.items())),
        "unreadable": unreadable,
        "ignored_files": len(source.ignored),
        "queries_without_match": queries_without_match(kept),
        "images_in_train_and_test": _images_in_both(reading.records, findings),
        **own,
    }
    return kept, facts


def report(sidecar: dict, card: Card) -> str:
    """Draw the counts box of a normalised file under a line that names its version, variant and layout."""
    _, wanted = card.variant(sidecar["variant"])
    title = "{name} ({dataset}), version {version}, variant {variant}, layout {layout}".format(**sidecar)
    lines = [title, Comparison(sidecar["counts"], sidecar["dropped"], wanted).box()]
    lines += [f"NON-STANDARD: {deviation}" for deviation in sidecar["deviations"]]
    lines += [f"NON-STANDARD: dropped unreadable {problem}" for problem in sidecar["unreadable"]]
    lines += [f"remark: {remark}" for remark in sidecar.get("remarks", ())]
    lines.append(f"fingerprint {sidecar['fingerprint']}, archive {sidecar['archive']['checksum']}")
    return "\n".join(lines)


def images_fingerprint(findings: Sequence[Finding]) -> str:
    """Hash the set of images, whatever their names, order and folders: 32 hexadecimal digits."""
    return hashlib.sha256("\n".join(sorted(finding.digest for finding in findings)).encode()).hexdigest()[:32]


def _read(source: Source, card: Card, variant: str) -> Reading:
    try:
        reading = reader_of(card)(source, variant)
    except LayoutError as error:
        if card.own is not None:
            raise LayoutError(f"{source.path}: {error}") from None
        layouts = "\n".join(f"layout {name}:\n{_indent(drawing)}" for name, drawing in card.layouts.items())
        raise LayoutError(
            f"{source.path} is not {card.name} in any accepted layout (variant {variant}): {error}\n"
            f"Expected one of\n{layouts}\nFound\n{tree(source.names)}{_inner_archives(source)}"
        ) from None
    if reading.strays:
        shown = "\n  ".join(reading.strays[:10])
        raise LayoutError(
            f"{source.path}: {len(reading.strays)} files among the images are not named as {card.name} names images:\n"
            f"  {shown}\nRemove them if they do not belong there, or get a clean copy of the set."
        )
    log.info("%s: layout %s, version %s, %d images", card.code, reading.layout, reading.version, len(reading.records))
    if reading.nearly:
        log.info(
            "%s: %d names were nearly of the known form (suffix doubled or in capitals) and are accepted, such as %s",
            card.code,
            len(reading.nearly),
            reading.nearly[0],
        )
    return reading


def _inner_archives(source: Source) -> str:
    """Say how an archive within the archive is read; "" where there is none."""
    inner = [name for name in source.names if name.lower().endswith(PACKED)]
    return f"\nIt holds archives; read one with --inside, such as --inside {inner[0]!r}" if inner else ""


def _check_counts(reading: Reading, card: Card, wanted: SetVariant, *, allow: bool) -> list[str]:
    found = count(reading.records, distractor_pid=card.distractor_pid)
    comparison = Comparison(found, reading.dropped, wanted)
    deviations = comparison.deviations()
    remedy = "Get the complete set, or another --variant" if card.own is None else _ADDED_AGAIN.capitalize()
    if deviations and not allow:
        raise CountError(
            f"the counts of {card.name} are not those of its card:\n{comparison.box()}\n"
            f"{remedy}; --allow-different-counts goes on with what is there and marks the result as non-standard."
        )
    return deviations


def _check_labels(reading: Reading, card: Card, *, allow: bool) -> list[str]:
    """Say how the labels of one's own set differ from those that were added."""
    if card.own is None or card.own.labels in (None, labels_fingerprint(reading.records)):
        return []
    unlike = f"people, cameras, splits or names of {card.name} are not those that were added"
    if not allow:
        raise CountError(f"{unlike}; {_ADDED_AGAIN}")
    return [unlike]


def _version(card: Card, told: str, variant: str, fingerprint: str, *, allow: bool) -> tuple[str, list[str]]:
    """Return the version by layout and by content, and how the two disagree; images of no listed version do not.

    One's own set has one version, and must have its images.
    """
    if card.own is not None:
        if card.fingerprints.get(f"{told}/{variant}", fingerprint) == fingerprint:
            return told, []
        unlike = f"the pictures of {card.name} are not those that were added (fingerprint {fingerprint})"
        if not allow:
            raise CountError(f"{unlike}; {_ADDED_AGAIN}")
        return told, [unlike]
    by_content = [key.partition("/")[0] for key, value in card.fingerprints.items() if value == fingerprint]
    if told == UNKNOWN and by_content:
        return by_content[0], []
    if told in by_content or not by_content:
        return told, []
    unlike = f"fingerprint {fingerprint} is that of {by_content[0]}"
    if not allow:
        raise CountError(f"{card.name}: the folders say {told}, but the {unlike}; get the set again from its owners")
    return UNKNOWN, [unlike]


def _remarks(card: Card, told: str, variant: str, fingerprint: str) -> list[str]:
    """Say where the images are not those listed, though nobody knows them for another version."""
    listed = card.fingerprints.get(f"{told}/{variant}")
    if card.own is not None or listed is None or fingerprint in card.fingerprints.values():
        return []
    return [f"fingerprint {fingerprint} is not the one listed for {told}, {listed}; some images differ from that copy"]


def _images_in_both(records: Sequence[Record], findings: Sequence[Finding]) -> int:
    train: set[str] = set()
    test: set[str] = set()
    for record, finding in zip(records, findings, strict=True):
        (train if record.split == "train" else test).add(finding.digest)
    return len((train & test) - {""})


def _archive(path: Path, card: Card) -> dict[str, str]:
    """Say whether the archive is the very file of the card; a repacked one is no error, its images count."""
    known = next((archive for archive in card.archives if Path(archive.name).name == path.name), None)
    if path.is_dir():
        return {"name": path.name, "checksum": "unpacked folder"}
    kind = next((kind for kind in ("sha256", "md5") if known is not None and getattr(known, kind)), None)
    if known is None or kind is None:
        return {"name": path.name, "checksum": "without a known checksum"}
    with path.open("rb") as file:
        same = hashlib.file_digest(file, kind).hexdigest() == getattr(known, kind)
    return {"name": path.name, "checksum": f"{'with' if same else 'WITHOUT'} the {kind} of the card"}


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())
