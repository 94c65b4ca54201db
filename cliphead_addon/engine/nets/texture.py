"""Colours for an unwrapped head: diffusers' ControlNet pipeline conditioned on a UV normal map, then seam equalisation."""

import functools
import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree

from .. import torchvision_guard  # noqa: F401  before diffusers
from ..errors import PackError
from ..geometry import frames, raster

from diffusers import StableDiffusionControlNetPipeline  # isort: skip
from diffusers.utils import logging  # isort: skip

logging.disable_progress_bar()  # the worker's output belongs to its protocol

ABSENT = ("text_encoder", "tokenizer", "safety_checker", "feature_extractor", "image_encoder")  # not needed here
PADDING = 8  # px past the island, at the final size
PREVIEW_SHARE = 0.25  # of the painting's time that previews may take
SEAM_BAND = 0.06  # of the image's side: how far from the cut a difference in colour is spread


class Painting(NamedTuple):
    """What the texture part makes; row 0 at the top. An upscaler that knows colours alone leaves the rest out."""

    albedo: np.ndarray  # (R,R,3) uint8 sRGB
    roughness: np.ndarray | None  # (R,R) uint8, 0 to 1
    relief: np.ndarray | None  # (R,R) uint16, -1 to 1 mm outward


class TextureModel:
    """A diffusers pipeline (VAE, UNet, ControlNet, scheduler) and an optional upscaler."""

    def __init__(self, pipeline, upscaler=None):
        self.pipeline = pipeline
        self.upscaler = upscaler
        pipeline.set_progress_bar_config(disable=True)

    @classmethod
    def load(cls, folder, upscaler=None, device="cpu"):
        """From a folder in diffusers' format (model_index.json, vae/, unet/, controlnet/, scheduler/). Raises PackError.

        Text encoder and tokenizer are not needed: prompts arrive as features.
        """
        folder = Path(folder)
        if not (folder / "model_index.json").is_file():
            raise PackError(f"No diffusers pipeline in {folder}: model_index.json is missing. Reinstall the pack.")
        _check_index(folder / "model_index.json")
        absent = dict.fromkeys(ABSENT)
        try:
            pipeline = StableDiffusionControlNetPipeline.from_pretrained(
                folder,
                **absent,
                requires_safety_checker=False,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                low_cpu_mem_usage=False,
            )
        except Exception as error:
            raise PackError(
                f"The texture model in {folder} cannot be loaded ({type(error).__name__}: {error}). Reinstall the pack."
            ) from error
        pipeline.vae.requires_grad_(False)
        return cls(pipeline.to(device), upscaler)

    @property
    def native_size(self):
        """Side in px of the images the pipeline paints."""
        return self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor

    def paint(
        self,
        tokens,
        negative_tokens,
        normal_uv,
        coverage,
        seam=None,
        *,
        seed=0,
        steps=12,
        guidance=2.0,
        size=512,
        progress=None,
        preview=None,
    ):
        """Paint a head: -> Painting of side `size`, padded past the island, both sides of the cut alike.

        tokens, negative_tokens: (T,D) float32 text features. normal_uv: (r,r,3) uint8. coverage: (size,size) bool.
        seam: (P,2,2) UV points facing each other across the cut (`seam_pairs`), or None.
        guidance: classifier-free guidance scale, 1 = off. progress: called as (stage, fraction); what it raises ends the work.
        preview: called with what the image is going to be, (r,r,3) uint8, as often as costs little.
        """
        if np.shape(tokens) != np.shape(negative_tokens):
            raise ValueError(f"Prompt features {np.shape(tokens)} and negative features {np.shape(negative_tokens)} differ.")
        report = progress or (lambda stage, fraction: None)

        show = _Sparingly(lambda latents: preview(self._decode(latents)))

        def after_step(pipeline, step, timestep, state):
            report("texture", 0.9 * (step + 1) / pipeline.num_timesteps)
            if preview is not None and guesses and step + 1 < pipeline.num_timesteps:
                show(guesses[-1])
            return state

        report("texture", 0.0)
        with _guesses(self.pipeline.scheduler) as guesses:
            image = self.pipeline(
                prompt_embeds=torch.tensor(np.asarray(tokens, np.float32))[None].to(self.pipeline.device),
                negative_prompt_embeds=torch.tensor(np.asarray(negative_tokens, np.float32))[None].to(self.pipeline.device),
                image=self._hint(normal_uv),
                num_inference_steps=steps,
                guidance_scale=float(guidance),
                generator=torch.Generator("cpu").manual_seed(seed),
                callback_on_step_end=after_step,
                output_type="np",
            ).images[0]  # (r,r,3) in [0,1]
        if self.upscaler:
            image = self.upscaler.enlarge(image, size, progress, seed)
        image = resize(image, size)
        if seam is not None and len(seam):
            image = equalise_seam(raster.pad(image, coverage, PADDING), seam)
        image = raster.pad(image, coverage, PADDING)
        report("texture", 1.0)
        image = np.clip(image, 0, 1)
        roughness, relief = np.moveaxis(image[..., 3:], -1, 0) if image.shape[-1] == 5 else (None, None)
        return Painting(_whole(image[..., :3], np.uint8), _whole(roughness, np.uint8), _whole(relief, np.uint16))

    @torch.inference_mode()
    def _decode(self, latents):
        """Latents (1,C,h,w) -> (r,r,3) uint8."""
        vae = self.pipeline.vae
        image = vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0][0]
        return ((image.permute(1, 2, 0) * 0.5 + 0.5).clamp(0, 1) * 255).round().byte().cpu().numpy()

    def _hint(self, normal_uv):
        size = self.native_size
        return torch.from_numpy(resize(normal_uv.astype(np.float32) / 255, size)).permute(2, 0, 1)[None]


def _whole(image, kind):
    """[0,1] -> the whole range of an integer type; None stays None."""
    return None if image is None else np.rint(image * np.iinfo(kind).max).astype(kind)


def _check_index(path):
    """Refuse a pipeline that names other programs than diffusers for its parts: it would import them."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        used = {name: value for name, value in index.items() if not name.startswith("_") and name not in ABSENT}
    except (AttributeError, OSError, RecursionError, ValueError) as error:
        raise PackError(f"{path} cannot be read ({error}). Reinstall the pack.") from error
    for name, value in used.items():
        if isinstance(value, list) and (len(value) != 2 or value[0] not in (None, "diffusers")):
            raise PackError(f"{path}: '{name}' is to be loaded by {value[0]!r} instead of diffusers. Do not use this pack.")


class _Sparingly:
    """Calls a function again only when its last call's time has become PREVIEW_SHARE of all time since."""

    def __init__(self, function):
        self.function, self.due = function, 0.0

    def __call__(self, argument):
        began = time.monotonic()
        if began >= self.due:
            self.function(argument)
            ended = time.monotonic()
            self.due = ended + (ended - began) * (1 / PREVIEW_SHARE - 1)


@contextmanager
def _guesses(scheduler):
    """While it lasts: a list whose last item is the scheduler's guess of the finished latents, empty if it makes none."""
    guesses, step = [], scheduler.step

    @functools.wraps(step)  # the pipeline looks at the signature
    def watched(*arguments, return_dict=True, **options):
        output = step(*arguments, **options, return_dict=True)
        guesses[:] = [output.pred_original_sample] if getattr(output, "pred_original_sample", None) is not None else []
        return output if return_dict else (output.prev_sample,)

    scheduler.step = watched
    try:
        yield guesses
    finally:
        del scheduler.step


def resize(image, size):
    """(R,R,C) float32 -> (size,size,C), antialiased."""
    if len(image) == size:
        return np.asarray(image, np.float32)
    x = torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]
    x = torch.nn.functional.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
    return x[0].permute(1, 2, 0).numpy()


def seam_pairs(faces, uv, seam, samples=4):
    """UV points that are one point of the surface on either side of the cut.

    faces: (F,3), uv: (F,3,2) per corner, seam: (S,2) vertex pairs -> (P,2,2) float32, P = samples * S.
    """
    faces, seam = np.asarray(faces, np.int64), np.asarray(seam, np.int64)
    count = int(faces.max()) + 1
    starts, ends = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    start_uv, end_uv = uv.reshape(-1, 2), np.roll(uv, -1, axis=1).reshape(-1, 2)
    key = starts * count + ends  # one half-edge per face corner
    order = np.argsort(key)

    def find(a, b):
        wanted = a * count + b
        place = np.minimum(np.searchsorted(key, wanted, sorter=order), len(key) - 1)
        half = order[place]
        return half, key[half] == wanted

    forward, has_forward = find(seam[:, 0], seam[:, 1])
    backward, has_backward = find(seam[:, 1], seam[:, 0])
    both = has_forward & has_backward
    forward, backward = forward[both], backward[both]
    t = ((np.arange(samples) + 0.5) / samples)[None, :, None]
    one = (1 - t) * start_uv[forward][:, None] + t * end_uv[forward][:, None]
    other = (1 - t) * end_uv[backward][:, None] + t * start_uv[backward][:, None]
    return np.stack([one, other], axis=2).reshape(-1, 2, 2).astype(np.float32)


def equalise_seam(image, pairs, band=SEAM_BAND):
    """Make both sides of the cut meet at their mean colour: (R,R,C) float32 -> (R,R,C) float32.

    The slowly varying part of the difference is spread over `band` (a fraction of the side), the rest over three pixels,
    so that correcting grain leaves no streaks. pairs: (P,2,2) UV, from `seam_pairs`.
    """
    size = len(image)
    image = np.array(image, np.float32)
    pixels = frames.uv_to_pixel(np.asarray(pairs, np.float64), size) - 0.5  # (P,2,2) column, row
    sides = np.concatenate([pixels[:, 0], pixels[:, 1]])
    tree = cKDTree(sides)
    rows, columns = np.mgrid[:size, :size]
    texels = np.stack([columns.ravel(), rows.ravel()], axis=-1)
    distance, nearest = tree.query(texels, k=4, distance_upper_bound=band * size)
    near = np.isfinite(distance[:, 0])
    distance, nearest = distance[near], np.minimum(nearest[near], len(sides) - 1)
    weight = np.where(np.isfinite(distance), 1 / (distance + 0.05) ** 2, 0)
    weight /= weight.sum(1, keepdims=True)
    neighbours = cKDTree(pixels[:, 0]).query(pixels[:, 0], k=min(24, len(pixels)))[1].reshape(len(pixels), -1)
    flat = image.reshape(-1, image.shape[-1])
    passes = [(band * size, True), (3.0, False), (3.0, False), (2.0, False)]
    for reach, smooth in passes:
        half = (_sample(image, pixels[:, 1]) - _sample(image, pixels[:, 0])) / 2
        if smooth:
            half = half[neighbours].mean(1)
        towards = np.concatenate([half, -half])  # what each side must gain
        fade = np.clip(1 - distance[:, 0] / reach, 0, 1)
        fade = fade * fade * (3 - 2 * fade) if smooth else np.minimum(1.5 * fade, 1)
        flat[near] += fade[:, None] * np.einsum("nk,nkc->nc", weight, towards[nearest])
    return image


def _sample(image, pixels):
    """Bilinear lookup at (P,2) column and row, texel centres at whole numbers -> (P,C)."""
    size = len(image)
    pixels = np.clip(pixels, 0, size - 1)
    low = np.minimum(np.floor(pixels).astype(int), size - 2)
    fx, fy = (pixels - low).T[..., None]
    x, y = low.T
    top = image[y, x] * (1 - fx) + image[y, x + 1] * fx
    return top * (1 - fy) + (image[y + 1, x] * (1 - fx) + image[y + 1, x + 1] * fx) * fy
