"""The generate command: options, recipes, and what it prints. The engine is the tests' stand-in."""

import json
import subprocess

import fake_engine
import pytest

from cliphead_addon.engine import commandline
from cliphead_addon.engine.errors import ClipHeadError, PromptError
from cliphead_addon.engine.stages import Prompt
from tools import generate as tool


@pytest.fixture
def engine(monkeypatch):
    """The stand-in engine and a Blender side that writes empty files; `seen` lists what the engine was asked for."""
    models, pipeline = (
        pytest.importorskip("cliphead_addon.engine.models"),
        pytest.importorskip("cliphead_addon.engine.pipeline"),
    )
    seen = []

    class Loaded:
        class pack:
            version = "1"

    def generate(prompt, loaded, settings, progress):
        seen.append((prompt, settings))
        if "wrong" in prompt.text:
            raise PromptError("These words make no head.")
        return fake_engine.generate(prompt, loaded, settings, progress)

    def deliver(head, out):
        for name in tool.DELIVERED:
            (out / name).write_text("{}", encoding="utf-8")

    monkeypatch.setattr(models, "load_models", lambda pack, device: Loaded)
    monkeypatch.setattr(pipeline, "generate", generate)
    monkeypatch.setattr(tool, "deliver", deliver)
    return seen


def choices(*words):
    return commandline.read_choices(commandline.parse([str(word) for word in words], "generate", ""))


def test_options_become_prompt_and_settings():
    words = [
        "a man",
        "--seed",
        7,
        "--variation",
        0.5,
        "--resolution",
        96,
        "--shape-keys",
        "smile, eyes closed",
        "--device",
        "cpu",
    ]
    prompt, settings, pack, _ = choices(*words)
    assert (prompt.text, prompt.seed, prompt.variation) == ("a man", 7, 0.5)
    assert (settings.resolution, settings.shape_keys, settings.device) == (96, ("smile", "eyes closed"), "cpu")
    assert pack == "starter"


def test_a_random_head_needs_no_words_and_takes_them_for_the_texture():
    assert choices("--random", "--seed", 5)[0] == Prompt("", seed=5, random=True)
    assert choices("freckles", "--random")[0] == Prompt("freckles", random=True)
    assert not choices("a man")[0].random


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_that_blender_could_not_hold_is_refused(seed):
    with pytest.raises(ClipHeadError, match="outside 0 to 2147483647"):
        choices("a man", "--seed", seed)


def test_bytes_that_are_not_text_do_not_reach_the_engine():
    assert choices("a man \udcff")[0].text == "a man \N{REPLACEMENT CHARACTER}"


def test_a_recipe_brings_every_choice_back_and_options_change_single_ones(tmp_path):
    first = choices(
        "a man", "--seed", 7, "--steps", 20, "--expression", "smile", "--shape-keys", "frown", "--texture-size", 1024
    )
    prompt, settings = first[:2]
    recipe = {
        "program": "0.1.0",
        "pack": {"name": "starter", "version": "1.0.0"},
        "prompt": vars(prompt),
        "settings": vars(settings),
    }
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe), encoding="utf-8")
    assert choices("--recipe", path) == (prompt, settings, "starter", "1.0.0")
    again = choices("--recipe", path, "--seed", 8)
    assert again[0].seed == 8 and again[0].expression == "smile" and again[1] == settings


@pytest.mark.parametrize("content", ["", "[]", '{"prompt": "a man"}', "\x00"])
def test_what_is_not_a_recipe_is_refused_by_name(tmp_path, content):
    (tmp_path / "recipe.json").write_text(content, encoding="utf-8")
    with pytest.raises(ClipHeadError, match=r"recipe\.json is not a recipe"):
        choices("--recipe", tmp_path / "recipe.json")


def test_neither_prompt_nor_recipe_is_a_usage_error(capsys):
    with pytest.raises(SystemExit):
        commandline.parse([], "generate", "")
    assert "describe a head" in capsys.readouterr().err


def test_every_stage_gets_a_line_and_the_summary_names_files_and_warnings(engine, tmp_path, capsys):
    assert tool.main(["a flibber man", "--seed", "7", "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    for words in (
        "Loading the models",
        "Shaping the head",
        "Painting",
        "head.blend",
        "recipe.json",
        "warning: 'flibber'",
        "Made in",
    ):
        assert words in out
    assert engine[0][0].seed == 7


def test_an_error_is_a_sentence_and_a_status(engine, tmp_path, capsys):
    assert tool.main(["wrong", "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.strip() == "generate: These words make no head."


def test_an_out_folder_that_is_a_file_is_refused_before_any_work(engine, tmp_path, capsys):
    (tmp_path / "out").write_text("", encoding="utf-8")
    assert tool.main(["a man", "--out", str(tmp_path / "out")]) == 1
    assert "Choose another --out" in capsys.readouterr().err
    assert engine == []


def test_another_pack_version_than_the_recipes_is_pointed_out(engine, tmp_path, capsys):
    prompt, settings = choices("a man")[:2]
    tool.make(prompt, settings, "starter", "0.9", tmp_path)
    assert "made with starter 0.9" in capsys.readouterr().out


def test_blenders_last_words_are_shown_when_it_fails(monkeypatch, tmp_path):
    prompt, settings = choices("a man", "--texture-size", 256)[:2]
    head = fake_engine.generate(prompt, None, settings, lambda stage, fraction: None)
    ended = subprocess.CompletedProcess([], 3, "loading\nno such brush\n")
    monkeypatch.setattr(subprocess, "run", lambda *words, **options: ended)
    with pytest.raises(ClipHeadError, match="(?s)status 3, without head.blend.*no such brush"):
        tool.deliver(head, tmp_path)
