"""docs/security.md and the tests that break its promises on purpose tell the same story."""

import ast
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| (?P<promise>[^|]+) \| `(?P<keeper>[^`|]+)` \| `(?P<test>[^`|]+)` \|$")


def promised():
    """Rows of the tables: (promise, file that keeps it, test that breaks it)."""
    lines = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| promise |")]
    matches = [ROW.match(row) for row in rows]
    assert all(matches), [row for row, match in zip(rows, matches, strict=True) if not match]
    return [match.groups() for match in matches]


def marked():
    """Tests that are marked as breaking a promise, as "file::name"."""
    found = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "pytest.mark.promise" for d in node.decorator_list):
                found.append(f"{path.name}::{node.name}")
    return found


def test_every_promise_has_one_test_and_every_such_test_its_promise():
    tests = [test for _, _, test in promised()]
    assert Counter(tests) == Counter(marked()) and max(Counter(tests).values()) == 1


def test_the_files_that_keep_the_promises_exist():
    for _, keeper, _ in promised():
        assert (ROOT / keeper).is_file() or (ROOT / "cliphead_addon" / keeper).is_file(), keeper


def test_only_the_importer_reads_official_checkpoints():
    """torch.load appears where weights_only stands beside it, and pickle is read nowhere."""
    for path in [*(ROOT / "cliphead_addon").rglob("*.py"), ROOT / "tools" / "import_nphm.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert name not in ("pickle.load", "pickle.loads", "eval", "exec", "os.system"), (path, name)
                assert name != "torch.load" or options.get("weights_only") == "True", path
                assert name != "np.load" or options.get("allow_pickle") == "False", path
