"""Downloading, against a server in this process: no network."""

import errno
import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dcac.data import fetching
from dcac.data.catalog import Archive
from dcac.data.fetching import FetchError, run

CONTENT = bytes(range(256)) * 5000


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT under several names, each a server's habit, and keeps the ranges asked for."""

    def do_GET(self):
        self.server.ranges.append(self.headers["Range"])
        start = int(self.headers["Range"].split("=")[1].rstrip("-")) if self.headers["Range"] else 0
        if self.path == "/gone.zip":
            return self.send_error(404)
        if self.path == "/page.zip":
            return self.answer(200, b"<!DOCTYPE html><html>quota exceeded</html>")
        if self.path == "/plain.zip" or start == 0:
            return self.answer(200, CONTENT, cut=500_000 if self.path == "/cut.zip" else None)
        if start >= len(CONTENT):
            return self.send_error(416)
        return self.answer(206, CONTENT[start:], range=f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")

    def answer(self, status, body, cut=None, range=None):
        self.send_response(status)
        if range:
            self.send_header("Content-Range", range)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.ranges = []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def card(catalog, server):
    def make(name="good.zip", **facts):
        facts = {"md5": hashlib.md5(CONTENT).hexdigest()} | facts
        archive = Archive(name=name, url=f"http://127.0.0.1:{server.server_port}/{name}", **facts)
        return catalog["VIPeR"].model_copy(update={"archives": (archive,)})

    return make


@pytest.fixture
def zipped():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", "content")
    return packed.getvalue()


def test_archive_arrives_verified_with_progress(card, tmp_path):
    seen = []
    path = run(card(), tmp_path / "data", progress=lambda done, total: seen.append((done, total)))
    assert path == tmp_path / "data" / "good.zip"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [entry.name for entry in path.parent.iterdir()] == ["good.zip"]


def test_interrupted_download_goes_on_where_it_stopped(card, server, tmp_path):
    with pytest.raises(FetchError, match=r"500000 of 1280000 bytes\); run the same command again"):
        run(card("cut.zip"), tmp_path)
    assert not (tmp_path / "cut.zip").exists()
    assert run(card("cut.zip"), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=500000-"]


def test_server_without_ranges_sends_all_again(card, tmp_path):
    (tmp_path / ".plain.zip.part").write_bytes(CONTENT[:1000])
    assert run(card("plain.zip"), tmp_path).read_bytes() == CONTENT


def test_complete_part_is_only_verified(card, tmp_path):
    (tmp_path / ".good.zip.part").write_bytes(CONTENT)
    assert run(card(), tmp_path).read_bytes() == CONTENT


def test_archive_that_is_there_is_not_fetched_again(card, server, tmp_path):
    (tmp_path / "good.zip").write_bytes(CONTENT)
    run(card(), tmp_path)
    assert server.ranges == []


def test_old_part_that_makes_no_archive_is_fetched_anew(card, server, tmp_path):
    (tmp_path / ".good.zip.part").write_bytes(b"another file")
    assert run(card(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=12-", None]
    assert [path.name for path in tmp_path.iterdir()] == ["good.zip"]


def test_without_a_checksum_those_within_the_archive_count(card, tmp_path, zipped):
    with pytest.raises(FetchError, match=r"what came for good\.zip is no archive"):
        run(card(md5=None), tmp_path)
    damaged = bytearray(zipped)
    damaged[zipped.index(b"content")] ^= 1
    (tmp_path / "good.zip").write_bytes(damaged)
    with pytest.raises(FetchError, match=r"is there but is (cut off or )?damaged.*remove it and fetch again"):
        run(card(md5=None), tmp_path)
    (tmp_path / "good.zip").write_bytes(zipped)
    run(card(md5=None), tmp_path)


def test_second_fetch_of_the_same_archive_is_told_to_wait(card, server, tmp_path):
    def fetch_again(*_):
        with pytest.raises(FetchError, match=r"another process fetches good\.zip; wait for it or stop it"):
            run(card(), tmp_path)

    assert run(card(), tmp_path, progress=fetch_again).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["good.zip"]
    assert server.ranges == [None]


def test_full_disk_is_named_as_such(card, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetching, "download", full)
    with pytest.raises(OSError, match=r"\.good\.zip\.part could not be written whole: the disk"):
        run(card(), tmp_path)


def test_own_file_of_another_content_is_never_overwritten(card, tmp_path):
    (tmp_path / "good.zip").write_bytes(b"mine")
    with pytest.raises(FetchError, match=r"is there but has the md5 .* remove it"):
        run(card(), tmp_path)
    assert (tmp_path / "good.zip").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("name", "facts", "message"),
    [
        ("page.zip", {}, "a web page, not an archive"),
        ("gone.zip", {}, "404"),
        ("good.zip", {"md5": "00"}, "not 00"),
        ("good.zip", {"sha256": "00"}, "not 00"),
        ("good.zip", {"bytes": 5}, "1280000 bytes, not 5"),
    ],
)
def test_what_is_not_the_archive_is_refused_with_the_way_by_hand(card, tmp_path, name, facts, message):
    with pytest.raises(FetchError, match=message) as caught:
        run(card(name, **facts), tmp_path)
    assert f"in a browser and save it as {tmp_path / name}" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_drive_download_goes_through_gdown(catalog, tmp_path, monkeypatch, zipped):
    gdown = pytest.importorskip("gdown")
    asked = {}

    def download(*, id, output, **options):
        asked.update(id=id, **options)
        with open(output, "wb") as file:
            file.write(zipped)

    monkeypatch.setattr(gdown, "download", download)
    path = run(catalog["C3"], tmp_path)
    assert path == tmp_path / "cuhk03-np.zip"
    assert asked["id"] == catalog["C3"].archives[0].drive
    assert asked["resume"] is True


def test_drive_quota_is_a_fetch_error(catalog, tmp_path, monkeypatch):
    gdown = pytest.importorskip("gdown")

    def download(**_):
        raise gdown.exceptions.FileURLRetrievalError("Too many users\nhave viewed this file")

    monkeypatch.setattr(gdown, "download", download)
    with pytest.raises(FetchError, match=r"Too many users have viewed this file.*drive\.google\.com"):
        run(catalog["MA"], tmp_path)


@pytest.mark.parametrize(
    ("code", "archive", "message"),
    [
        ("D", None, "withdrawn and never downloaded"),
        ("OccD", None, "withdrawn and never downloaded"),
        ("MS", None, "By e-mail"),
        ("C2", None, "request form"),
        ("C3", "cuhk03_release.zip", "cuhk03_release.zip has no direct download"),
        ("PRID", None, r"www\.tugraz\.at"),
        ("campus", None, "dcac data render campus"),
    ],
)
def test_sets_without_download_say_how_to_get_them(catalog, tmp_path, code, archive, message):
    with pytest.raises(FetchError, match=message):
        run(catalog[code], tmp_path, archive=archive)
