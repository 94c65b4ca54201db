"""A sentence to a textured head: head.blend, head.glb, head.png, albedo.png, normal_uv.png and recipe.json.

$ python3 tools/dev.py generate "an old man with a wide nose, laughing" --seed 7 --out out/
$ python3 tools/dev.py generate --recipe out/recipe.json --out again/
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import fields
from pathlib import Path

from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.settings import ALIGNMENTS, RESOLUTIONS, TEXTURE_SIZES, Settings
from cliphead_addon.engine.stages import Prompt

DELIVERED = ("head.blend", "head.glb", "head.png", "albedo.png", "normal_uv.png", "recipe.json")
SEED_LIMIT = 2**31  # Blender's integers, which carry the seed too, have 31 bits


def main(arguments=None):
    options = parse(arguments)
    try:
        make(*read_choices(options), Path(options.out))
    except ClipHeadError as error:
        print(f"\ngenerate: {error}", file=sys.stderr)
        return 1
    return 0


def parse(arguments):
    parser = argparse.ArgumentParser(prog="dev.py generate", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("prompt", nargs="?", help="the head in words")
    add("--recipe", type=Path, help="a recipe.json to follow; other options change single choices of it")
    add("--out", default="out", help="folder for the files (out)")
    add("--pack", help="a model pack's folder, or the name of a bundled one (starter)")
    add("--seed", type=int, help="another number, another head (0)")
    add("--negative", help="what the texture should avoid")
    add("--expression", help="an expression's name or words for it (taken from the prompt)")
    add("--expression-strength", type=float, help="0 neutral to 1 as trained (1)")
    add("--variation", type=float, help="0 the average head of these words, 1 as varied as trained (1)")
    add("--resolution", type=int, help=f"grid samples along the head's box, {RESOLUTIONS[0]} to {RESOLUTIONS[1]} (192)")
    add("--texture-size", type=int, help=f"px: {', '.join(map(str, TEXTURE_SIZES))} (512)")
    add("--steps", type=int, help="denoising steps (12)")
    add("--guidance", type=float, help="how strictly the texture follows the words, 1 = off (2)")
    add("--alignment", help=f"of the texture coordinates: {' or '.join(ALIGNMENTS)} (landmarks)")
    add("--shape-keys", type=comma_separated, help="expressions to deliver as shape keys: smile,frown,...")
    add("--device", help="auto, cpu, cuda or mps (auto)")
    options = parser.parse_args(arguments)
    if options.prompt is None and options.recipe is None:
        parser.error('describe a head, for example "a young woman with red hair", or give a --recipe')
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
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ClipHeadError(f"{path} is not a recipe: {error!r}. Name a recipe.json that an earlier head came with.") from error
    return choices | {"shape_keys": tuple(choices.get("shape_keys", ()))}


def make(prompt, settings, pack, version, out):
    """Run the engine, then Blender's side, and say what came of it. version: the pack's when a recipe was made, or None."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClipHeadError(f"The folder {out} cannot be made: {error.strerror}. Choose another --out.") from error
    begin = time.perf_counter()
    stages = Stages()
    stages("Starting the engine", 0.0)
    from cliphead_addon.engine import models, pipeline  # torch takes seconds: the line above says so

    stages("Loading the models", 0.0)
    loaded = models.load_models(pack, settings.device)
    warnings = []
    if version not in (None, loaded.pack.version):
        warnings.append(f"The recipe was made with {pack} {version}, this is {loaded.pack.version}: the head may differ.")
    warm = time.perf_counter()
    head = pipeline.generate(prompt, loaded, settings, stages)
    done = time.perf_counter()
    stages("Writing Blender's files and the portrait", 0.0)
    deliver(head, out)
    stages.finish()

    mesh, report = head.unwrapped.mesh, head.unwrapped.report
    print(f"\nMade in {time.perf_counter() - begin:.1f} s, of which {done - warm:.1f} s from the prompt to the head.")
    print(
        f"  {len(mesh.vertices):,} vertices, {len(mesh.faces):,} triangles, {report.get('flipped', '?')} flipped in the UV map"
    )
    for name in DELIVERED:
        print(f"  {out / name}  {(out / name).stat().st_size / 1e6:.1f} MB")
    for warning in (*warnings, *head.warnings):
        print(f"  warning: {warning}")
    print(f"The same head again: python3 tools/dev.py generate --recipe {out / 'recipe.json'}")


def deliver(head, out):
    """Blender's side in a process of its own, so that bpy's messages and its way of ending stay there."""
    from cliphead_addon.engine.jobfiles import save_head

    with tempfile.TemporaryDirectory(prefix="cliphead_") as job:
        save_head(head, job)
        command = [sys.executable, "-m", "cliphead_addon.blender.studio", job, str(out)]
        blender = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    missing = [name for name in DELIVERED if not (out / name).is_file()]
    if blender.returncode or missing:
        said = "\n  ".join(blender.stdout.strip().splitlines()[-8:])
        raise ClipHeadError(
            f"Blender's side ended with status {blender.returncode}, without {', '.join(missing) or 'an error'}:\n  {said}\n"
            "Try again; if it fails again, run: python3 tools/dev.py test tests/blender"
        )


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


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)
