"""Packs from zip archives, whole ones and hostile ones."""

import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from cliphead_addon.engine.errors import Cancelled, PackError
from cliphead_addon.engine.pack_archive import install_pack
from cliphead_addon.engine.packs import set_part
from tools import install_pack as install_pack_command

ABOUT = dict(name="tiny", version="1", license="CC0-1.0", credits=[], box={"low": [-1.0] * 3, "high": [1.0] * 3})


@pytest.fixture
def files(tmp_path):
    """A pack's files: name -> bytes."""
    folder = tmp_path / "source"
    folder.mkdir()
    save_file({"a": np.zeros(3, np.float32)}, folder / "a.safetensors")
    set_part(folder, "bases", {"file": "a.safetensors"}, **ABOUT)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def install(tmp_path):
    def install(files, **choices):
        """files: name or ZipInfo -> bytes"""
        with zipfile.ZipFile(tmp_path / "pack.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return install_pack(tmp_path / "pack.zip", tmp_path / "packs", **choices)

    return install


def left(tmp_path):
    folder = tmp_path / "packs"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("prefix", ["", "tiny-1.0/"])
def test_a_pack_is_unpacked_under_its_name(install, files, tmp_path, prefix):
    pack = install({prefix + name: content for name, content in files.items()})
    assert pack.folder == (tmp_path / "packs/tiny").resolve() and left(tmp_path) == ["tiny"]
    assert pack.tensors("a.safetensors")["a"].shape == (3,)


def test_a_pack_that_is_there_is_not_replaced(install, files, tmp_path):
    install(files)
    with pytest.raises(PackError, match="already"):
        install(files)
    assert left(tmp_path) == ["tiny"]


def symlink(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.promise
@pytest.mark.parametrize(
    "more, said",
    [
        ({"../evil.txt": b"x"}, "plain path"),
        ({"/evil.txt": b"x"}, "plain path"),
        ({"C:\\evil.txt": b"x"}, "plain path"),
        ({"A.safetensors": b"x"}, "plain path"),
        ({"stra\u00dfe.txt": b"x", "STRASSE.txt": b"x"}, "plain path"),
        ({"a.txt ": b"x"}, "plain path"),
        ({"line\nbreak.txt": b"x"}, "plain path"),
        ({symlink("link.txt"): b"/etc/passwd"}, "is a link"),
        ({f"{i}.txt": b"" for i in range(2000)}, "2002 files"),
        ({"evil.pkl": b"x"}, "can run code"),
        ({"more.txt": b"x"}, "not listed"),
        ({"pack.toml": b"seal = 1"}, "damaged"),
    ],
)
def test_hostile_archives_leave_nothing(install, files, tmp_path, more, said):
    with pytest.raises(PackError, match=said):
        install(files | more)
    assert not left(tmp_path) and not (tmp_path / "evil.txt").exists()


@pytest.mark.promise
def test_bombs_are_refused_before_they_are_unpacked(install, files, tmp_path):
    with pytest.raises(PackError, match="1000 times"):
        install(files | {"zeros.txt": bytes(1 << 24)})
    assert not left(tmp_path)


@pytest.mark.promise
def test_files_that_share_their_bytes_are_refused(install, files, tmp_path):
    path = tmp_path / "pack.zip"
    noise = np.random.default_rng(0).bytes(5000)
    with pytest.raises(PackError, match="not listed"):
        install(files | {f"{number}.txt": noise for number in range(4)})
    with zipfile.ZipFile(path) as archive:
        first, *others = (entry.header_offset for entry in archive.infolist()[-4:])
    content = bytearray(path.read_bytes())
    for offset in others:  # all lists' entries point to the first one's bytes, and the others' bytes go
        at = content.rfind(offset.to_bytes(4, "little"))
        content[at : at + 4] = first.to_bytes(4, "little")
    end, listed = content.rfind(b"PK\5\6"), content.find(b"PK\1\2")
    del content[others[0] : listed]
    end = content.rfind(b"PK\5\6")
    content[end + 16 : end + 20] = others[0].to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(PackError, match="same bytes|whole zip"):
        install_pack(path, tmp_path / "packs")
    assert not left(tmp_path)


@pytest.mark.promise
@pytest.mark.parametrize("large", [False, True])
def test_a_list_of_a_million_files_is_refused_before_it_is_read(install, files, tmp_path, monkeypatch, large):
    path = tmp_path / "pack.zip"
    install(files)
    content = bytearray(path.read_bytes())
    end = content.rfind(b"PK\5\6")
    if large:  # zip64's own record has the size
        record = b"PK\6\6" + bytes(36) + (60_000_000).to_bytes(8, "little") + bytes(8) + b"PK\6\7" + bytes(16)
        content[end:end] = record
    else:
        content[end + 12 : end + 16] = (60_000_000).to_bytes(4, "little")
    path.write_bytes(content)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(PackError, match="lists too many files"):
        install_pack(path, tmp_path / "packs")


def test_a_file_longer_than_it_says_is_refused(install, files, tmp_path):
    path = tmp_path / "pack.zip"
    with pytest.raises(PackError):
        install(files | {"long.txt": b"abcdefgh" * 1000, "z/": b""})
    content = path.read_bytes()
    lying = content.replace((8000).to_bytes(4, "little"), (80).to_bytes(4, "little"))
    assert lying != content
    path.write_bytes(lying)
    with pytest.raises(PackError):
        install_pack(path, tmp_path / "packs")
    assert not left(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no zip at all"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "pack.zip").write_bytes(content)
    with pytest.raises(PackError, match="not a whole zip"):
        install_pack(tmp_path / "pack.zip", tmp_path / "packs")
    with pytest.raises(PackError):
        install_pack(tmp_path / "absent.zip", tmp_path / "packs")


def test_it_can_be_cancelled(install, files, tmp_path):
    def stop(stage, fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        install(files, progress=stop)
    assert not left(tmp_path)


def test_the_command_installs_a_file_and_says_where(install, files, tmp_path, capsys):
    install(files)
    assert install_pack_command.main([str(tmp_path / "pack.zip"), "--into", str(tmp_path / "mine")]) == 0
    assert str((tmp_path / "mine/tiny").resolve()) in capsys.readouterr().out
    assert install_pack_command.main([str(tmp_path / "pack.zip"), "--into", str(tmp_path / "mine")]) == 1
    assert "already" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        install_pack_command.main(["https://example.org/pack.zip"])
    assert install_pack_command.main(["http://127.0.0.1/pack.zip", "--size", "1", "--sha256", "00"]) == 1
    assert "https" in capsys.readouterr().err
