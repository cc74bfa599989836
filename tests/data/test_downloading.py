"""Downloading from servers that break off, change their file, or tell little of it: no network."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dcac.data.downloading import download, note_of

OLD, NEW = (bytes([start]) * 200_000 for start in (1, 2))
BROKEN_HEADS = {"header": b"HTTP/1.1 200 OK\r\nContent-Le", "status": b"HTT"}


class Handler(BaseHTTPRequestHandler):
    """Serves one file with the validators that the test sets; breaks off as often as the test says, in its way."""

    protocol_version = "HTTP/1.1"
    log_message = lambda *_: None  # noqa: E731

    def do_GET(self):
        server, told, asked = self.server, self.server.told, self.headers["Range"]
        server.asked.append(asked)
        start, whole = int(asked[6:-1]) if asked else 0, len(server.file)
        if self.headers["If-Range"] not in (None, told.get("ETag"), told.get("Last-Modified")):
            start = 0
        if start >= whole:
            self.head(416, {"Content-Range": f"bytes */{whole}", "Content-Length": "0"})
            return
        headers = told | ({"Content-Range": f"bytes {start}-{whole - 1}/{whole}"} if start else {})
        self.send(206 if start else 200, headers, server.file[start:], server.breaks.pop(0) if server.breaks else "")
        self.close_connection = True

    def send(self, status, headers, body, breaking):
        if breaking in BROKEN_HEADS:
            self.wfile.write(BROKEN_HEADS[breaking])
        elif "chunk" in breaking:
            self.head(status, {**headers, "Transfer-Encoding": "chunked"})
            self.wfile.write(b"186a0\r\n" + (body[:50_000] if breaking == "chunk" else body[:100_000] + b"\r\n18"))
        else:
            self.head(status, headers | ({"Content-Length": str(len(body))} if self.server.lengths else {}))
            self.wfile.write(body[:70_000] if breaking == "body" else body)

    def head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.file, server.told, server.breaks, server.asked, server.lengths = OLD, {}, [], [], True
        server.url = f"http://127.0.0.1:{server.server_port}/x.zip"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("breaking", "came"), [("chunk", 50_000), ("chunk size", 100_000), ("body", 70_000), ("header", 0), ("status", 0)]
)
def test_stream_that_breaks_is_an_error_and_goes_on(server, tmp_path, breaking, came):
    server.told, server.breaks = {"ETag": '"one"'}, [breaking]
    part = tmp_path / "part"
    with pytest.raises(OSError, match=r"broke off|the connection ended after 70000 of 200000 bytes|holds nothing"):
        download(server.url, part, summed=False)
    assert (part.stat().st_size if part.exists() else 0) == came
    download(server.url, part, summed=False)
    assert part.read_bytes() == OLD
    assert server.asked == [None, f"bytes={came}-" if came else None]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"ETag": '"one"'}, {"ETag": '"two"'}),
        ({"ETag": 'W/"one"'}, {"ETag": 'W/"two"'}),
        ({"ETag": '"one"'}, {}),
        ({"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, {"Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}),
        ({}, {}),
    ],
    ids=["etag", "weak etag", "etag gone", "date", "told nothing"],
)
def test_changed_file_is_never_mixed_with_the_old_part(server, tmp_path, before, now):
    server.told, server.breaks = before, ["body"]
    with pytest.raises(OSError, match="70000 of 200000"):
        download(server.url, tmp_path / "part", summed=False)
    server.file, server.told = NEW, now
    download(server.url, tmp_path / "part", summed=False)
    assert (tmp_path / "part").read_bytes() == NEW


def test_changed_length_is_another_file_even_where_a_checksum_is_known(server, tmp_path):
    server.breaks = ["body"]
    with pytest.raises(OSError, match="70000 of 200000"):
        download(server.url, tmp_path / "part", summed=True)
    server.file = NEW[:150_000]
    download(server.url, tmp_path / "part", summed=True)
    assert (tmp_path / "part").read_bytes() == NEW[:150_000]


def test_part_longer_than_the_server_s_file_is_fetched_anew(server, tmp_path):
    (tmp_path / "part").write_bytes(OLD + b"more")
    download(server.url, tmp_path / "part", summed=True)
    assert (tmp_path / "part").read_bytes() == OLD


def test_complete_part_costs_no_second_download(server, tmp_path):
    (tmp_path / "part").write_bytes(OLD)
    download(server.url, tmp_path / "part", summed=True)
    assert server.asked == ["bytes=200000-"]


def test_damaged_note_means_to_begin_again(server, tmp_path):
    (tmp_path / "part").write_bytes(NEW[:1000])
    note_of(tmp_path / "part").write_text("{")
    download(server.url, tmp_path / "part", summed=False)
    assert (tmp_path / "part").read_bytes() == OLD


def test_server_without_lengths_is_read_to_its_end(server, tmp_path):
    server.lengths = False
    seen = []
    download(server.url, tmp_path / "part", summed=False, progress=lambda *at: seen.append(at))
    assert (tmp_path / "part").read_bytes() == OLD
    assert seen[-1] == (len(OLD), None)
