"""Read folders, zip and tar archives without unpacking them; a member that is no plain file of sane size is refused.

Nothing is written but, only while a source is open, one temporary folder: a compressed tar is expanded there into a
plain one, and members that a library must open as files are copied there.
"""

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from dcac.data.safety import (
    SMALL,
    ArchiveError,
    check_kind,
    check_total,
    check_unique,
    check_zip_member,
    describe,
    is_leftover,
    safe_name,
)
from dcac.provenance.files import remove_abandoned, temporary_name

if TYPE_CHECKING:
    from typing_extensions import Buffer

TEMPORARY = "dcac"  # of a temporary folder's name, which also names its process: `.dcac-...{host}-{pid}.tmp`
BLOCK = 1 << 20  # bytes read at a time
COMPRESSED: dict[bytes, Callable[[Path], io.BufferedIOBase]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,  # a compression method that zipfile lacks
    UnicodeDecodeError,
    OverflowError,
    OSError,
)


class Source:
    """The plain files of a folder or archive; a context manager that removes its temporary files.

    Attributes:
        path: The folder or archive.
        names: Safe relative POSIX names of the plain files, sorted.
        ignored: System leftovers such as Thumbs.db and __MACOSX, sorted.
    """

    def __init__(self, path: Path, scratch: Path | None) -> None:
        self.path = path
        self.scratch = scratch
        self.names: tuple[str, ...] = ()
        self.ignored: tuple[str, ...] = ()
        self._temporary: tempfile.TemporaryDirectory | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict:
        """Leave open files and the ownership of temporary ones behind, so that workers can read the same source."""
        return vars(self) | {"_temporary": None, "_archive": None}

    def close(self) -> None:
        """Remove temporary files."""
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def open(self, name: str) -> IO[bytes]:
        """Open one file for reading."""
        raise NotImplementedError

    def read(self, name: str) -> bytes:
        """Return the content of one file.

        Raises:
            ArchiveError: The member is damaged.
        """
        try:
            with self.open(name) as file:
                return file.read()
        except BROKEN as error:
            raise ArchiveError(f"{self.path}: {name!r} cannot be read ({error}); get the archive again") from None

    def local_copy(self, name: str) -> Path:
        """Return a path of this file on disk, valid until the source is closed."""
        target = self._temporary_folder() / name.replace("/", "__")
        if not target.exists():
            try:
                with self.open(name) as file, target.open("xb") as copy:
                    shutil.copyfileobj(file, copy, BLOCK)
            except BROKEN as error:
                target.unlink(missing_ok=True)
                raise ArchiveError(f"{self.path}: {name!r} cannot be read ({error}); get the archive again") from None
        return target

    def narrow(self, folder: str) -> None:
        """Forget all files but those below one folder; names stay whole.

        Raises:
            ArchiveError: No file lies there.
        """
        prefix = folder.strip("/") + "/"
        kept = tuple(name for name in self.names if name.startswith(prefix))
        if not kept:
            tops = sorted({name.partition("/")[0] + ("/" if "/" in name else "") for name in self.names})
            shown = ", ".join(tops[:10] + ["..."] * (len(tops) > 10))
            raise ArchiveError(f"{self.path} holds nothing in {prefix!r}; at its top are: {shown}")
        self.names = kept

    def _list(self, names: Iterable[str]) -> None:
        names = sorted(names)
        check_unique(names, self.path)
        self.ignored = tuple(name for name in names if is_leftover(name))
        self.names = tuple(name for name in names if not is_leftover(name))

    def _temporary_folder(self) -> Path:
        if self._temporary is None:
            folder = self.scratch or Path(tempfile.gettempdir())
            own = temporary_name(folder / TEMPORARY).name.removeprefix(f".{TEMPORARY}")
            self._temporary = tempfile.TemporaryDirectory(prefix=f".{TEMPORARY}-", suffix=own, dir=folder)
        return Path(self._temporary.name)


class FolderSource(Source):
    """The files of an unpacked data set."""

    def __init__(self, path: Path, scratch: Path | None) -> None:
        super().__init__(path, scratch)
        self._list(_walk(path))

    def open(self, name: str) -> IO[bytes]:
        return (self.path / name).open("rb")

    def local_copy(self, name: str) -> Path:
        return self.path / name


class ZipSource(Source):
    """The members of a zip archive."""

    def __init__(self, path: Path, scratch: Path | None, *, max_bytes: float, max_ratio: float) -> None:
        super().__init__(path, scratch)
        self._archive: zipfile.ZipFile | None = None
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
        except BROKEN as error:
            raise ArchiveError(f"{path} is a damaged zip archive ({error}); get it again") from None
        named = [(safe_name(member.orig_filename, path), member) for member in members]
        files = [(name, member) for name, member in named if not member.is_dir()]
        for _, member in files:
            check_zip_member(member, path, max_ratio)
        check_total((member.file_size for _, member in files), path, max_bytes)
        self._list(name for name, _ in files)
        self.members = {name: member.filename for name, member in files}

    def open(self, name: str) -> IO[bytes]:
        if self._archive is None:
            self._archive = zipfile.ZipFile(self.path)
        return self._archive.open(self.members[name])

    def close(self) -> None:
        if self._archive is not None:
            self._archive.close()
            self._archive = None
        super().close()


class TarSource(Source):
    """The members of a tar archive; a compressed one is expanded into a temporary plain tar first."""

    def __init__(self, path: Path, scratch: Path | None, *, max_bytes: float, max_ratio: float) -> None:
        super().__init__(path, scratch)
        try:
            self.plain = self._expand(max_bytes, max_ratio)
            members = _tar_members(self.plain, path)
            check_total((size for _, (_, size) in members), path, max_bytes)
            self._list(name for name, _ in members)
            self.members = dict(members)
        except BaseException:
            self.close()
            raise

    def open(self, name: str) -> IO[bytes]:
        return io.BufferedReader(_Slice(self.plain, *self.members[name]))

    def _expand(self, max_bytes: float, max_ratio: float) -> Path:
        opener = _opener(self.path)
        if opener is None:
            return self.path
        plain = self._temporary_folder() / "expanded.tar"
        # A plain tar adds headers and padding to its members: twice the room, and the sum is checked again afterwards.
        limit = min(2 * max_bytes, max_ratio * self.path.stat().st_size) + SMALL
        try:
            with opener(self.path) as packed, plain.open("xb") as copy:
                while block := packed.read(BLOCK):
                    copy.write(block)
                    check_total([copy.tell()], self.path, limit)
        except BROKEN as error:
            raise ArchiveError(f"{self.path} is cut off or damaged ({error}); get it again") from None
        return plain


class _Slice(io.RawIOBase):
    """A part of a file, from a first byte on, as a file of its own."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._file = path.open("rb")
        self._file.seek(start)
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        count = self._file.readinto(memoryview(buffer)[: self._left])
        self._left -= count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def open_source(path: Path, *, max_bytes: float, max_ratio: float, scratch: Path | None = None) -> Source:
    """Open a folder, zip, tar, tgz, tar.bz2 or tar.xz for reading; every member's name, kind and size is checked.

    Args:
        max_bytes: Largest total size of the members.
        max_ratio: Largest ratio of unpacked to packed size.
        scratch: Existing folder for temporary files; None is the system's.

    Raises:
        ArchiveError: The path is missing, no archive, damaged, or holds a member that must not be read.
    """
    path = Path(path)
    remove_abandoned(scratch or Path(tempfile.gettempdir()), f".{TEMPORARY}-*.tmp")
    if path.is_dir():
        return FolderSource(path, scratch)
    if not path.is_file():
        raise ArchiveError(f"{path} does not exist; give the path of an archive or of an unpacked folder")
    if zipfile.is_zipfile(path):
        return ZipSource(path, scratch, max_bytes=max_bytes, max_ratio=max_ratio)
    if _opener(path) is not None or tarfile.is_tarfile(path):
        return TarSource(path, scratch, max_bytes=max_bytes, max_ratio=max_ratio)
    raise ArchiveError(f"{path} is {describe(path)}")


@contextmanager
def open_inside(
    path: Path, inside: str | None, *, max_bytes: float, max_ratio: float, scratch: Path | None = None
) -> Iterator[Source]:
    """Open a part of a source for reading: a folder in it, or an archive in it; all of it without `inside`.

    Args:
        inside: Relative path within the folder or archive `path`.

    Raises:
        ArchiveError: As of `open_source`, or there is no such part.
    """
    opened = partial(open_source, max_bytes=max_bytes, max_ratio=max_ratio, scratch=scratch)
    with opened(path) as source:
        if inside is None:
            yield source
        elif inside.strip("/") in source.names:
            with opened(source.local_copy(inside.strip("/"))) as inner:
                yield inner
        else:
            source.narrow(inside)
            yield source


def broken(path: Path, *, max_bytes: float) -> str:
    """Say what is wrong with a file as an archive by its own checksums, "" where nothing is; nothing is written.

    Args:
        max_bytes: Unpacked size beyond which reading stops.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                check_total((member.file_size for member in archive.infolist()), path, max_bytes)
                bad = archive.testzip()
            return f"is damaged, {bad!r} does not have its checksum" if bad else ""
        opener = _opener(path)
        if opener is None and not tarfile.is_tarfile(path):
            return f"is {describe(path)}"
        if opener is not None:
            with opener(path) as stream:
                left = max_bytes
                while left > 0 and (block := stream.read(BLOCK)):
                    left -= len(block)
        return ""
    except (ArchiveError, RuntimeError, *BROKEN) as error:  # a zip that asks for a password is a RuntimeError
        return f"is cut off or damaged ({error})"


def _opener(path: Path) -> Callable[[Path], io.BufferedIOBase] | None:
    with path.open("rb") as file:
        head = file.read(6)
    return next((opener for magic, opener in COMPRESSED.items() if head.startswith(magic)), None)


def _tar_members(plain: Path, origin: Path) -> list[tuple[str, tuple[int, int]]]:
    """Return name, first byte and size of each file in an uncompressed tar."""
    found = []
    try:
        with tarfile.open(plain, "r:") as archive:
            for member in _each_member(archive):
                if member.isdir() and member.name in (".", "./"):
                    continue
                name = safe_name(member.name, origin)
                if member.isdir():
                    continue
                check_kind(0 if member.isreg() and not member.issparse() else stat.S_IFLNK, name, origin)
                found.append((name, (member.offset_data, member.size)))
            end = archive.offset
    except BROKEN as error:
        raise ArchiveError(f"{origin} is cut off or damaged ({error}); get it again") from None
    _check_end(plain, end, origin)
    return found


def _each_member(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := archive.next()) is not None:
        yield member
        # tarfile keeps every header alive, 200 MB for a large data set, in a list that its stubs do not name
        archive.members = []  # type: ignore[attr-defined]


def _check_end(plain: Path, end: int, origin: Path) -> None:
    """Refuse a tar without an end marker: tarfile takes a damaged header for the end and says nothing."""
    with plain.open("rb") as file:
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise ArchiveError(f"{origin} is cut off or damaged, its end marker is missing; get it again")


def _walk(folder: Path) -> Iterator[str]:
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            entry = Path(root, name)
            relative = safe_name(entry.relative_to(folder).as_posix(), folder)
            mode = entry.lstat().st_mode
            if not stat.S_ISDIR(mode):
                check_kind(mode, relative, folder)
                yield relative
