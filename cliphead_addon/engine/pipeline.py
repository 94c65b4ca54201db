"""A sentence to a textured head: the stages in the order they happen."""

import time
from contextlib import contextmanager
from dataclasses import asdict

from . import VERSION
from .errors import PackError
from .geometry import raster
from .geometry.quads import QuadGrid, lay
from .geometry.unwrap import unwrap
from .hair_colour import dye, hair_colour
from .nets.texture import seam_pairs
from .stages import Head, TextureSet

HINT_SIZE = 512  # px of the UV normal map that guides the texture


def generate(prompt, models, settings, progress=None, preview=None):
    """Prompt, `models.Models`, Settings -> Head.

    progress: called as (stage, fraction); what it raises, such as Cancelled, ends the work. preview: called with the texture
    while it forms, (r,r,3) uint8 sRGB. Raises ClipHeadError.
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
        words = colours = models.text.encode(prompt.text, required=not prompt.random)
        warnings = [*words.warnings]
        painter = models.texture_text or models.text
        if painter is not models.text:
            colours = painter.encode(prompt.text, required=False)
            warnings += [f"For the texture: {warning}" for warning in colours.warnings if warning not in warnings]
        avoid = painter.encode(prompt.negative, required=False)
    with stage("Choosing the head"):
        code = head_code(prompt, words.embedding, models, warnings)
    with stage("Shaping the surface") as report:
        shape_keys = () if settings.topology == "quads" and models.quads else settings.shape_keys
        mesh = models.head.mesh(code, settings.resolution, shape_keys, report, settings.hair)
    with stage("Unwrapping"):
        unwrapped = unwrap(mesh, models.layout, settings.alignment)
        if unwrapped.report["damping"] < 1:
            strength = f"{unwrapped.report['damping']:.0%}"
            warnings.append(f"The landmark alignment was damped to {strength} so that no triangle folds.")
        normal_uv = raster.normal_map(unwrapped, HINT_SIZE)
        coverage = raster.coverage(unwrapped.uv, settings.texture_size)
        across = seam_pairs(unwrapped.mesh.faces, unwrapped.uv, unwrapped.seam)
    with stage("Laying the quads"):
        if settings.topology == "quads":
            unwrapped = with_quads(unwrapped, code, models, settings, warnings)
    with stage("Painting the texture") as report:
        painting = models.texture.paint(
            colours.tokens,
            avoid.tokens,
            normal_uv,
            coverage,
            across,
            seed=prompt.seed,
            steps=settings.steps,
            guidance=settings.guidance,
            size=settings.texture_size,
            progress=report,
            preview=preview,
        )
    albedo, colour = painting.albedo, None
    one_surface = models.head.hair is not None and settings.hair == "merged"
    if one_surface or mesh.hair is not None:
        canonical = unwrapped.mesh.canonical
        hairy = models.head.hairiness(code, canonical) if one_surface else models.head.under_hair(code, canonical)
        parts = raster.part_map(models.quads, len(albedo)) if models.quads else None
        colour = hair_colour(prompt.text, albedo, unwrapped, hairy > 0.5, parts)
        if one_surface:
            albedo = dye(albedo, colour, unwrapped, hairy)
    recipe = {
        "program": VERSION,
        "pack": {"name": models.pack.name, "version": models.pack.version},
        "prompt": asdict(prompt),
        "settings": asdict(settings),
    }
    textures = TextureSet(albedo, normal_uv, coverage, colour, painting.roughness, painting.relief)
    return Head(unwrapped, textures, recipe, tuple(warnings), timings)


def head_code(prompt, embedding, models, warnings):
    """The head that a Prompt asks for; embedding: (C,) of its words -> HeadCode."""
    expression = expression_code(prompt, models, warnings)
    if prompt.random:
        return models.head.random(prompt.seed, expression)
    return _mappers(models).map(embedding, prompt, expression)


def with_quads(unwrapped, code, models, settings, warnings):
    """The same head on the pack's quads; in a pack without them as it was, and a warning."""
    if models.quads is None:
        warnings.append(f"The pack '{models.pack.name}' has no quad grid: the head has the dense triangles.")
        return unwrapped
    grid = QuadGrid.from_arrays(models.quads, settings.density)
    # Evaluated at the quads' own vertices, expressions are as exact as on the dense mesh, and there are fewer vertices.
    return lay(
        unwrapped,
        grid,
        grid.uv(models.layout, settings.alignment),
        lambda canonical: models.head.pose(code, canonical, settings.shape_keys, settings.hair),
    )


def expression_code(prompt, models, warnings):
    """What `prompt.expression` asks for: a named code (X,), the mapper's reading of other words, or None if it is empty."""
    if not prompt.expression.strip():
        return None
    named = models.head.find_expression(prompt.expression)
    if named is not None:
        return named
    words = models.text.encode(prompt.expression)
    warnings.extend(words.warnings)
    return _mappers(models).expression(words.embedding)


def _mappers(models):
    if models.mappers is None:
        raise PackError(
            f"The pack '{models.pack.name}' has no mapping networks, so no words lead to its heads. Ask for a random head, "
            "or train the networks: python3 tools/dev.py train mappers --help"
        )
    return models.mappers
