"""Registering, and what it must not do."""

import subprocess
import sys

import bpy

import cliphead_addon


def test_registers_and_unregisters_twice(session):
    for _ in range(2):
        cliphead_addon.unregister()
        assert not hasattr(bpy.types.Scene, "cliphead")
        assert not hasattr(bpy.types, "CLIPHEAD_PT_main")
        cliphead_addon.register()
        assert bpy.context.scene.cliphead.seed == 0


def test_registering_starts_no_process(session):
    assert session.state.client is None


def test_every_operator_property_and_class_says_what_it_is():
    from cliphead_addon.blender import CLASSES

    for cls in CLASSES:
        for prop in cls.bl_rna.properties:
            if prop.identifier in getattr(cls, "__annotations__", {}):
                assert prop.name and prop.description and not prop.description.endswith("."), (cls, prop.identifier)
                assert prop.type != "ENUM" or all(item.description for item in prop.enum_items)


def test_blenders_side_imports_neither_torch_nor_scipy():
    script = (
        "import sys, cliphead_addon; cliphead_addon.register(); from cliphead_addon.blender import api, studio;"
        "heavy = {'torch', 'scipy', 'skimage', 'diffusers', 'PIL'} & set(sys.modules); print(heavy); sys.stdout.flush();"
        "import os; os._exit(bool(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=cliphead_addon.__path__[0] + "/.."
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_expression_field_offers_the_packs_names(tmp_path):
    from cliphead_addon.blender.properties import names_in_pack

    header = b'{"smile":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"__metadata__":{"a":"b"}}'
    (tmp_path / "expressions.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    (tmp_path / "pack.toml").write_text('[parts.expressions]\nfile = "expressions.safetensors"\n')
    assert names_in_pack(tmp_path) == ("smile",)
    assert names_in_pack(tmp_path / "nowhere") == ()
