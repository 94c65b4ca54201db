"""The scripts in the documentation run, against the stand-in engine."""

import ast
import re
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = "bl_ext.user_default.cliphead"


def scripts():
    """(page, script) of the fenced blocks; one that does not import the add-on goes on where the one before ended."""
    found = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            if INSTALLED in block:
                found.append((page.name, block))
            else:
                assert found and found[-1][0] == page.name, f"{page.name}: this script imports nothing:\n{block}"
                found[-1] = page.name, found[-1][1] + block
    return found


SCRIPTS = scripts()


def test_there_are_scripts():
    assert len(SCRIPTS) >= 3


@pytest.mark.parametrize("page, script", SCRIPTS)
def test_a_script_of_the_documentation_makes_its_head(page, script, session):
    ast.parse(script)
    exec(compile(script.replace(INSTALLED, "cliphead_addon"), page, "exec"), {})
    assert any(obj.type == "MESH" for obj in bpy.data.objects)
