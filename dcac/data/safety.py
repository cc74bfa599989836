"""What a member of an archive must be before it is read: a plain file with a plain relative name and a sane size."""

import re
import stat
import zipfile
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

SMALL = 1 << 20  # bytes; members below this size are never judged by their ratio
UNSAFE = re.compile(r"^/|^[A-Za-z]:|[\x00-\x1f\\]|(^|/)\.\.(/|$)")  # absolute, a drive, control characters, climbing
LEFTOVERS = {"thumbs.db", "desktop.ini", ".ds_store"}  # what operating systems leave in folders and archives


class ArchiveError(ValueError):
    """An archive, folder or member that must not or cannot be read; the message names it and the remedy."""


def safe_name(name: str, origin: Path) -> str:
    """Return the normal form of a member's name.

    Raises:
        ArchiveError: The name is absolute, climbs with `..`, or holds control characters, backslashes or bad UTF-8.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or UNSAFE.search(name):
        raise ArchiveError(f"{origin}: {name!r} is refused, its name is no plain relative path; get another archive")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ArchiveError(f"{origin}: {name!r} is refused, its name is not valid UTF-8; rename it") from None
    return "/".join(parts)


def check_kind(mode: int, name: str, origin: Path) -> None:
    """Refuse links, devices, pipes and sockets; a mode of 0 (archives made on Windows) is a plain file."""
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise ArchiveError(f"{origin}: {name!r} is refused, it is a link or device; replace it by the file itself")


def check_zip_member(member: zipfile.ZipInfo, origin: Path, max_ratio: float) -> None:
    """Refuse links, encrypted members and members that expand beyond the ratio."""
    check_kind(member.external_attr >> 16, member.filename, origin)
    if member.flag_bits & 1:
        raise ArchiveError(f"{origin}: {member.filename!r} is encrypted; unpack the archive by hand, import the folder")
    if member.file_size > SMALL and member.file_size > max_ratio * member.compress_size:
        raise ArchiveError(
            f"{origin}: {member.filename!r} is refused, it expands {member.compress_size} bytes to {member.file_size}, "
            f"beyond the ratio {max_ratio:g} of the card"
        )


def check_total(sizes: Iterable[int], origin: Path, max_bytes: float) -> None:
    """Refuse an archive whose members add up to more than the card allows."""
    total = sum(sizes)
    if total > max_bytes:
        raise ArchiveError(
            f"{origin} is refused, its members add up to {total / 1e9:.3g} GB, "
            f"more than the {max_bytes / 1e9:.3g} GB of the card"
        )


def check_unique(ordered: Sequence[str], origin: Path) -> None:
    """Refuse an archive that holds one name twice; the names come sorted."""
    for before, name in pairwise(ordered):
        if before == name:
            raise ArchiveError(f"{origin} is refused, it holds {name!r} more than once; get another archive")


def is_leftover(name: str) -> bool:
    """Tell whether a file was left by an operating system rather than by the authors of a data set."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1].lower() in LEFTOVERS


def is_web_page(path: Path) -> bool:
    """Tell whether a downloaded file is a web page, such as a login form or an error message."""
    with path.open("rb") as file:
        head = file.read(1024).lower()
    return b"<html" in head or b"<!doctype html" in head


def describe(path: Path) -> str:
    """Say in words what a file is that is no archive, and what to do about it."""
    if is_web_page(path):
        return "a web page, not an archive (a login form or an error message?); download it by hand"
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PK"):
        return "a zip archive whose end is missing (an interrupted download); get it again"
    return f"no archive (it starts with {head.hex(' ') or 'nothing'}); give a zip or tar archive or a folder"
