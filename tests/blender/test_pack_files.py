"""Packs from a file and from the network, through Blender's buttons."""

import hashlib
import http.server
import threading
import zipfile

import bpy
import numpy as np
import pytest
from safetensors.numpy import save_file

from cliphead_addon.blender import pack_files, preferences
from cliphead_addon.engine import downloads
from cliphead_addon.engine.packs import set_part

ABOUT = dict(name="tiny", version="1", license="CC0-1.0", credits=[], box={"low": [-1.0] * 3, "high": [1.0] * 3})


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A pack's zip, and a data folder of its own."""
    (tmp_path / "source").mkdir()
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "source" / "a.safetensors")
    set_part(tmp_path / "source", "bases", {"file": "a.safetensors"}, **ABOUT)
    with zipfile.ZipFile(tmp_path / "tiny.zip", "w") as file:
        for path in (tmp_path / "source").iterdir():
            file.write(path, path.name)
    monkeypatch.setattr(preferences, "data_folder", lambda: tmp_path / "data")
    monkeypatch.setattr(preferences, "choose_pack", lambda folder: chosen.append(folder))
    chosen = []
    return tmp_path / "tiny.zip", chosen


@pytest.fixture
def server(archive):
    """An address that serves the archive."""
    content = archive[0].read_bytes()

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/tiny.zip", str(len(content)), hashlib.sha256(content).hexdigest()
        server.shutdown()


def test_a_pack_is_installed_from_a_file_and_chosen(archive, tmp_path):
    path, chosen = archive
    assert bpy.ops.cliphead.install_pack(filepath=str(path)) == {"FINISHED"}
    assert chosen == [(tmp_path / "data/packs/tiny").resolve()]
    with pytest.raises(RuntimeError, match="already"):
        bpy.ops.cliphead.install_pack(filepath=str(path))


def test_a_file_that_is_no_pack_is_one_message(archive, tmp_path):
    (tmp_path / "other.zip").write_bytes(b"no zip")
    with pytest.raises(RuntimeError, match="not a whole zip archive"):
        bpy.ops.cliphead.install_pack(filepath=str(tmp_path / "other.zip"))
    assert archive[1] == []


def test_a_window_goes_on_while_a_pack_is_unpacked(archive, session, monkeypatch):
    """What the button does in a window: begin, and let the timer tell."""
    path, chosen = archive
    go_on, unpack = threading.Event(), pack_files.install_pack
    monkeypatch.setattr(pack_files, "install_pack", lambda *arguments: go_on.wait() and unpack(*arguments))
    pack_files.begin(pack_files.Unpacking(str(path)))
    assert pack_files.told() is not None and not chosen
    with pytest.raises(RuntimeError, match="wait for it"):
        bpy.ops.cliphead.install_pack(filepath=str(path))
    thread = pack_files.state.arrival.thread
    go_on.set()
    thread.join()
    assert pack_files.told() is None and len(chosen) == 1
    assert session.state.message.startswith("The pack 'tiny' 1") and not session.state.failed


def test_unpacking_can_be_stopped(archive, session, monkeypatch, tmp_path):
    path, chosen = archive
    go_on, unpack = threading.Event(), pack_files.install_pack
    monkeypatch.setattr(pack_files, "install_pack", lambda *arguments: go_on.wait() and unpack(*arguments))
    pack_files.begin(pack_files.Unpacking(str(path)))
    thread = pack_files.state.arrival.thread
    bpy.ops.cliphead.stop_download()
    go_on.set()
    thread.join()
    assert pack_files.told() is None and not chosen and not session.state.failed
    assert list((tmp_path / "data/packs").iterdir()) == []


@pytest.mark.promise
def test_blender_downloads_only_when_it_may_go_online(archive, server, session):
    url, size, sha256 = server
    assert not bpy.app.online_access  # Blender's own default
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.cliphead.download_pack(url=url, size=size, sha256=sha256)
    fetch = pack_files.Fetch(url, int(size), sha256)
    fetch.thread.join()
    assert fetch.error.code == "OFFLINE"


def test_a_download_is_installed_and_its_archive_goes(archive, server, session, monkeypatch, tmp_path):
    url, size, sha256 = server
    monkeypatch.setattr(downloads, "SPARE", 0)
    monkeypatch.setattr(bpy.context.preferences.system, "use_online_access", True)
    monkeypatch.setattr(downloads, "_check_scheme", lambda url, schemes: None)
    assert bpy.ops.cliphead.download_pack(url=url, size=size, sha256=sha256) == {"FINISHED"}
    assert "The pack 'tiny' 1 (CC0-1.0) is in" in session.state.message
    assert [path.name for path in (tmp_path / "data/packs").iterdir()] == ["tiny"] and len(archive[1]) == 1


def test_a_wrong_download_is_one_message(archive, server, session, monkeypatch):
    url, size, _ = server
    monkeypatch.setattr(bpy.context.preferences.system, "use_online_access", True)
    for choices, said in (({"sha256": "x"}, "SHA-256"), ({"size": "many"}, "size in bytes")):
        with pytest.raises(RuntimeError, match=said):
            bpy.ops.cliphead.download_pack(**{"url": url, "size": size, "sha256": "0" * 64} | choices)
    with pytest.raises(RuntimeError, match="https"):
        bpy.ops.cliphead.download_pack(url=url, size=size, sha256="0" * 64)
    assert session.state.failed and "https" in session.state.message and archive[1] == []
