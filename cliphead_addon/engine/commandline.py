"""One head's choices on a command line: options, recipes, and the lines that show how far it is."""

import argparse
import json
import sys
import time
from dataclasses import fields
from pathlib import Path

from .errors import ClipHeadError
from .settings import ALIGNMENTS, DENSITIES, HAIR, RESOLUTIONS, TEXTURE_SIZES, TOPOLOGIES, Settings
from .stages import Prompt

SEED_LIMIT = 2**31  # Blender's integers, which carry the seed too, have 31 bits


def parse(arguments, program, about):
    """Words of a command line -> options, None where nothing was said."""
    parser = argparse.ArgumentParser(prog=program, description=about)
    add = parser.add_argument
    add("prompt", nargs="?", help="the head in words")
    add("--prompt", dest="words", help="the same as an option")
    add("--recipe", type=Path, help="a recipe.json to follow; other options change single choices of it")
    add("--out", default="out", help="folder for the files (out)")
    add("--pack", help="a model pack's folder, or the name of a bundled one (starter)")
    add("--seed", type=int, help="another number, another head (0)")
    add("--random", action="store_true", default=None, help="a head drawn by the seed; a prompt then only guides the texture")
    add("--negative", help="what the texture should avoid")
    add("--expression", help="an expression's name or words for it (taken from the prompt)")
    add("--expression-strength", type=float, help="0 neutral to 1 as trained (1)")
    add("--variation", type=float, help="0 the average head of these words, 1 as varied as trained (1)")
    add("--resolution", type=int, help=f"grid samples along the head's box, {RESOLUTIONS[0]} to {RESOLUTIONS[1]} (192)")
    add("--texture-size", type=int, help=f"px: {', '.join(map(str, TEXTURE_SIZES))} (512)")
    add("--steps", type=int, help="denoising steps (12)")
    add("--guidance", type=float, help="how strictly the texture follows the words, 1 = off (2)")
    add("--alignment", help=f"of the texture coordinates: {' or '.join(ALIGNMENTS)} (landmarks)")
    add("--topology", help=f"{' or '.join(TOPOLOGIES)}: the same quads for every head, or all triangles (quads)")
    add("--density", help=f"of the quads: {', '.join(DENSITIES)} for about 3,000, 13,000, 51,000 (medium)")
    add("--shape-keys", type=comma_separated, help="expressions to deliver as shape keys: smile,frown,... or arkit, visemes")
    add("--hair", help=f"{', '.join(HAIR)}: a mesh of its own, one surface with the skin, or left out (object)")
    add("--device", help="auto, cpu, cuda or mps (auto)")
    options = parser.parse_args(arguments)
    words = vars(options).pop("words")
    options.prompt = words if options.prompt is None else options.prompt
    if options.prompt is None and options.recipe is None:
        if not options.random:
            parser.error(
                'describe a head, for example "a young woman with red hair", give a --recipe, or ask for a --random one'
            )
        options.prompt = ""
    return options


def comma_separated(text):
    return tuple(name.strip() for name in text.split(",") if name.strip())


def read_choices(options):
    """Options, and the recipe they may rest on -> Prompt, Settings, the pack's name or folder, and the version it had."""
    recipe = read_recipe(options.recipe) if options.recipe else {}
    given = {name: value for name, value in vars(options).items() if value is not None}
    if "prompt" in given:  # bytes that are not text arrive as lone surrogates, which no file can hold
        given["prompt"] = given["prompt"].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    choices = recipe | given
    if not 0 <= choices.get("seed", 0) < SEED_LIMIT:
        raise ClipHeadError(f"Seed {choices['seed']} is outside 0 to {SEED_LIMIT - 1}.", "BAD_SETTING")
    choices["text"] = choices["prompt"]
    prompt = Prompt(**{field.name: choices[field.name] for field in fields(Prompt) if field.name in choices})
    settings = Settings(**{field.name: choices[field.name] for field in fields(Settings) if field.name in choices})
    return prompt, settings, choices.get("pack", "starter"), choices.get("pack_version")


def read_recipe(path):
    """recipe.json -> its choices by option name."""
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
        pack = {"pack": recipe["pack"]["name"], "pack_version": recipe["pack"]["version"]}
        choices = {"prompt": recipe["prompt"]["text"], **recipe["prompt"], **recipe["settings"], **pack}
    except (OSError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ClipHeadError(f"{path} is not a recipe: {error!r}. Name a recipe.json that an earlier head came with.") from error
    return choices | {"shape_keys": tuple(choices.get("shape_keys", ()))}


class Stages:
    """A progress callback that prints a line per stage, with its seconds when it is over."""

    def __init__(self):
        self.name, self.began, self.percent = None, 0.0, -1

    def __call__(self, stage, fraction):
        if stage != self.name:
            self.finish()
            self.name, self.began, self.percent = stage, time.perf_counter(), -1
        percent = int(100 * fraction)
        if sys.stdout.isatty() and percent != self.percent:
            self.percent = percent
            print(f"\r  {stage:42} {percent:3d} %  ", end="", flush=True)

    def finish(self):
        """End the current line."""
        if self.name is not None:
            start = "\r" if sys.stdout.isatty() else ""
            print(f"{start}  {self.name:42} {time.perf_counter() - self.began:6.2f} s", flush=True)
            self.name = None
