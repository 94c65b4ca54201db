"""Recipes and presets: a head's choices as JSON, and what is wrong with one, by name and line.

A recipe is what a head was made from; a preset is the same with a name, to be kept and passed on. Both hold "prompt" and
"settings", tables with the fields of `stages.Prompt` and `settings.Settings`, and "pack", a name and a version.
"""

import json
from dataclasses import fields, replace

from .errors import ClipHeadError
from .settings import Settings
from .sliders import LIMIT
from .stages import Prompt

FORMAT = 1  # of presets
SEED_LIMIT = 2**31  # Blender's integers, which carry the seed too, have 31 bits
TOP = ("format", "name", "prompt", "settings", "pack", "program", "attributes")
DEEPEST = 16  # blends within blends
LONGEST = 1 << 20  # characters
LOOK = ("text", "seed", "negative")  # what the texture may have of its own


class RecipeError(ClipHeadError):
    """A recipe or preset is damaged."""

    code = "BAD_RECIPE"


def choices(recipe):
    """A recipe -> (Prompt, Settings). Raises ClipHeadError; fields that this version does not know are left out."""
    try:
        prompt = {field.name: recipe["prompt"][field.name] for field in fields(Prompt) if field.name in recipe["prompt"]}
        settings = {
            field.name: recipe["settings"][field.name] for field in fields(Settings) if field.name in recipe["settings"]
        }
        settings["shape_keys"] = tuple(settings.get("shape_keys", ()))
        return Prompt(**prompt), Settings(**settings)
    except (KeyError, TypeError) as error:
        raise RecipeError(f"The head's recipe is incomplete ({error!r}). Generate the head again.") from error


def look(prompt):
    """The Prompt that a texture follows: the head's own, with what `Prompt.look` says instead. Raises RecipeError."""
    if not prompt.look:
        return prompt
    if wrong := _wrong_in_look(prompt.look):
        raise RecipeError(f"The head's recipe has a texture that cannot be painted: {wrong[1]}. Give the head a new texture.")
    # A blend's texture lies between the words of both parents, unless it has words of its own.
    return replace(prompt, look={}, mix=None if "text" in prompt.look else prompt.mix, **prompt.look)


def to_preset(recipe, name):
    """A head's recipe -> the text of a preset."""
    kept = {key: recipe[key] for key in ("prompt", "settings", "pack") if key in recipe}
    return json.dumps({"format": FORMAT, "name": name, **kept}, indent=1, ensure_ascii=False)


def from_preset(text, source):
    """The text of a preset, and where it came from -> recipe with a "name". Raises RecipeError that names source and line."""
    try:
        if len(text) > LONGEST:
            raise RecipeError(f"{source} is longer than a preset can be. Choose another file.")
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecipeError(f"{source}, line {error.lineno}: {error.msg}. Copy the preset again.") from error
    except RecursionError as error:
        raise RecipeError(f"{source} is nested too deeply to be a preset. Copy it again.") from error
    if not isinstance(found, dict):
        raise RecipeError(f"{source}, line 1: a preset is a JSON object in braces. Copy the preset again.")
    if found.get("format") != FORMAT:
        _refuse(text, source, ("format",), f"format {found.get('format')!r} instead of {FORMAT}")
    for key in found:
        if key not in TOP:
            _refuse(text, source, (key,), f"'{key}' is unknown")
    for key, kind in (("prompt", dict), ("settings", dict), ("pack", dict), ("name", str)):
        if not isinstance(found.get(key, kind()), kind) or key in ("prompt", "settings") and key not in found:
            _refuse(text, source, (key,), f"'{key}' is missing or of the wrong kind")
    _check_prompt(text, source, ("prompt",), found["prompt"])
    _check_settings(text, source, found["settings"])
    return found


def _check_prompt(text, source, path, prompt):
    for key, value in prompt.items():
        kind, where = KINDS.get(key), (*path, key)
        if kind is None:
            _refuse(text, source, where, f"'{key}' is unknown")
        elif key in ("sliders", "locks"):
            if not isinstance(value, dict):
                _refuse(text, source, where, f"'{key}' is not a table")
            for name, amount in value.items():
                if not _is_number(amount) or key == "sliders" and abs(amount) > LIMIT:
                    _refuse(text, source, (*where, name), f"'{name}' is {amount!r}; a number within {LIMIT:g} is needed")
        elif key == "mix":
            if value is None:
                continue
            if not isinstance(value, dict) or set(value) != {"from", "to", "share"}:
                _refuse(text, source, where, "'mix' needs 'from', 'to' and 'share'")
            if not _is_number(value["share"]) or not 0 <= value["share"] <= 1:
                _refuse(text, source, (*where, "share"), f"'share' is {value['share']!r}; 0 to 1 is needed")
            if path.count("mix") >= DEEPEST:
                _refuse(text, source, where, "too many blends within blends")
            for parent in ("from", "to"):
                if not isinstance(value[parent], dict):
                    _refuse(text, source, (*where, parent), f"'{parent}' is not a table")
                _check_prompt(text, source, (*where, parent), value[parent])
        elif key == "look":
            if wrong := _wrong_in_look(value):
                _refuse(text, source, (*where, *wrong[0]), wrong[1])
        elif not IS[kind](value):
            _refuse(text, source, where, f"'{key}' is {value!r}")
    if "text" not in prompt:
        _refuse(text, source, path, "'text' is missing")


def _wrong_in_look(found):
    """What is wrong with a `Prompt.look`: (keys, words), or None."""
    if not isinstance(found, dict):
        return (), "'look' is not a table"
    for name, value in found.items():
        if name not in LOOK:
            return (name,), f"'{name}' is unknown"
        if not IS[KINDS[name]](value):
            return (name,), f"'{name}' is {value!r}"
    return None


def _check_settings(text, source, settings):
    for key, value in settings.items():
        if key not in {field.name for field in fields(Settings)}:
            _refuse(text, source, ("settings", key), f"'{key}' is unknown")
        try:
            Settings(**{key: tuple(value) if key == "shape_keys" else value})
        except (TypeError, ValueError, ClipHeadError) as error:
            _refuse(text, source, ("settings", key), f"'{key}' is {value!r}: {error}")


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6


def _is_seed(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < SEED_LIMIT


KINDS = {field.name: field.type for field in fields(Prompt)}
IS = {str: lambda v: isinstance(v, str), bool: lambda v: isinstance(v, bool), float: _is_number, int: _is_seed}


def _refuse(text, source, path, what):
    """Raise, with the line on which the keys of `path`, each looked for behind the one before, end."""
    place = 0
    for key in path:
        found = text.find(json.dumps(key, ensure_ascii=False), place)
        place = found if found >= 0 else place
    line = text.count("\n", 0, place) + 1
    raise RecipeError(f"{source}, line {line}: {what}. Correct it, or copy the preset again.")
