"""Batches: tables read, every row tried, nothing made twice, and workers that die."""

import io
import json
import os
from pathlib import Path

import batch_makers
import pytest
from PIL import Image

from cliphead_addon.engine.errors import ClipHeadError, PromptError
from tools import batch
from tools.generate import DELIVERED

_png = io.BytesIO()
Image.new("RGB", (64, 64), "red").save(_png, "PNG")
PICTURE = _png.getvalue()


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "prompts.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


class Lane:
    """Makes files at once; remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def make(self, row):
        self.asked.append(row.name)
        if "wrong" in row.prompt.text:
            raise PromptError("These words make no head.")
        return {name: row.prompt.text.encode() for name in DELIVERED} | {"head.png": PICTURE}

    def close(self):
        pass


def run(rows, out, *lanes):
    out.mkdir(exist_ok=True)
    return batch.run(rows, lanes, batch.Manifest(out, "starter"), out, say=lambda text: None)


def entries(out):
    return [json.loads(line) for line in (out / batch.MANIFEST).read_text(encoding="utf-8").splitlines()]


def test_columns_are_the_choices_of_generate(table):
    titles = "name,prompt,Seed,texture-size,variation,shape keys,random"
    text = titles + '\nann,"a woman, smiling",7,1024,0.5,"smile,frown",no\n,"a\nman",,,,,\n'
    ann, man = batch.read_rows(table(text))
    assert (ann.name, ann.prompt.text, ann.prompt.seed, ann.prompt.variation) == ("ann", "a woman, smiling", 7, 0.5)
    assert (ann.settings.texture_size, ann.settings.shape_keys, ann.prompt.random) == (1024, ("smile", "frown"), False)
    assert (man.name, man.prompt.text, man.prompt.seed) == ("0002", "a\nman", 0)


@pytest.mark.parametrize(
    "text", ["", "words\na man\n", "prompt,prompt\na,b\n", "prompt,colour\na man,red\n", 'prompt\n"a man\n']
)
def test_a_file_that_is_no_such_table_is_refused(table, text):
    with pytest.raises(ClipHeadError):
        batch.read_rows(table(text))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ClipHeadError, match="UTF-8"):
        batch.read_rows(path)


@pytest.mark.parametrize(
    "cells, word",
    [
        ("a man,x,red,", "seed is 'red'"),
        ("a man,x,1,9000", "resolution"),
        ("a man,../up,1,", "no name for a folder"),
        ("a man,manifest.jsonl,1,", "no name for a folder"),
        ("a man,ANN,1,", "taken"),
        ("a man,x,1,96,too many", "cells"),
    ],
)
def test_a_bad_row_says_what_is_wrong_and_stops_nothing(table, tmp_path, cells, word):
    rows = batch.read_rows(table(f"prompt,name,seed,resolution\na woman,ann,1,96\n{cells}\na girl,sue,2,96\n"))
    assert [bool(row.error) for row in rows] == [False, True, False]
    assert word.lower() in rows[1].error.lower()
    lane = Lane()
    assert run(rows, tmp_path / "out", lane) == [rows[1].name]
    assert lane.asked == ["ann", "sue"]


def test_a_refused_row_stops_nothing(table, tmp_path):
    rows = batch.read_rows(table("prompt\na man\nwrong\na woman\n"))
    assert run(rows, tmp_path / "out", Lane()) == ["0002"]
    assert [entry["status"] for entry in entries(tmp_path / "out")] == ["made", "failed", "made"]
    assert (tmp_path / "out/0003/head.glb").read_text(encoding="utf-8") == "a woman"
    assert not (tmp_path / "out/0002").exists()


def test_it_goes_on_where_it_was_stopped(table, tmp_path):
    out = tmp_path / "out"
    rows = batch.read_rows(table("prompt\na man\na woman\na boy\n"))
    run(rows[:2], out, Lane())
    with (out / batch.MANIFEST).open("a", encoding="utf-8") as file:
        file.write('{"name": "0003", "sta')  # the power went out here
    (out / "0002/head.blend").unlink()
    lane = Lane()
    assert run(rows, out, lane) == []
    assert lane.asked == ["0002", "0003"]
    again = Lane()
    assert run(rows, out, again) == []
    assert again.asked == []


def test_a_changed_row_is_made_again(table, tmp_path):
    run(batch.read_rows(table("prompt,seed\na man,1\n")), tmp_path / "out", Lane())
    lane = Lane()
    run(batch.read_rows(table("prompt,seed\na man,2\n")), tmp_path / "out", lane)
    assert lane.asked == ["0001"]


def check_dying_workers(lanes, rows, out):
    """Two lanes of FilesMaker: one row kills its worker each time, one the first time only."""
    assert sorted(run(rows, out, *lanes)) == ["0002", "0004", "0006"]
    tries = {name: [e["status"] for e in entries(out) if e["name"] == name] for name in ("0002", "0003", "0004", "0006")}
    assert tries == {
        "0002": ["again"] * (batch.ATTEMPTS - 1) + ["failed"],
        "0003": ["again", "made"],
        "0004": ["failed"],
        "0006": ["failed"],
    }
    assert all((out / name / "head.blend").is_file() for name in ("0001", "0003", "0005"))


@pytest.fixture
def dangerous(table):
    return batch.read_rows(table("prompt\na man\ncrash\nstumble\nwrong\na boy\nbug\n"))


def test_dead_workers_are_replaced(dangerous, tmp_path):
    lanes = [batch.LocalLane((str(tmp_path),), batch_makers.FilesMaker) for _ in range(2)]
    check_dying_workers(lanes, dangerous, tmp_path / "out")


def test_dead_workers_are_replaced_on_a_cluster(dangerous, tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is an optional dependency: pip install ray")
    paths = os.pathsep.join(str(path) for path in (Path(batch_makers.__file__).parent, Path(batch.__file__).parents[1]))
    variables = {"PYTHONPATH": os.pathsep.join(filter(None, (paths, os.environ.get("PYTHONPATH"))))}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": variables})
    try:
        lanes = [batch.RayLane(ray, (str(tmp_path),), batch_makers.FilesMaker) for _ in range(2)]
        check_dying_workers(lanes, dangerous, tmp_path / "out")
    finally:
        ray.shutdown()


def test_the_exit_status_tells_what_became_of_it(table, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(batch, "open_lanes", lambda options: [Lane()])
    out = str(tmp_path / "out")
    assert batch.main([str(table("prompt\na man\n")), "--out", out]) == 0
    assert (tmp_path / "out" / batch.SHEET).is_file()
    assert batch.main([str(table("prompt\na man\nwrong\n")), "--out", out]) == 1
    assert batch.main([str(tmp_path / "none.csv"), "--out", out]) == 2
    assert "none.csv" in capsys.readouterr().err
