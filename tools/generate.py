"""A sentence to a textured head: head.blend, head.glb, head.png, albedo.png, normal_uv.png and recipe.json.

$ python3 tools/dev.py generate "an old man with a wide nose, laughing" --seed 7 --out out/
$ python3 tools/dev.py generate --recipe out/recipe.json --out again/
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cliphead_addon.engine.commandline import Stages, parse, read_choices
from cliphead_addon.engine.errors import ClipHeadError

DELIVERED = ("head.blend", "head.glb", "head.png", "albedo.png", "normal_uv.png", "recipe.json")


def main(arguments=None):
    options = parse(arguments, "dev.py generate", __doc__.partition("\n")[0])
    try:
        make(*read_choices(options), Path(options.out))
    except ClipHeadError as error:
        print(f"\ngenerate: {error}", file=sys.stderr)
        return 1
    return 0


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
    kind = "quads" if mesh.faces.shape[1] == 4 else "triangles"
    print(f"\nMade in {time.perf_counter() - begin:.1f} s, of which {done - warm:.1f} s from the prompt to the head.")
    print(f"  {len(mesh.vertices):,} vertices, {len(mesh.faces):,} {kind}, {report.get('flipped', '?')} flipped in the UV map")
    for name in DELIVERED:
        print(f"  {out / name}  {(out / name).stat().st_size / 1e6:.1f} MB")
    for warning in (*warnings, *head.warnings):
        print(f"  warning: {warning}")
    print(f"The same head again: python3 tools/dev.py generate --recipe {out / 'recipe.json'}")


def deliver(head, out, threads=0):
    """Blender's side in a process of its own, so that bpy's messages and its way of ending stay there. threads: 0 for all."""
    from cliphead_addon.engine.jobfiles import save_head

    with tempfile.TemporaryDirectory(prefix="cliphead_") as job:
        save_head(head, job)
        command = [sys.executable, "-m", "cliphead_addon.blender.studio", "--threads", str(threads), job, str(out)]
        blender = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    missing = [name for name in DELIVERED if not (out / name).is_file()]
    if blender.returncode or missing:
        said = "\n  ".join(blender.stdout.strip().splitlines()[-8:])
        raise ClipHeadError(
            f"Blender's side ended with status {blender.returncode}, without {', '.join(missing) or 'an error'}:\n  {said}\n"
            "Try again; if it fails again, run: python3 tools/dev.py test tests/blender"
        )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)
