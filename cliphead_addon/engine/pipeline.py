"""A sentence to a textured head: the stages in the order they happen."""

import time
from contextlib import contextmanager
from dataclasses import asdict, replace

import numpy as np

from . import VERSION
from .errors import ClipHeadError, PackError
from .geometry import raster
from .geometry.quads import QuadGrid, lay
from .geometry.unwrap import unwrap
from .hair_colour import dye, hair_colour
from .iris import dye_irises
from .nets.texture import seam_pairs
from .recipes import look
from .stages import Head, HeadCode, Prompt, TextureSet

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
        words = encoded(prompt, models)
        warnings = [*words.warnings]
    with stage("Choosing the head"):
        code = head_code(replace(prompt, sliders={}), words.embedding, models, warnings)
        moved = slide(code, prompt.sliders, models)
    with stage("Shaping the surface") as report:
        mesh = surface(code, models, settings, report)
    with stage("Unwrapping"):
        guide = body = unwrapped = unwrap(mesh, models.layout, settings.alignment)
        if unwrapped.report["damping"] < 1:
            strength = f"{unwrapped.report['damping']:.0%}"
            warnings.append(f"The landmark alignment was damped to {strength} so that no triangle folds.")
    if prompt.sliders:  # the texture is that of the head before sliders moved it
        with stage("Moving the sliders") as report:
            unwrapped = unwrap(surface(moved, models, settings, report), models.layout, settings.alignment)
    with stage("Laying the quads"):
        if settings.topology == "quads":
            unwrapped = with_quads(unwrapped, moved, models, settings, warnings)
        if not prompt.sliders:
            body = unwrapped  # the quads have fewer vertices
    with stage("Painting the texture") as report:
        textures, said = paint(prompt, models, settings, guide, report, preview, code, body)
        warnings += [f"For the texture: {warning}" for warning in said if warning not in warnings]
    recipe = {
        "program": VERSION,
        "pack": {"name": models.pack.name, "version": models.pack.version},
        "prompt": asdict(prompt),
        "settings": asdict(settings),
        "attributes": attributes(moved, models),
    }
    return Head(unwrapped, textures, recipe, tuple(warnings), timings)


def paint(prompt, models, settings, unwrapped, progress=None, preview=None, code=None, body=None):
    """Colours for a head that is unwrapped -> TextureSet, and what there is to say about the words.

    unwrapped: UnwrappedHead of triangles, whose normals guide the texture. code: its HeadCode, None for the one that the prompt
    leads to; body: the same head in fewer faces, or None. They matter only to hair, which gets its colour here. progress,
    preview: as for `generate`.
    """
    painter, wanted = models.texture_text or models.text, look(prompt)
    words = painter.encode(wanted.text, required=False)
    normal_uv = raster.normal_map(unwrapped, HINT_SIZE)
    coverage = raster.coverage(unwrapped.uv, settings.texture_size)
    painting = models.texture.paint(
        tokens(wanted, painter) if wanted.mix else words.tokens,
        painter.encode(wanted.negative, required=False).tokens,
        normal_uv,
        coverage,
        seam_pairs(unwrapped.mesh.faces, unwrapped.uv, unwrapped.seam),
        seed=wanted.seed,
        steps=settings.steps,
        guidance=settings.guidance,
        size=settings.texture_size,
        progress=progress and (lambda _inner, fraction: progress("Painting the texture", fraction)),
        preview=preview,
    )
    colour, body = None, body or unwrapped
    albedo = dye_irises(painting.albedo, nearer(wanted).text, models.quads or {})
    one_surface = models.head.hair is not None and settings.hair == "merged"
    if one_surface or body.mesh.hair is not None:
        code, canonical = code or recipe_code(prompt, models), body.mesh.canonical
        hairy = models.head.hairiness(code, canonical) if one_surface else models.head.under_hair(code, canonical)
        parts = raster.part_map(models.quads, len(albedo)) if models.quads else None
        colour = hair_colour(nearer(wanted).text, albedo, body, hairy > 0.5, parts)
        if one_surface:
            albedo = dye(albedo, colour, body, hairy)
    return TextureSet(albedo, normal_uv, coverage, colour, painting.roughness, painting.relief), words.warnings


def surface(code, models, settings, progress=None):
    """A HeadCode's surface in triangles as HeadMesh; with shape keys where these triangles are delivered."""
    shape_keys = () if settings.topology == "quads" and models.quads else settings.shape_keys
    return models.head.mesh(code, settings.resolution, shape_keys, progress, settings.hair)


def recipe_code(prompt, models):
    """The HeadCode that a recipe's prompt led to; what it warned of then is not said again."""
    return head_code(prompt, encoded(prompt, models).embedding, models, [])


def head_code(prompt, embedding, models, warnings):
    """The head that a Prompt asks for; embedding: (C,) of its words -> HeadCode."""
    expression = expression_code(prompt, models, warnings)
    if prompt.mix:
        *parents, share = mixed(prompt)
        codes = [head_code(parent, encoded(parent, models).embedding, models, warnings) for parent in parents]
        code = blend(*codes, share)
        code = code if expression is None else replace(code, expression=expression)
    elif prompt.random:
        code = models.head.random(prompt.seed, expression)
    else:
        code = _mappers(models).map(embedding, prompt, expression)
    if prompt.locks:
        code = replace(code, identity=code.identity - code.bald + _sliders(models).lock(code.bald, prompt.locks))
    return slide(walled(code, models), prompt.sliders, models)


def slide(code, sliders, models):
    """A HeadCode with sliders moved: attribute -> deviations."""
    if not sliders:
        return code
    return walled(replace(code, identity=_sliders(models).move(code.identity, sliders)), models)


def walled(code, models):
    """A HeadCode whose mouth does not come out through the chin, where the pack tells how thick that is."""
    return code if models.walls is None else models.walls.kept(code)


def blend(code, other, share):
    """Two HeadCodes and how much of the second -> HeadCode: shapes and expressions in between, the hair of the nearer one."""
    hair = code.hair if share < 0.5 else other.hair
    identity = (1 - share) * code.bald + share * other.bald
    expression = (1 - share) * code.expression + share * other.expression
    return HeadCode((identity if hair is None else identity + hair).astype(np.float32), expression.astype(np.float32), hair)


def mixed(prompt):
    """A blend's two Prompts, and the share of the second. Raises ClipHeadError."""
    try:
        first, second, share = Prompt(**prompt.mix["from"]), Prompt(**prompt.mix["to"]), float(prompt.mix["share"])
    except (KeyError, TypeError, ValueError) as error:
        raise ClipHeadError(f"The recipe's blend cannot be read ({error!r}). Blend the heads again.", "BAD_RECIPE") from error
    if not 0 <= share <= 1:
        raise ClipHeadError(f"A blend's share of {share:g} is outside 0 to 1.", "BAD_SETTING")
    return first, second, share


def nearer(prompt):
    """The Prompt whose look has most of a blend: that of the nearer parent; the prompt's own without a blend."""
    prompt = look(prompt)
    if not prompt.mix:
        return prompt
    first, second, share = mixed(prompt)
    return nearer(first if share < 0.5 else second)


def encoded(prompt, models):
    """A Prompt's words as the text model reads them; only random heads and blends may have none."""
    return models.text.encode(prompt.text, required=not (prompt.random or prompt.mix))


def tokens(prompt, painter):
    """What guides the texture, (T,D): the words as a TextModel reads them; for a blend what lies between the words of both."""
    prompt = look(prompt)
    if not prompt.mix:
        return painter.encode(prompt.text, required=False).tokens
    first, second, share = mixed(prompt)
    return (1 - share) * tokens(first, painter) + share * tokens(second, painter)


def attributes(code, models):
    """What sliders can move, as it is: name -> deviations from the population's mean; {} in a pack without sliders."""
    if models.sliders is None:
        return {}
    return {name: round(value, 4) for name, value in models.sliders.attributes(code.bald).items()}


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


def _sliders(models):
    if models.sliders is None:
        raise PackError(
            f"The pack '{models.pack.name}' has no sliders. Choose one that has them, such as the starter pack, or make them: "
            "python3 tools/dev.py train sliders --help"
        )
    return models.sliders


def _mappers(models):
    if models.mappers is None:
        raise PackError(
            f"The pack '{models.pack.name}' has no mapping networks, so no words lead to its heads. Ask for a random head, "
            "or train the networks: python3 tools/dev.py train mappers --help"
        )
    return models.mappers
