"""Bring one file from a web server, going on where an interrupted download of the very same file stopped."""

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message
from pathlib import Path
from typing import IO, TypedDict

from dcac.provenance import write_json

BLOCK = 1 << 20  # bytes read at a time
TIMEOUT = 30  # seconds without an answer
NOTHING_MISSING = 416  # status: the range asked for begins behind the end

Progress = Callable[[int, int | None], None]  # bytes there, bytes in all where known


class Told(TypedDict):
    """What a server says of a file's version."""

    etag: str | None
    modified: str | None  # date
    total: int | None  # bytes


def download(url: str, partial: Path, *, summed: bool, progress: Progress | None = None) -> None:
    """Let the partial file grow to all of the server's file.

    A part is continued only while the server's file is the one that it came from: by its ETag, date and length, which
    lie beside the part, or, where the server tells neither ETag nor date, because a known checksum will tell.

    Args:
        summed: whether the caller knows the file's checksum.

    Raises:
        OSError: the server cannot be reached, refuses, or the stream breaks; what came so far stays.
    """
    before = _told_before(partial)
    known = before.get("etag") or before.get("modified")
    there = partial.stat().st_size if partial.exists() and (summed or known) else 0
    try:
        if not (there and _go_on(url, partial, there, before, progress)):
            _begin(url, partial, progress)
    except http.client.HTTPException as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise OSError(f"the server's answer broke off or is no HTTP, {reason}") from None


def note_of(partial: Path) -> Path:
    """Name the file beside a partial one that keeps what the server said of it."""
    return partial.with_name(f"{partial.name}.json")


def _begin(url: str, partial: Path, progress: Progress | None) -> None:
    note_of(partial).unlink(missing_ok=True)
    partial.unlink(missing_ok=True)
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, partial.open("wb") as file:
        told = _told(answer.headers)
        write_json(note_of(partial), told)
        _receive(answer, file, told["total"], progress)


def _go_on(url: str, partial: Path, there: int, before: Mapping, progress: Progress | None) -> bool:
    """Append what is missing; return False where the server has another file by now, or cannot go on."""
    headers = {"Range": f"bytes={there}-"}
    condition = before.get("etag") if str(before.get("etag")).startswith('"') else before.get("modified")
    if condition:
        headers["If-Range"] = condition
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != NOTHING_MISSING:
            raise
        return re.sub(r"bytes \*/", "", error.headers.get("Content-Range", str(there))) == str(there)
    with answer:
        told = _told(answer.headers)
        begins = re.match(rf"bytes {there}-", answer.headers.get("Content-Range", ""))
        if answer.status != http.client.PARTIAL_CONTENT or not begins or not _agree(told, before):
            return False
        with partial.open("ab") as file:
            _receive(answer, file, told["total"], progress)
    return True


def _receive(answer: http.client.HTTPResponse, file: IO[bytes], total: int | None, progress: Progress | None) -> None:
    start = file.tell()
    while block := answer.read1(BLOCK):  # `read` would lose what came of a chunk that breaks off
        file.write(block)
        if progress is not None:
            progress(file.tell(), total)
    if total is not None and file.tell() != total:
        raise OSError(f"the connection ended after {file.tell()} of {total} bytes")
    if total is None and file.tell() == start:
        raise OSError("the server's answer holds nothing")


def _told(headers: Message) -> Told:
    """Collect what names the version of the server's file: ETag, date and length in bytes."""
    whole = re.search(r"/(\d+)$", headers.get("Content-Range", ""))
    length = whole[1] if whole else None if "Content-Range" in headers else headers.get("Content-Length")
    total = int(length) if length and length.strip().isdecimal() else None
    return {"etag": headers.get("ETag"), "modified": headers.get("Last-Modified"), "total": total}


def _told_before(partial: Path) -> dict:
    try:
        before = json.loads(note_of(partial).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return before if isinstance(before, dict) else {}


def _agree(now: Mapping, before: Mapping) -> bool:
    return all(now.get(name) == value for name, value in before.items() if value is not None)
