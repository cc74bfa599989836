"""Download an archive that anyone may download. In: a card and a folder. Out: the archive, its checksum verified."""

import glob
import hashlib
import logging
import os
from pathlib import Path

from dcac.data.archives import broken
from dcac.data.catalog import Archive, Card
from dcac.data.downloading import TIMEOUT, Progress, download
from dcac.data.safety import is_web_page
from dcac.disk import DiskFull, naming_full_disk
from dcac.locking import InUse, locked_while

log = logging.getLogger(__name__)


class FetchError(ValueError):
    """An archive cannot be downloaded; the message names the way by hand."""


def run(card: Card, folder: Path, *, archive: str | None = None, progress: Progress | None = None) -> Path:
    """Download one archive of a data set, going on where an interrupted download stopped.

    Args:
        folder: Where the archive goes, the data root.
        archive: File name of one of the card's archives; None is the first that may be downloaded.
        progress: Called with the bytes there and, where known, the bytes in all.

    Returns:
        The archive. One that is there already is only verified.

    Raises:
        FetchError: The set may not be downloaded, the download fails, or what came is not the archive.
    """
    chosen = _choose(card, archive)
    target = folder / chosen.name
    by_hand = f"By hand: open {_page(chosen)} in a browser and save it as {target}."
    log.info("%s", by_hand)
    try:
        with locked_while(folder / f".{chosen.name}.lock", f"fetches {chosen.name}"):
            if target.exists():
                _verify(target, card, chosen, f"{target} is there but {{}}; remove it and fetch again. {by_hand}")
            else:
                _fetch(card, chosen, target, by_hand, progress)
    except InUse as error:
        raise FetchError(str(error)) from None
    return target


def _fetch(card: Card, archive: Archive, target: Path, by_hand: str, progress: Progress | None) -> None:
    """Bring the archive, and again from its beginning where an old part and the rest of today make no archive."""
    partial = target.with_name(f".{target.name}.part")
    while True:
        resumed = bool(_parts(partial))
        _bring(archive, partial, by_hand, progress)
        try:
            _verify(partial, card, archive, f"what came for {archive.name} {{}}. {by_hand}")
        except FetchError as error:
            _remove(partial)
            if not resumed:
                raise
            log.info("%s All of it is fetched again.", error)
        else:
            os.replace(partial, target)
            return _remove(partial)


def _bring(archive: Archive, partial: Path, by_hand: str, progress: Progress | None) -> None:
    """Let the partial file grow to all of the archive.

    Raises:
        FetchError: the download broke; what came so far stays for the next try.
    """
    try:
        with naming_full_disk(partial):
            if archive.drive:
                _from_drive(archive.drive, partial, progress)
            else:
                download(str(archive.url), partial, summed=_summed(archive), progress=progress)
    except DiskFull:
        raise
    except OSError as error:
        raise FetchError(
            f"{archive.name} could not be downloaded ({error}); run the same command again to go on. {by_hand}"
        ) from None


def _parts(partial: Path) -> list[Path]:
    """List what interrupted downloads left: the partial file, what the server said of it, and those of Google Drive."""
    return sorted(partial.parent.glob(f"{glob.escape(partial.name)}*"))


def _remove(partial: Path) -> None:
    for path in _parts(partial):
        path.unlink()


def _choose(card: Card, name: str | None) -> Archive:
    if card.status == "withdrawn":
        raise FetchError(f"{card.code} is withdrawn and never downloaded: {card.terms}")
    if card.status == "synthetic":
        raise FetchError(f"{card.code} is made here; use `dcac data render {card.code}`")
    archives = [archive for archive in card.archives if name in (None, archive.name)]
    chosen = next((archive for archive in archives if archive.downloadable), None)
    if chosen is None:
        names = ", ".join(archive.name for archive in card.archives)
        how = " ".join(text for text in (card.ask, card.page) if text)
        raise FetchError(
            f"{name or card.name} has no direct download (archives of the card: {names}). Get it by hand: {how} "
            "Put it into data_root, or give its path to `dcac data import`."
        )
    return chosen


def _page(archive: Archive) -> str:
    return f"https://drive.google.com/file/d/{archive.drive}" if archive.drive else str(archive.url)


def _verify(path: Path, card: Card, archive: Archive, message: str) -> None:
    """Raise with the message, its {} filled with what is wrong, unless the file is the archive of the card.

    Without a checksum on the card, those within the archive count.
    """
    if is_web_page(path):
        raise FetchError(message.format("is a web page, not an archive (a login form or a quota notice?)"))
    size = path.stat().st_size
    if archive.bytes is not None and size != archive.bytes:
        raise FetchError(message.format(f"has {size} bytes, not {archive.bytes}"))
    for kind in ("sha256", "md5"):
        expected = getattr(archive, kind)
        with path.open("rb") as file:
            found = hashlib.file_digest(file, kind).hexdigest()
        log.info("%s of %s: %s (%s)", kind, archive.name, found, "as on the card" if expected else "none on the card")
        if expected is not None and found != expected:
            raise FetchError(message.format(f"has the {kind} {found}, not {expected}"))
    limit = card.limits.unpacked_gb * 1e9 if card.limits else float("inf")
    damage = "" if _summed(archive) else broken(path, max_bytes=limit)
    if damage:
        raise FetchError(message.format(damage))


def _summed(archive: Archive) -> bool:
    return archive.sha256 is not None or archive.md5 is not None


def _from_drive(drive: str, partial: Path, progress: Progress | None) -> None:
    import gdown
    import requests

    try:
        gdown.download(id=drive, output=str(partial), quiet=True, resume=True, progress=progress, timeout=TIMEOUT)
    except (
        gdown.exceptions.DownloadError,
        requests.RequestException,
        LookupError,
    ) as error:  # a header that is not there
        raise OSError(" ".join(str(error).split())) from None
