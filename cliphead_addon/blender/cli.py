"""Blender's own command line: one head, no window.

$ blender --background --command cliphead --prompt "an old man with a wide nose, laughing" --seed 7 --out out/
"""

import sys
from pathlib import Path

from ..engine.commandline import Stages, parse, read_choices
from ..engine.errors import ClipHeadError
from ..engine.jobfiles import load_head
from . import session, studio

COMMAND = "cliphead"


def run(arguments):
    """Words after the command's name -> exit status: 0 made, 1 not made, 2 not understood."""
    try:
        options = parse(arguments, "blender -b -c cliphead", __doc__.partition("\n")[0])
    except SystemExit as error:  # after its help or a mistake, which argparse has printed
        return error.code
    out = Path(options.out).resolve()
    stages = Stages()
    try:
        prompt, settings, pack, _ = read_choices(options)
        out.mkdir(parents=True, exist_ok=True)
        folder = session.run(prompt, settings, stages, pack=None if pack == "starter" else pack)
        stages("Writing Blender's files and the portrait", 0.0)
        studio.deliver(folder, out)
        stages.finish()
        for warning in load_head(folder).warnings:
            print(f"  warning: {warning}")
    except (ClipHeadError, OSError) as error:
        print(f"\ncliphead: {error}", file=sys.stderr)
        return 1
    print(f"The head is in {out}.")
    return 0
