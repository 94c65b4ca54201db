"""The pages about the panel and about scripting are true."""

import re
from pathlib import Path

import bpy

from cliphead_addon.blender import api

DOCS = Path(__file__).parents[2] / "docs"


def test_the_examples_of_the_scripting_page_run(session, capsys):
    examples = re.findall(r"```python\n(.*?)```", (DOCS / "scripting.md").read_text(encoding="utf-8"), re.DOTALL)
    scope = {"api": api}
    for example in examples[1:]:  # the first imports the installed extension
        exec(example, scope)
    assert "{'nose width': 1.5}" in capsys.readouterr().out
    assert len(scope["row"]) == 2 and scope["child"] != scope["twin"] and scope["copy"].location.x == 4
    named = set(re.findall(r"^## (.*)$", (DOCS / "scripting.md").read_text(encoding="utf-8"), re.MULTILINE))
    public = {name for name, value in vars(api).items() if getattr(value, "__module__", "") == api.__name__ and name[0] != "_"}
    assert {name for line in named for name in line.split(" and ")} == public


def test_every_operator_has_a_line_on_the_panel_page(session):
    text = (DOCS / "panel.md").read_text(encoding="utf-8")
    operators = {f"cliphead.{name}" for name in dir(bpy.ops.cliphead)}
    missing = sorted(name for name in operators if name not in text)
    assert operators and not missing, missing
    for name in re.findall(r"`(cliphead\.\w+)", text):
        assert name in operators, name
