"""Downloads against a server that breaks off, lies and redirects."""

import hashlib
import http.server
import threading

import pytest

from cliphead_addon.engine import downloads
from cliphead_addon.engine.downloads import DownloadError, download
from cliphead_addon.engine.errors import Cancelled

CONTENT = bytes(range(256)) * 4096  # 1 MB
SUM = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """/good, /breaks (after 300 kB each time), /stuck (breaks at once), /long, /short, /other, /no-range, /redirect, /absent"""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")) if "Range" in self.headers else 0
        if self.path == "/absent":
            return self.send_error(404)
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/file")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        body, ranged = CONTENT, start > 0 and self.path != "/no-range"
        if self.path == "/other":
            body = bytes(len(CONTENT))
        body = body[start:] if ranged else body
        self.send_response(206 if ranged else 200)
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if self.path == "/endless":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body) + {"/long": 5, "/short": -5}.get(self.path, 0)))
        self.end_headers()
        most = {"/breaks": 300_000, "/stuck": 0}.get(self.path, len(body))
        self.wfile.write(body[:most])
        if self.path == "/endless":
            self.wfile.write(b"more")
        self.close_connection = self.path in ("/breaks", "/stuck", "/long", "/short", "/endless")

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def fetch(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "SPARE", 0)

    def fetch(place, **choices):
        url = f"http://127.0.0.1:{server.server_port}/{place}"
        choices = {"online": True, "schemes": ("http",), **choices}
        return download(url, tmp_path / "file", choices.pop("size", len(CONTENT)), SUM, **choices)

    return fetch


def left(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir())


def test_what_arrives_is_what_was_promised(fetch, tmp_path):
    told = []
    assert fetch("good", progress=lambda *step: told.append(step)).read_bytes() == CONTENT
    assert left(tmp_path) == ["file"] and told[-1] == ("Downloading", 1.0)


@pytest.mark.promise
def test_nothing_is_asked_when_going_online_is_not_allowed(fetch, server, tmp_path):
    with pytest.raises(DownloadError, match="Allow Online Access") as caught:
        fetch("good", online=False)
    assert caught.value.code == "OFFLINE" and not server.asked and not left(tmp_path)


def test_a_file_that_is_there_is_not_fetched_again(fetch, server, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    assert fetch("good", online=False) == tmp_path / "file" and not server.asked


@pytest.mark.promise
def test_only_https_is_followed(fetch, server):
    with pytest.raises(DownloadError, match="https"):
        fetch("good", schemes=("https",))
    assert not server.asked
    with pytest.raises(DownloadError, match="ftp://127.0.0.1/file is not an http address"):
        fetch("redirect")


@pytest.mark.promise
def test_a_broken_download_goes_on_where_it_stopped(fetch, server, tmp_path):
    assert fetch("breaks").read_bytes() == CONTENT
    assert [start for _, start in server.asked] == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_what_arrived_is_kept_for_the_next_time(fetch, server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    with pytest.raises(DownloadError, match="try again later"):
        fetch("breaks")
    assert left(tmp_path) == ["file.part"]
    with pytest.raises(DownloadError, match="try again later"):
        fetch("stuck")
    assert fetch("good").read_bytes() == CONTENT and server.asked[-1][1] == "bytes=300000-"


def test_a_server_without_ranges_starts_again(fetch, tmp_path):
    (tmp_path / "file.part").write_bytes(b"something else")
    assert fetch("no-range").read_bytes() == CONTENT


@pytest.mark.promise
@pytest.mark.parametrize(
    "place, said",
    [("long", "bytes where"), ("short", "bytes where"), ("endless", "longer than"), ("other", "SHA-256"), ("absent", "404")],
)
def test_liars_are_refused_and_leave_nothing(fetch, tmp_path, place, said):
    with pytest.raises(DownloadError, match=said):
        fetch(place)
    assert not left(tmp_path)


def test_a_full_disk_is_said_before(fetch, server, tmp_path):
    with pytest.raises(DownloadError, match="too little free space"):
        fetch("good", size=2**60)
    assert not server.asked


def test_it_can_be_cancelled(fetch, tmp_path):
    def stop(stage, fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        fetch("good", progress=stop)
    assert left(tmp_path) == ["file.part"]
