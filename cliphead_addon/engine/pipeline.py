"""A sentence to a textured head: the stages in the order they happen."""

import time
from contextlib import contextmanager
from dataclasses import asdict

from . import VERSION
from .geometry import raster
from .geometry.unwrap import unwrap
from .nets.texture import seam_pairs
from .stages import Head, TextureSet

HINT_SIZE = 512  # px of the UV normal map that guides the texture


def generate(prompt, models, settings, progress=None):
    """Prompt, `models.Models`, Settings -> Head.

    progress: called as (stage, fraction); what it raises, such as Cancelled, ends the work. Raises ClipHeadError.
    """
    progress = progress or (lambda stage, fraction: None)
    timings = {}

    @contextmanager
    def stage(name):
        progress(name, 0.0)
        started = time.perf_counter()
        yield lambda inner, fraction: progress(name, fraction)
        timings[name] = time.perf_counter() - started

    with stage("Reading the words"):
        words = models.text.encode(prompt.text)
        avoid = models.text.encode(prompt.negative, required=False)
        warnings = [*words.warnings]
    with stage("Choosing the head"):
        code = models.mappers.map(words.embedding, prompt, expression_code(prompt, models, warnings))
    with stage("Shaping the surface") as report:
        mesh = models.head.mesh(code, settings.resolution, settings.shape_keys, report)
    with stage("Unwrapping"):
        unwrapped = unwrap(mesh, models.layout, settings.alignment)
        if unwrapped.report["damping"] < 1:
            strength = f"{unwrapped.report['damping']:.0%}"
            warnings.append(f"The landmark alignment was damped to {strength} so that no triangle folds.")
        normal_uv = raster.normal_map(unwrapped, HINT_SIZE)
        coverage = raster.coverage(unwrapped.uv, settings.texture_size)
    with stage("Painting the texture") as report:
        albedo = models.texture.paint(
            words.tokens,
            avoid.tokens,
            normal_uv,
            coverage,
            seam_pairs(mesh.faces, unwrapped.uv, unwrapped.seam),
            seed=prompt.seed,
            steps=settings.steps,
            guidance=settings.guidance,
            size=settings.texture_size,
            progress=report,
        )
    recipe = {
        "program": VERSION,
        "pack": {"name": models.pack.name, "version": models.pack.version},
        "prompt": asdict(prompt),
        "settings": asdict(settings),
    }
    return Head(unwrapped, TextureSet(albedo, normal_uv, coverage), recipe, tuple(warnings), timings)


def expression_code(prompt, models, warnings):
    """What `prompt.expression` asks for: a named code (X,), the mapper's reading of other words, or None if it is empty."""
    name = " ".join(prompt.expression.lower().split())
    if not name:
        return None
    if name in models.head.expressions:
        return models.head.expressions[name]
    words = models.text.encode(prompt.expression)
    warnings.extend(words.warnings)
    return models.mappers.expression(words.embedding)
