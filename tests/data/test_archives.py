"""Sources: what is read, what is refused, and that nothing is left behind."""

import io
import os
import pickle
import random
import stat
import subprocess
import sys
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcac.data.archives import open_source
from dcac.data.safety import ArchiveError, is_leftover, safe_name

FILES = {"set/a.jpg": b"first" * 100, "set/sub/b.txt": b"second", "set/Thumbs.db": b"x", "__MACOSX/set/._a.jpg": b"x"}
KINDS = ["folder", "zip", "tar", "tgz", "tar.xz"]


@pytest.fixture
def open_small(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return lambda path, max_bytes=1e6, max_ratio=50: open_source(
        path, max_bytes=max_bytes, max_ratio=max_ratio, scratch=scratch
    )


@pytest.fixture(autouse=True)
def nothing_left(tmp_path):
    yield
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".dcac-")]


def special_tar(path, *members):
    with tarfile.open(path, "w") as archive:
        for name, kind, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "/etc/passwd"
            archive.addfile(info, io.BytesIO(data))
    return path


def special_zip(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_read_the_same(pack, open_small, kind):
    with open_small(pack(FILES, kind)) as source:
        assert source.names == ("set/a.jpg", "set/sub/b.txt")
        assert source.ignored == ("__MACOSX/set/._a.jpg", "set/Thumbs.db")
        assert [source.read(name) for name in source.names] == [b"first" * 100, b"second"]
        assert source.local_copy("set/sub/b.txt").read_bytes() == b"second"
        assert source.open("set/a.jpg").read(5) == b"first"


@pytest.mark.parametrize("kind", KINDS)
def test_source_can_be_sent_to_a_worker_while_it_is_open(pack, open_small, kind):
    with open_small(pack(FILES, kind)) as source:
        source.read("set/a.jpg")
        copy = pickle.loads(pickle.dumps(source))
        assert copy.read("set/sub/b.txt") == b"second"
        copy.close()
        assert source.read("set/sub/b.txt") == b"second"


def test_names_with_a_leading_dot_are_normalised(tmp_path, open_small):
    path = special_tar(tmp_path / "a.tar", ("./", tarfile.DIRTYPE, b""), ("./set/a.jpg", tarfile.REGTYPE, b"x"))
    with open_small(path) as source:
        assert source.names == ("set/a.jpg",)


EVIL = ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "C:/evil.jpg", "a\\..\\evil.jpg", "a/new\nline.jpg"]


@pytest.mark.parametrize("name", EVIL)
def test_names_that_leave_the_folder_are_refused(tmp_path, open_small, name):
    for path in (
        special_zip(tmp_path / "a.zip", ("fine.jpg", 0, b"x"), (name, 0, b"x")),
        special_tar(tmp_path / "a.tar", ("fine.jpg", tarfile.REGTYPE, b"x"), (name, tarfile.REGTYPE, b"x")),
    ):
        with pytest.raises(ArchiveError, match=r"evil|line"):
            open_small(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_tar_links_and_devices_are_refused(tmp_path, open_small, kind):
    with pytest.raises(ArchiveError, match=r"'evil\.jpg' is refused, it is a link or device"):
        open_small(special_tar(tmp_path / "a.tar", ("evil.jpg", kind, b"")))


def test_sparse_tar_members_are_refused(tmp_path, open_small):
    with pytest.raises(ArchiveError, match=r"'evil\.jpg' is refused"):
        open_small(special_tar(tmp_path / "a.tar", ("evil.jpg", tarfile.GNUTYPE_SPARSE, b"")))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_zip_links_and_devices_are_refused(tmp_path, open_small, kind):
    with pytest.raises(ArchiveError, match=r"'evil\.jpg' is refused, it is a link or device"):
        open_small(special_zip(tmp_path / "a.zip", ("evil.jpg", kind | 0o777, b"/etc/passwd")))


def test_links_and_pipes_in_folders_are_refused(pack, open_small, tmp_path):
    folder = pack(FILES)
    (folder / "evil.jpg").symlink_to("/etc/passwd")
    with pytest.raises(ArchiveError, match=r"evil\.jpg"):
        open_small(folder)
    (folder / "evil.jpg").unlink()
    (folder / "evil").symlink_to(tmp_path)
    with pytest.raises(ArchiveError, match="'evil'"):
        open_small(folder)
    (folder / "evil").unlink()
    os.mkfifo(folder / "evil.pipe")
    with pytest.raises(ArchiveError, match=r"evil\.pipe"):
        open_small(folder)


def test_encrypted_member_is_refused(tmp_path, open_small):
    path = special_zip(tmp_path / "a.zip", ("secret.jpg", 0, b"x"))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="encrypted"):
        open_small(path)


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_bombs_are_refused_by_ratio(pack, tmp_path, open_small, kind):
    zeros = bytes(8 << 20)
    path = special_zip(tmp_path / "a.zip", ("bomb.jpg", 0, zeros)) if kind == "zip" else pack({"bomb.jpg": zeros}, kind)
    with pytest.raises(ArchiveError, match="refused"):
        open_small(path, max_bytes=1e9, max_ratio=20)


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_bombs_are_refused_by_size(pack, open_small, kind):
    files = {f"{i}.jpg": random.Random(i).randbytes(20_000) for i in range(10)}
    with open_small(pack(files, kind), max_bytes=200_000):
        pass
    with pytest.raises(ArchiveError, match=r"add up to 0\.0002 GB"):
        open_small(pack(files, kind), max_bytes=199_999)


def test_expansion_stops_at_the_limit(pack, open_small, monkeypatch):
    import dcac.data.archives as archives

    sizes = []
    check = archives.check_total
    monkeypatch.setattr(archives, "check_total", lambda s, *rest: check([sizes.append(x) or x for x in s], *rest))
    with pytest.raises(ArchiveError):
        open_small(pack({"bomb.jpg": bytes(64 << 20)}, "tgz"), max_bytes=1e6, max_ratio=1e6)
    assert max(sizes) < 5 << 20  # of 64 MiB


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_occur_twice_are_refused(tmp_path, open_small):
    for path in (
        special_zip(tmp_path / "a.zip", ("a.jpg", 0, b"x"), ("a.jpg", 0, b"y")),
        special_tar(tmp_path / "a.tar", ("a.jpg", tarfile.REGTYPE, b"x"), ("./a.jpg", tarfile.REGTYPE, b"y")),
    ):
        with pytest.raises(ArchiveError, match=r"'a\.jpg' more than once"):
            open_small(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>Sign in</html>", "a web page"),
        (b"\n  <html>Quota exceeded</html>", "a web page"),
        (b"PK\x03\x04 interrupted", "interrupted download"),
        (b"Rar!\x1a\x07", "52 61 72 21"),
        (b"", "nothing"),
    ],
)
def test_what_is_no_archive_is_described(tmp_path, open_small, content, message):
    path = tmp_path / "Market.zip"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=message):
        open_small(path)


def test_missing_path_is_named(tmp_path, open_small):
    with pytest.raises(ArchiveError, match="does not exist"):
        open_small(tmp_path / "nowhere.zip")


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz", "tar.xz"])
def test_every_truncation_is_noticed(pack, open_small, kind):
    path = pack({f"{i}.jpg": random.Random(i).randbytes(700) for i in range(6)}, kind)
    whole = path.read_bytes()
    end = len(whole) if kind != "tar" else whole.rstrip(b"\0").__len__() // 512 * 512  # the padding may go
    for cut in range(1, end, max(1, end // 150)):
        path.write_bytes(whole[:cut])
        with pytest.raises(ArchiveError):
            open_small(path)


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_is_refused_or_harmless(tmp_path_factory, kind, data):
    """Changed bytes end in ArchiveError or in plain files with safe names, never in another error or a new file."""
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / f"a.{kind}"
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in FILES.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz" if kind == "tgz" else "w") as archive:
            for name, content in FILES.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    damaged = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    try:
        with open_source(path, max_bytes=1e6, max_ratio=50, scratch=folder) as source:
            for name in source.names:
                assert safe_name(name, path) == name
                try:
                    source.read(name)
                except ArchiveError:
                    continue
    except ArchiveError:
        pass
    assert [entry.name for entry in folder.iterdir()] == [path.name]


@given(st.text(max_size=40))
def test_safe_names_stay_inside(tmp_path_factory, name):
    base = "/folder/of/the/set"
    try:
        safe = safe_name(name, base)
    except ArchiveError:
        return
    assert os.path.normpath(f"{base}/{safe}").startswith(base + "/")
    assert safe_name(safe, base) == safe


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/Thumbs.db", True),
        ("a/thumbs.DB", True),
        ("__MACOSX/a/b.jpg", True),
        ("a/._b.jpg", True),
        (".DS_Store", True),
        ("a/b.jpg", False),
        ("a/Thumbs.db.jpg", False),
        ("MACOSX/b.jpg", False),
    ],
)
def test_leftovers_of_operating_systems(name, expected):
    assert is_leftover(name) is expected


KILLED = """
import sys, time
from pathlib import Path
from dcac.data.archives import open_source
with open_source(Path(sys.argv[1]), max_bytes=1e9, max_ratio=1000, scratch=Path(sys.argv[2])):
    print("open", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_import_left_goes_with_the_next_one(tmp_path, pack):
    archive, scratch = pack({"a.txt": b"a"}, "tgz"), tmp_path / "results"
    scratch.mkdir()
    process = subprocess.Popen([sys.executable, "-c", KILLED, archive, scratch], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "open\n"
    assert list(scratch.iterdir()), "the archive is expanded there"
    with open_source(archive, max_bytes=1e9, max_ratio=1000, scratch=scratch):
        assert len(list(scratch.iterdir())) == 2, "that of a living process stays"
    process.kill()
    process.wait()
    assert len(list(scratch.iterdir())) == 1
    with open_source(archive, max_bytes=1e9, max_ratio=1000, scratch=scratch):
        assert len(list(scratch.iterdir())) == 1
    assert not list(scratch.iterdir())
