"""The scripts in the documentation run, against the stand-in engine."""

import ast
import re
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [
    (page.name, script)
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for script in re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
]


def test_there_are_scripts():
    assert len(SCRIPTS) >= 3


@pytest.mark.parametrize("page, script", SCRIPTS)
def test_a_script_of_the_documentation_makes_its_head(page, script, session):
    ast.parse(script)
    installed = "bl_ext.user_default.cliphead"
    assert installed in script
    exec(compile(script.replace(installed, "cliphead_addon"), page, "exec"), {})
    assert any(obj.type == "MESH" for obj in bpy.data.objects)
