"""Packs: what is opened is exactly what was sealed, and nothing in it can run code."""

import gzip
import json
import os
import pickle
import shutil
import tomllib

import numpy as np
import pytest
import tomli_w
from safetensors.numpy import save_file

from cliphead_addon.engine import packs
from cliphead_addon.engine.errors import PackError

MANIFEST = {
    "format": 1,
    "name": "tiny",
    "version": "1.2.0",
    "license": "CC0-1.0",
    "credits": ["The test."],
    "box": {"low": [-0.5, -0.5, -0.75], "high": [0.5, 0.75, 0.5]},
    "parts": {
        "identity": {"implementation": "nphm", "file": "identity.safetensors", "config": {"hidden": 8}},
        "text": {"implementation": "open_clip", "folder": "text"},
    },
}


def write_pack(folder, manifest=MANIFEST):
    (folder / "text").mkdir(parents=True)
    weights = {"weight": np.linspace(0, 1, 6, dtype=np.float16).reshape(2, 3), "slots": np.arange(4)}
    save_file(weights, folder / "identity.safetensors")
    (folder / "text" / "model.json").write_text(json.dumps({"layers": 2}), encoding="utf-8")
    (folder / "text" / "bpe.txt.gz").write_bytes(gzip.compress(b"a b\n", mtime=0))
    (folder / "pack.toml").write_text(tomli_w.dumps(manifest), encoding="utf-8")
    return packs.seal(folder)


@pytest.fixture
def pack(tmp_path):
    return write_pack(tmp_path / "tiny")


def forge(folder, change):
    """Change a sealed manifest and make its own sum right again, as an attacker would."""
    manifest = tomllib.loads((folder / "pack.toml").read_text(encoding="utf-8"))
    manifest.pop("seal")
    change(manifest)
    body = tomli_w.dumps(manifest)
    (folder / "pack.toml").write_text(packs._seal_line(body) + "\n" + body, encoding="utf-8")


def test_half_precision_weights_come_back_as_float32_and_integers_as_integers(pack):
    tensors = pack.tensors("identity.safetensors")
    assert tensors["weight"].dtype == np.float32
    np.testing.assert_allclose(tensors["weight"], np.linspace(0, 1, 6).reshape(2, 3), atol=1e-3)
    np.testing.assert_array_equal(tensors["slots"], np.arange(4))


def test_a_part_names_its_place_and_keeps_its_options(pack):
    part = pack.part("identity")
    assert part["file"] == pack.folder / "identity.safetensors"
    assert part["config"] == {"hidden": 8}
    assert pack.part("text")["folder"] == pack.folder / "text"
    assert pack.tensors(part["file"]).keys() == {"weight", "slots"}


def test_a_part_may_name_an_architecture_instead_of_files(pack):
    forge(pack.folder, lambda manifest: manifest["parts"].update(text={"architecture": "ViT-B-32", "weights": "openai"}))
    assert packs.open_pack(pack.folder).part("text") == {"architecture": "ViT-B-32", "weights": "openai"}


def test_an_absent_part_is_named_together_with_those_present(pack):
    with pytest.raises(PackError, match="no part 'texture'.*identity, text"):
        pack.part("texture")


@pytest.mark.promise
@pytest.mark.parametrize("name", ["pack.toml", "identity.safetensors", "text/model.json", "text/bpe.txt.gz"])
def test_one_flipped_bit_in_any_byte_is_found_and_its_file_named(pack, name):
    path = pack.folder / name
    intact = path.read_bytes()
    for position in range(len(intact)):
        damaged = bytearray(intact)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(PackError, match=path.name):
            packs.open_pack(pack.folder)
    path.write_bytes(intact)
    packs.open_pack(pack.folder)


def test_a_file_cut_short_says_how_much_is_left(pack):
    path = pack.folder / "identity.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(PackError, match=r"identity\.safetensors has \d+ bytes instead of \d+"):
        packs.open_pack(pack.folder)


def test_missing_and_unlisted_files_are_named(pack):
    (pack.folder / "text" / "extra.json").write_text("{}", encoding="utf-8")
    with pytest.raises(PackError, match=r"extra\.json is not listed"):
        packs.open_pack(pack.folder)
    (pack.folder / "text" / "extra.json").unlink()
    (pack.folder / "text" / "model.json").unlink()
    with pytest.raises(PackError, match=r"model\.json is missing"):
        packs.open_pack(pack.folder)


def test_what_file_managers_leave_behind_does_no_harm(pack):
    (pack.folder / ".DS_Store").write_bytes(b"\0\1")
    packs.open_pack(pack.folder)


ESCAPES = ["/etc/passwd", "../outside.json", "text/../../outside.json", "C:/x.json", "text\\model.json", "./a.json"]


@pytest.mark.promise
@pytest.mark.parametrize("name", ESCAPES)
def test_paths_that_could_leave_the_pack_are_refused(pack, name):
    forge(pack.folder, lambda manifest: manifest["files"].update({name: {"size": 1, "sha256": "0" * 64}}))
    with pytest.raises(PackError, match="not a plain path inside the pack"):
        packs.open_pack(pack.folder)


@pytest.mark.promise
@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_that_leave_the_pack_are_refused(pack, tmp_path):
    shutil.move(pack.folder / "text", tmp_path / "elsewhere")
    (pack.folder / "text").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PackError, match="link that leaves the pack"):
        packs.open_pack(pack.folder)


def test_pickles_are_refused_by_name(pack):
    (pack.folder / "model.pt").write_bytes(pickle.dumps({}))
    with pytest.raises(PackError, match=r"model\.pt is of a kind that can run code"):
        packs.seal(pack.folder)


@pytest.mark.promise
@pytest.mark.parametrize("start", [pickle.dumps({"a": 1}, 2), pickle.dumps({"a": 1}, 5), b"PK\3\4 a torch archive"])
def test_pickles_are_refused_by_their_first_bytes_whatever_their_name(pack, start):
    for name in ("identity.safetensors", "text/model.json"):
        intact = (pack.folder / name).read_bytes()
        (pack.folder / name).write_bytes(start)
        with pytest.raises(PackError, match="can run code when opened"):
            packs.seal(pack.folder)
        (pack.folder / name).write_bytes(intact)


@pytest.mark.promise
@pytest.mark.parametrize("name", ["run.py", "weights.h5", "noextension", "library.so"])
def test_other_kinds_of_files_are_refused(pack, name):
    (pack.folder / name).write_bytes(b"x")
    with pytest.raises(PackError, match="files only"):
        packs.seal(pack.folder)


@pytest.mark.promise
@pytest.mark.parametrize(
    "header",
    [
        b"not json",
        b"[]",
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        b'{"a":{"dtype":"F32","shape":[1]}}',
        b"{}",
        b"[" * 10000,
    ],
)
def test_a_safetensors_header_that_disagrees_with_its_file_is_refused(pack, header):
    (pack.folder / "identity.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(PackError, match="identity.safetensors is not a valid safetensors file"):
        packs.seal(pack.folder)


@pytest.mark.promise
def test_a_header_longer_than_the_file_is_never_read(pack):
    (pack.folder / "identity.safetensors").write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    with pytest.raises(PackError, match="header of"):
        packs.seal(pack.folder)


def test_diverged_weights_are_refused(pack):
    save_file({"weight": np.array([1, np.nan], np.float32)}, pack.folder / "identity.safetensors")
    with pytest.raises(PackError, match="'weight'.*not finite"):
        packs.seal(pack.folder).tensors("identity.safetensors")


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("format", {"format": 2}),
        ("name", {"name": ""}),
        ("version", {"version": 1}),
        ("license", {"license": False}),
        ("credits", {"credits": "somebody"}),
        ("box", {"box": [0, 1]}),
        ("box.low", {"box": {"low": [0.0, 0.0], "high": [1.0, 1.0, 1.0]}}),
        ("box.high", {"box": {"low": [0.0, 0.0, 0.0], "high": [1.0, 1.0, 0.0]}}),
        ("parts", {"parts": 3}),
        ("parts.identity", {"parts": {"identity": {"implementation": "nphm"}}}),
        ("parts.identity", {"parts": {"identity": {"file": "identity.safetensors", "pack": "other"}}}),
        ("parts.identity.file", {"parts": {"identity": {"file": "other.safetensors"}}}),
        ("parts.text.folder", {"parts": {"text": {"folder": "../text"}}}),
        ("files.text/model.json", {"files": {"text/model.json": "abc"}}),
    ],
)
def test_a_wrong_key_is_named(pack, key, change):
    forge(pack.folder, lambda manifest: manifest.update(change))
    with pytest.raises(PackError, match=rf"pack\.toml: {key} "):
        packs.open_pack(pack.folder)


@pytest.mark.parametrize("key", ["format", "name", "box", "parts", "files"])
def test_a_missing_key_is_named(pack, key):
    forge(pack.folder, lambda manifest: manifest.pop(key))
    with pytest.raises(PackError, match=f"{key} must be .*found nothing"):
        packs.open_pack(pack.folder)


def test_a_missing_pack_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(PackError, match="No model pack 'nowhere'"):
        packs.open_pack("nowhere")
    with pytest.raises(PackError, match=str(tmp_path)):
        packs.open_pack(tmp_path)


@pytest.mark.parametrize("reference", ["tiny", "../tiny"])
def test_a_borrowed_part_is_found_verified_and_overridable(pack, tmp_path, reference):
    part = {"pack": reference, "implementation": "other"}
    borrower = write_pack(tmp_path / "mixed", MANIFEST | {"name": "mixed", "parts": MANIFEST["parts"] | {"identity": part}})
    assert borrower.part("identity")["file"] == pack.folder / "identity.safetensors"
    assert borrower.part("identity")["config"] == {"hidden": 8}
    assert borrower.part("identity")["implementation"] == "other"
    assert borrower.tensors(borrower.part("identity")["file"]).keys() == {"weight", "slots"}
    (pack.folder / "text" / "model.json").write_text("{}", encoding="utf-8")
    with pytest.raises(PackError, match=r"tiny.*model\.json"):
        packs.open_pack(borrower.folder)


def test_the_box_comes_with_the_head_model(pack, tmp_path):
    manifest = MANIFEST | {"box": {"low": [-9.0] * 3, "high": [9.0] * 3}, "parts": {"identity": {"pack": "tiny"}}}
    low, high = write_pack(tmp_path / "mixed", manifest).box
    np.testing.assert_array_equal(low, pack.box[0])
    np.testing.assert_array_equal(high, pack.box[1])


@pytest.mark.promise
@pytest.mark.parametrize(
    "place", ["/srv/other", "../../other", "a/../../other", "\\\\server\\share", "C:other", "~/other", "."]
)
def test_a_pack_borrows_only_from_its_neighbours(pack, place):
    forge(pack.folder, lambda manifest: manifest["parts"].update(text={"pack": place}))
    with pytest.raises(PackError, match="neither a pack beside this one nor a bundled one"):
        packs.open_pack(pack.folder)


def test_packs_that_borrow_in_a_circle_are_refused(pack, tmp_path):
    write_pack(tmp_path / "mixed", MANIFEST | {"parts": {"identity": {"pack": "tiny"}}})
    forge(pack.folder, lambda manifest: manifest["parts"].update(text={"pack": "mixed"}))
    with pytest.raises(PackError, match="circle: tiny -> mixed -> tiny"):
        packs.open_pack(pack.folder)


def test_files_outside_the_pack_cannot_be_asked_for(pack):
    for name in ("../x.json", "/etc/passwd", "text/none.json"):
        with pytest.raises(PackError, match="not a file of pack"):
            pack.path(name)


def test_a_pack_grows_part_by_part(tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    save_file({"smile": np.zeros(4, np.float16)}, folder / "expressions.safetensors")
    assert packs.set_part(folder, "expressions", {"file": "expressions.safetensors"}) is None
    top = {key: value for key, value in MANIFEST.items() if key != "parts"}
    save_file({"weight": np.zeros(2, np.float16)}, folder / "identity.safetensors")
    pack = packs.set_part(folder, "identity", {"file": "identity.safetensors"}, **top)
    assert pack.parts == ("expressions", "identity")
    assert pack.tensors("expressions.safetensors")["smile"].shape == (4,)


def test_sealing_twice_changes_nothing(pack):
    first = (pack.folder / "pack.toml").read_bytes()
    packs.seal(pack.folder)
    assert (pack.folder / "pack.toml").read_bytes() == first


@pytest.mark.promise
def test_text_that_unpacks_to_gigabytes_is_refused(pack, monkeypatch):
    monkeypatch.setattr(packs, "TEXT_LIMIT", 1 << 20)
    (pack.folder / "text" / "bpe.txt.gz").write_bytes(gzip.compress(bytes(3 << 20)))
    with pytest.raises(PackError, match="bpe.txt.gz unpacks to more than 1 MB"):
        packs.seal(pack.folder)


@pytest.mark.promise
@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "9" * 10_000,
        "a = {" * 50_000,
        "a" + ".a" * 9000 + " = 1",
        "format" + ".a" * 9000 + " = 1",
    ],
)
def test_a_manifest_that_is_nested_or_long_beyond_reason_is_refused(pack, text):
    (pack.folder / "pack.toml").write_text(packs._seal_line(text) + "\n" + text, encoding="utf-8")
    with pytest.raises(PackError, match="pack.toml"):
        packs.open_pack(pack.folder)


@pytest.mark.parametrize("shape", ["[2.0]", "[true, 2]", "[NaN]", "[1e400]", "[]"])
def test_sizes_that_are_no_counts_are_refused(pack, shape):
    header = b'{"a":{"dtype":"F16","shape":%s,"data_offsets":[0,4]}}' % shape.encode()
    (pack.folder / "identity.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(PackError, match="not a valid safetensors file"):
        packs.seal(pack.folder)
