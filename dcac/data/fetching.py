"""Download an archive that anyone may download. In: a card and a folder. Out: the archive, its checksum verified."""

import hashlib
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from dcac.data.catalog import Archive, Card
from dcac.data.safety import is_web_page

BLOCK = 1 << 20  # bytes read at a time
TIMEOUT = 30  # seconds without an answer
log = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]  # bytes there, bytes in all where known


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
    if target.exists():
        _verify(target, chosen, f"{target} is there but {{}}; remove it and fetch again. {by_hand}")
        return target
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{chosen.name}.part"
    try:
        (_from_drive if chosen.drive else _from_url)(chosen.drive or chosen.url, partial, progress)
    except OSError as error:
        raise FetchError(
            f"{chosen.name} could not be downloaded ({error}); run the same command again to go on. {by_hand}"
        ) from None
    try:
        _verify(partial, chosen, f"what came for {chosen.name} {{}}. {by_hand}")
    except FetchError:
        partial.unlink()
        raise
    os.replace(partial, target)
    return target


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


def _verify(path: Path, archive: Archive, message: str) -> None:
    """Raise with the message, its {} filled with what is wrong, unless the file is the archive of the card."""
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


def _from_url(url: str, partial: Path, progress: Progress | None) -> None:
    """Append to the partial file what is missing; a server that cannot resume sends all of it again."""
    there = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and there:  # nothing is missing; the checksum will tell
            return
        raise
    with answer, partial.open("ab" if answer.status == 206 else "wb") as file:
        length = answer.headers.get("Content-Length")
        total = file.tell() + int(length) if length else None
        while block := answer.read(BLOCK):
            file.write(block)
            if progress is not None:
                progress(file.tell(), total)
        if total is not None and file.tell() != total:
            raise OSError(f"the connection ended after {file.tell()} of {total} bytes")


def _from_drive(drive: str, partial: Path, progress: Progress | None) -> None:
    import gdown
    import requests

    try:
        gdown.download(id=drive, output=str(partial), quiet=True, resume=True, progress=progress)
    except (gdown.exceptions.DownloadError, requests.RequestException) as error:
        raise OSError(" ".join(str(error).split())) from None
