"""What the documentation tells people to type exists, and its table of errors is complete."""

import ast
import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest

from cliphead_addon.engine import commandline
from tools import dev

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"[A-Z]+(_[A-Z]+)*")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = (  # commands of other programs, word by word as we give them
    "pip install ray",
    "blender --background",
    "blender --background scene.blend --python script.py",
    "blender --background --command extension install-file --repo user_default --enable cliphead.zip",
)


def blocks(language):
    """(page, text) of the fenced blocks of a language."""
    return [(page.name, text) for page in PAGES for kind, text in FENCE.findall(page.read_text("utf-8")) if kind == language]


def commands():
    """(page, command) of every line that somebody is told to type."""
    found = []
    for page, text in blocks(""):
        lines = text.replace("\\\n", " ").splitlines()
        if not lines[0].startswith(("name,", "cliphead_addon")):  # a table, a tree of folders
            found += [(page, line.strip()) for line in lines if line.strip() and not line.startswith("#")]
    inline = re.compile(r"`((?:python3 |pip |blender -)[^`]+)`")
    return found + [(page.name, line) for page in PAGES for line in inline.findall(FENCE.sub("", page.read_text("utf-8")))]


class Understood(Exception):
    """The command's own parser has accepted the words; nothing was carried out."""


@pytest.fixture
def dry(monkeypatch):
    """Let commands come as far as their own parser."""
    parse = commandline.argparse.ArgumentParser.parse_args

    def accept(parser, *arguments):
        parse(parser, *arguments)
        raise Understood()

    def run(_python, module, arguments, **_more):
        if module != "pytest":
            monkeypatch.setattr(sys, "argv", [module, *arguments])
            importlib.import_module(module).main()
        return 0

    monkeypatch.setattr(commandline.argparse.ArgumentParser, "parse_args", accept)
    monkeypatch.setattr(dev, "run_module", run)
    monkeypatch.setattr(dev, "choose_engine", lambda: dev.ENGINES[0])
    monkeypatch.setattr(dev, "ensure", lambda environment: Path(sys.executable))
    return monkeypatch


@pytest.mark.parametrize("page, command", commands())
def test_every_command_is_understood_by_its_own_parser(page, command, dry):
    words = shlex.split(command, comments=True)
    assert "..." not in words, "an abbreviation is no command"
    if command in ELSEWHERE:
        return
    if words[:2] == ["python3", "tools/dev.py"]:
        try:
            assert dev.main(words[2:]) == 0
        except Understood:
            pass
        return
    with pytest.raises(Understood):
        if words[0] == "python3" and words[1].startswith("tools/"):
            dry.setattr(sys, "argv", words[1:])
            importlib.import_module(words[1].removesuffix(".py").replace("/", ".")).main()
        elif words[:4] == ["blender", "--background", "--command", "cliphead"]:
            commandline.parse(words[4:], "cliphead", "")
        else:
            pytest.fail(f"{page}: nobody here knows '{command}'")


def test_there_are_commands_to_test():
    assert len(commands()) > 30 and len({page for page, _ in commands()}) > 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page):
    text = FENCE.sub("", page.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)#]+)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        assert (page.parent / picture).stat().st_size < (500 if page.name == "README.md" else 150) * 1000, picture


def test_the_readme_leads_to_every_page():
    readme = PAGES[0].read_text("utf-8")
    assert all(f"(docs/{page.name})" in readme for page in PAGES[1:])


def test_every_error_code_is_explained_and_no_other():
    """Codes are a class's `code`, an error's second argument, or the `code` of a message."""
    codes = set()
    for path in (ROOT / "cliphead_addon").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            values = []
            if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["code"]:
                values = [node.value]
            elif isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                values = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                values += node.args[1:2] if name.endswith("Error") else []
            codes |= {value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)}
    codes = {code for code in codes if CODE.fullmatch(code)}
    table = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "troubleshooting.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(codes)
