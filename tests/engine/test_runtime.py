"""The engine's packages out of their wheels: whole or not at all, once for all Blenders, gone with the last one."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from cliphead_addon.engine import runtime
from cliphead_addon.engine.errors import Cancelled, StorageError
from cliphead_addon.engine.runtime import EngineError, prepare, sign_in, sign_out, use

ROOT = Path(runtime.__file__).parents[2]
PYTHON = ".".join(map(str, sys.version_info[:2]))


def entry(name, mode=0o100644):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


FILES = {
    entry("noses/__init__.py"): "wide = 3\n",
    entry("noses/helper", 0o100755): "#!/bin/sh\n",
    entry("noses/tests/test_noses.py"): "assert False\n",
    entry("noses-1.0.dist-info/METADATA"): "Name: noses\n",
    entry("noses-1.0.dist-info/licenses/LICENSE"): "free\n",
    entry("noses-1.0.data/purelib/chins.py"): "strong = True\n",
    entry("noses-1.0.data/scripts/nose"): "#!python\n",
    entry("noses.pth"): "import os\n",
}


@pytest.fixture
def extension(tmp_path):
    """make(files, **changes of the listing's entry) -> the wheelhouse of an extension with one wheel."""

    def make(files=FILES, name="extension", python=PYTHON, **changes):
        house = tmp_path / name / "wheelhouse"
        house.mkdir(parents=True, exist_ok=True)
        wheel = house / "noses-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            for place, text in files.items():
                archive.writestr(place, text)
            unpacked = sum(info.file_size for info in archive.infolist())
        sums = {"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(), "size": wheel.stat().st_size, "unpacked": unpacked}
        listing = {"format": 1, "python": python, "platform": runtime.computer()}
        (house / "wheels.json").write_text(json.dumps({**listing, "wheels": [{"file": wheel.name, **sums, **changes}]}))
        return house

    return make


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def silent(_stage, _fraction):
    pass


def engines(data):
    return sorted(path.name for path in (data / "engine").iterdir()) if (data / "engine").exists() else []


def test_what_the_engine_needs_is_unpacked_and_the_rest_is_not(extension, data):
    folder = prepare(extension(), data, silent)
    there = {str(path.relative_to(folder).as_posix()) for path in folder.rglob("*") if path.is_file()}
    expected = {"noses/__init__.py", "noses/helper", "noses-1.0.dist-info/METADATA", "chins.py", runtime.CONTENTS}
    assert there == expected and folder.name.startswith("cp3") and len(folder.name) <= 14
    if os.name == "posix":
        assert os.access(folder / "noses/helper", os.X_OK) and not os.access(folder / "chins.py", os.X_OK)


@pytest.mark.promise
def test_the_worker_imports_from_it_and_from_no_other_packages(extension, data, monkeypatch):
    monkeypatch.setattr(sys, "path", ["/usr/lib/python3", "/somewhere/site-packages", "/usr/lib/dist-packages/"])
    house = extension()
    use(house, data, silent)
    assert sys.path == [str(prepare(house, data, silent)), "/usr/lib/python3"]


def test_it_is_unpacked_once(extension, data):
    house, told = extension(), []
    first = prepare(house, data, silent)
    changed = (first / "chins.py").stat().st_mtime_ns
    assert prepare(house, data, lambda *step: told.append(step)) == first
    assert (first / "chins.py").stat().st_mtime_ns == changed and told == []


@pytest.mark.promise
@pytest.mark.parametrize("damage", ["shorter", "gone", "no contents"])
def test_a_damaged_engine_is_unpacked_again(extension, data, damage):
    house = extension()
    folder = prepare(house, data, silent)
    if damage == "shorter":
        (folder / "chins.py").write_text("")
    else:
        (folder / {"gone": "chins.py", "no contents": runtime.CONTENTS}[damage]).unlink()
    assert prepare(house, data, silent) == folder and (folder / "chins.py").read_text() == "strong = True\n"
    assert engines(data) == [folder.name]


@pytest.mark.promise
def test_two_blenders_at_once_unpack_it_once(extension, data, monkeypatch):
    house, made, waited, folders = extension(), [], threading.Event(), []
    real = runtime.unpack

    def slowly(*arguments):
        made.append(1)
        assert waited.wait(10)  # until the other one has found the lock taken
        real(*arguments)

    def progress(stage, _fraction):
        if stage.startswith("Another Blender"):
            waited.set()

    monkeypatch.setattr(runtime, "unpack", slowly)
    both = [threading.Thread(target=lambda: folders.append(prepare(house, data, progress))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(20)
    assert made == [1] and len(folders) == 2 and folders[0] == folders[1]


@pytest.mark.promise
@pytest.mark.parametrize(
    "place, text, said",
    [
        ("../evil.py", "x", "plain path"),
        ("/evil.py", "x", "plain path"),
        ("noses\\evil.py", "x", "plain path"),
        ("C:evil.py", "x", "plain path"),
        ("NOSES/__init__.py", "x", "plain path"),
        (entry("noses/link", 0o120777), "/etc/passwd", "is a link"),
        ("zeros.py", "\0" * (1 << 24), "1000 times"),
    ],
)
def test_a_hostile_wheel_leaves_nothing(extension, data, tmp_path, place, text, said):
    with pytest.raises(EngineError, match=said):
        prepare(extension({**FILES, place: text}), data, silent)
    assert engines(data) == [] and not list(tmp_path.rglob("evil.py"))


@pytest.mark.promise
@pytest.mark.parametrize(
    "changes, said",
    [
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"unpacked": 10}, "more than the 10 bytes"),
        ({"file": "absent.whl"}, "missing"),
        ({"file": "../noses.whl"}, "no wheel's name"),
        ({"unpacked": 1 << 40}, "proper sum or size"),
        ({"unpacked": "many"}, "not a list of wheels"),
    ],
)
def test_a_damaged_wheelhouse_says_what_to_do(extension, data, changes, said):
    with pytest.raises(EngineError, match=said) as caught:
        prepare(extension(**changes), data, silent)
    assert caught.value.code == "BAD_ENGINE" and engines(data) == []


def test_it_needs_nothing_but_python(extension, data):
    """It runs before there is anything else: without site-packages."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from cliphead_addon.engine import runtime;"
        "print(runtime.prepare(sys.argv[2], sys.argv[3], lambda *step: None))"
    )
    words = [sys.executable, "-I", "-S", "-c", script, str(ROOT), str(extension()), str(data)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip().endswith(engines(data)[0]), done.stderr


def test_another_python_is_told_apart(extension, data):
    with pytest.raises(EngineError, match="packages for Python 2.7.*External Python") as caught:
        prepare(extension(python="2.7"), data, silent)
    assert caught.value.code == "WRONG_PYTHON"


def test_cancelling_leaves_nothing_half_made(extension, data):
    def cancel(_stage, _fraction):
        raise Cancelled()

    with pytest.raises(Cancelled):
        prepare(extension(), data, cancel)
    assert engines(data) == []


def test_what_a_killed_blender_left_is_cleared(extension, data):
    (data / "engine" / ".cp311-old" / "torch").mkdir(parents=True)
    prepare(extension(), data, silent)
    assert len(engines(data)) == 1


def test_a_full_disk_is_told_before_anything_is_written(extension, data, monkeypatch):
    monkeypatch.setattr(runtime.shutil, "disk_usage", lambda path: SimpleNamespace(free=1 << 20))
    with pytest.raises(StorageError, match="has 1 MB free"):
        prepare(extension(), data, silent)
    assert engines(data) == []


def test_a_folder_that_cannot_be_written_to_is_told(extension, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="choose another data folder"):
        prepare(extension(), tmp_path / "file" / "data", silent)


def test_a_new_version_takes_the_old_engines_place(extension, data):
    old = prepare(extension(), data, silent)
    new = prepare(extension({**FILES, "ears.py": "two = 2"}), data, silent)
    assert old != new and engines(data) == [new.name]


def test_every_blender_keeps_its_engine_and_the_last_one_out_deletes_everything(extension, data):
    first = prepare(extension(name="blender-4.5"), data, silent)
    second = prepare(extension({**FILES, "ears.py": "two = 2"}, name="blender-5.0"), data, silent)
    (data / "packs" / "mine").mkdir(parents=True)
    assert engines(data) == sorted([first.name, second.name])
    remove(data.parent / "blender-4.5")
    sign_out(data)
    assert engines(data) == [second.name] and (data / "packs" / "mine").is_dir()
    remove(data.parent / "blender-5.0")
    sign_out(data)
    assert not data.exists()


def test_packs_stay_where_the_user_asked_for_it(extension, data):
    prepare(extension(), data, silent)
    (data / "packs" / "mine").mkdir(parents=True)
    remove(data.parent / "extension")
    sign_out(data, keep=("packs",))
    assert [path.name for path in data.iterdir()] == ["packs"]


def test_a_slim_extension_counts_as_a_user(extension, data, tmp_path):
    (tmp_path / "slim").mkdir()
    prepare(extension(), data, silent)
    sign_in(data, tmp_path / "slim", "")
    remove(data.parent / "extension")
    (data / "packs").mkdir()
    sign_out(data)
    assert engines(data) == [] and (data / "packs").is_dir()


def remove(folder):
    runtime.shutil.rmtree(folder)
