"""Presets: what is written can be read, and what is damaged is refused by source and line."""

import json
from dataclasses import asdict, replace

import pytest

from cliphead_addon.engine import recipes
from cliphead_addon.engine.recipes import RecipeError
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

OTHER = Prompt("a woman", 4, sliders={"age": 1.0})
LOOK = {"text": "a ghost", "seed": 8, "negative": "beard"}
PROMPT = Prompt("a man", 3, sliders={"nose width": -1.5}, locks={"age": 0.2}, look=LOOK)
RECIPE = {
    "program": "0.1.0",
    "pack": {"name": "starter", "version": "0.1.0"},
    "prompt": asdict(PROMPT),
    "settings": asdict(Settings(shape_keys=("smile",))),
    "attributes": {"age": 0.0},
}


def test_a_preset_is_read_as_it_was_written():
    found = recipes.from_preset(recipes.to_preset(RECIPE, "Man"), "man.json")
    assert recipes.choices(found) == (PROMPT, Settings(shape_keys=("smile",))) and found["name"] == "Man"
    mix = {"from": asdict(PROMPT), "to": asdict(OTHER), "share": 0.5}
    text = recipes.to_preset(RECIPE | {"prompt": asdict(Prompt("a man", 3, mix=mix))}, "Blend")
    assert recipes.choices(recipes.from_preset(text, "blend.json"))[0].mix == mix


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('"format": 1', '"format": 2', "format 2 instead of 1"),
        ('"seed": 3', '"seed": -1', "'seed' is -1"),
        ('"seed": 3', '"sead": 3', "'sead' is unknown"),
        ('"variation": 1.0', '"variation": "much"', "'variation' is 'much'"),
        ('"nose width": -1.5', '"nose width": 99', "'nose width' is 99"),
        ('"text": "a ghost"', '"text": 5', "'text' is 5"),
        ('"seed": 8', '"seed": 8.5', "'seed' is 8.5"),
        ('"negative": "beard"', '"steps": 3', "'steps' is unknown"),
        ('"texture_size": 512', '"texture_size": 513', "Texture size 513 px is not offered"),
        ('"hair": "object"', '"hair": "wig"', "Hair 'wig' is unknown"),
        ('"random": false', '"random": 0', "'random' is 0"),
        ('"seed": 3,', '"seed": 3', "Expecting ',' delimiter"),
    ],
)
def test_a_damaged_preset_is_refused_by_name_and_line(old, new, said):
    text = recipes.to_preset(RECIPE, "Man")
    assert old in text
    line = text[: text.index(old)].count("\n") + 1 + (said.startswith("Expecting"))
    with pytest.raises(RecipeError, match=f"man.json, line {line}: .*{said}"):
        recipes.from_preset(text.replace(old, new), "man.json")


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", '{"format": 1}', "[" * 100_000, "x" * (2 << 20)])
def test_what_is_no_preset_is_refused(text):
    with pytest.raises(RecipeError, match="^man.json"):
        recipes.from_preset(text, "man.json")


def test_a_texture_follows_the_look_and_a_blends_only_if_it_has_words():
    assert recipes.look(OTHER) is OTHER
    assert recipes.look(PROMPT) == replace(PROMPT, look={}, **LOOK)
    blend = Prompt("a man", 3, mix={"from": asdict(PROMPT), "to": asdict(OTHER), "share": 0.5}, look={"seed": 5})
    assert recipes.look(blend) == replace(blend, seed=5, look={})
    assert recipes.look(replace(blend, look=LOOK)).mix is None


@pytest.mark.parametrize("look", [{"text": 3}, {"sliders": {}}, {"seed": -1}, "a ghost", [1]])
def test_a_look_that_cannot_be_painted_is_refused(look):
    with pytest.raises(RecipeError, match="new texture"):
        recipes.look(Prompt("a man", look=look))
    text = json.dumps({"format": 1, "prompt": {"text": "a man", "look": look}, "settings": {}})
    with pytest.raises(RecipeError, match="^man.json, line 1"):
        recipes.from_preset(text, "man.json")


def test_blends_in_blends_end_somewhere():
    prompt = asdict(PROMPT)
    for _ in range(recipes.DEEPEST + 2):
        prompt = asdict(Prompt("a man")) | {"mix": {"from": prompt, "to": asdict(OTHER), "share": 0.5}}
    with pytest.raises(RecipeError, match="too many blends"):
        recipes.from_preset(json.dumps({"format": 1, "prompt": prompt, "settings": {}}), "man.json")
