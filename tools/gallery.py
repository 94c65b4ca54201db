"""Contact sheets of heads, rendered by Cycles: what the starter pack can do at a glance, and where to look for faults.

$ python3 tools/dev.py gallery                          all sheets into docs/gallery
$ python3 tools/dev.py gallery prompts --out out/       one of them, somewhere else
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.expression_sets import NAMED, NEUTRAL
from cliphead_addon.engine.jobfiles import save_head
from cliphead_addon.engine.models import load_models
from cliphead_addon.engine.pipeline import generate
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

from .contact_sheet import TILE, contact_sheet

QUALITY = 82  # of the JPEGs; all sheets together stay below 1.5 MB
PROMPTS = (
    "an old man with a wide nose, laughing",
    "a young woman with full lips and red lipstick",
    "an african woman with big ears, surprised",
    "an asian boy, smiling",
    "a bald man with a full black beard, angry",
    "a heavy middle-aged man with a moustache",
    "a pale old woman with grey hair, sad",
    "a zombie",
    "a marble statue of a young man",
    "a clown with puffed cheeks",
    "a thin man with a hooked nose and blue eyes",
    "an orc with pointed ears",
    "a young asian woman with black hair, winking",
    "a girl with red hair and freckles",
    "an old african man with a white beard",
    "a middle-aged woman with blond hair and green eyes",
    "a man with a square jaw and stubble",
    "a woman with a long face and dark lips",
    "a boy with protruding ears and puffed cheeks",
    "a woman with gothic make-up",
    "a vampire, sneering",
    "a bronze statue of an old woman",
    "a robot",
    "an alien with large eyes",
)
HAIRDOS = (
    "bald", "with a buzz cut", "with thinning hair", "with short hair", "with a side part", "with slicked back hair",
    "with a quiff", "with sideburns", "with messy hair", "with shaggy hair", "with short curls", "with an afro",
    "with a mohawk", "with a bob", "with long straight hair", "with long wavy hair", "with very long hair",
    "with a low ponytail",
    "with a high ponytail", "with pigtails", "with a braid", "with a bun",
)  # fmt: skip
FACE, FAMILY = "a young woman with brown hair", "a middle-aged man with a goatee"


def sheets(models):
    """The sheets: name -> (columns, [(label, Prompt)]); hair only from a pack that has some."""
    worn = () if models.head.hair is None else HAIRDOS
    hair = {"hair": (6, [(words, Prompt(_wearing(words), seed=4)) for words in worn])} if worn else {}
    return hair | {
        "prompts": (6, [(text, Prompt(text, seed=seed)) for seed, text in enumerate(PROMPTS)]),
        "expressions": (
            6,
            [(name, Prompt(FACE, seed=2, expression=name)) for name in (NEUTRAL, *NAMED) if name in models.head.expressions],
        ),
        "seeds": (4, [(f"{FAMILY}, seed {seed}", Prompt(FAMILY, seed=seed)) for seed in range(8)]),
    }


def _wearing(words):
    """A prompt about somebody who might wear such hair."""
    man = words.split()[-1] in "bald cut hair part quiff sideburns mohawk".split() and "long" not in words
    return f"a young {'man' if man else 'woman'} {words}" if words != "bald" else "a bald man"


def render(models, prompts, settings):
    """Prompts -> portraits, PIL images TILE wide, in the same order; Blender runs in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="cliphead_") as folder:
        jobs = [Path(folder) / str(i) for i in range(len(prompts))]
        for prompt, job in zip(prompts, jobs, strict=True):
            save_head(generate(prompt, models, settings), job)
            print(f"  {prompt.text}{prompt.expression and ', '}{prompt.expression}", flush=True)
        command = [sys.executable, "-m", "cliphead_addon.blender.studio", "--portraits", str(TILE), *map(str, jobs)]
        blender = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
        missing = [job for job in jobs if not (job / "head.png").is_file()]
        if blender.returncode or missing:
            raise ClipHeadError(f"Blender rendered {len(jobs) - len(missing)} of {len(jobs)} heads:\n{blender.stdout[-800:]}")
        return [Image.open(job / "head.png").convert("RGB") for job in jobs]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sheets", nargs="*", metavar="sheet", help="hair, prompts, expressions, seeds (all)")
    parser.add_argument("--pack", default="starter")
    parser.add_argument("--out", type=Path, default=Path("docs/gallery"))
    parser.add_argument("--resolution", type=int, default=Settings.resolution)
    options = parser.parse_args()
    models = load_models(options.pack)
    known = sheets(models)
    for name in options.sheets:
        if name not in known:
            parser.error(f"there is no sheet '{name}', choose from {', '.join(known)}")
    settings = Settings(resolution=options.resolution)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.sheets or known:
        columns, tiles = known[name]
        print(f"{name}: {len(tiles)} heads", flush=True)
        labels, prompts = zip(*tiles, strict=True)
        picture = contact_sheet(render(models, prompts, settings), labels, columns)
        picture.save(options.out / f"{name}.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
