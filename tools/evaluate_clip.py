"""The CLIP score of heads made from sentences, after docs/clip_score.md, and retrieval between renders and captions.

CLIP-Head (Table 1) and ClipFace report the mean cosine between CLIP's embeddings of a picture and of its sentence, CLIP-Head
for three encoders, ClipFace the average of two. Neither tells prompts, template, views or background; the protocol is ours.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from cliphead_addon.engine.errors import PackError
from cliphead_addon.engine.geometry import frames, raster
from cliphead_addon.engine.geometry.mesh import triangulate, vertex_normals
from cliphead_addon.engine.models import load_models
from cliphead_addon.engine.nets.text import TextModel
from cliphead_addon.engine.pipeline import generate
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

import open_clip  # isort: skip  after nets.text, which makes it importable beside any torchvision

TEMPLATE = "a face of {}"  # CLIP-Head's captions begin so
PROMPTS = (
    "a young caucasian woman with blond hair, smiling", "an old asian man with grey hair, laughing",
    "a middle-aged african man with black hair", "a young asian woman with black hair, surprised",
    "an old caucasian woman with white hair, sad", "a middle-aged african woman with brown hair, angry",
    "a young caucasian man with red hair, winking", "a middle-aged asian man with a black beard",
    "a bald old man with a full white beard", "a young woman with red lipstick and blue eyes",
    "a heavy middle-aged man with a moustache, smiling", "a thin old man with a hooked nose",
    "a young man with freckles and green eyes", "a young african woman with curly hair, laughing",
    "an asian boy with short hair, mouth open", "an angry man with a goatee and thick eyebrows",
    "a woman with party make-up", "a woman with gothic make-up", "a zombie", "a ghost", "a werewolf", "a vampire",
    "the joker", "an orc with pointed ears", "an alien", "a clown", "a marble statue of a young man",
    "a bronze statue of an old man", "a robot", "a porcelain doll",
)  # fmt: skip
SEEDS = (0, 1, 2)
YAWS = (-20.0, 0.0, 20.0)  # degrees; ClipFace's cameras reach 21.8
PICTURE = 512  # px
CENTRE, HALF = frames.ict_to_nphm(np.array([0.0, 3.0, -1.0])), 15.5 / frames.CM_PER_UNIT  # middle and half side of the picture
AMBIENT = 0.55  # the rest is Lambert's cosine to a light at the camera
GAMMA = 2.2
PAIRS = 500  # of retrieval


def picture(head, yaw, size=PICTURE):
    """An orthographic picture of a `stages.Head`: yaw in degrees -> (size,size,3) uint8 sRGB on white.

    A positive yaw turns the face to the picture's right. Texture times ambient and head light; hair has its own plain colour.
    """
    unwrapped = head.unwrapped
    mesh, uv, faces = unwrapped.mesh, unwrapped.uv, unwrapped.mesh.faces
    if faces.shape[1] == 4:
        uv, faces = triangulate(uv), triangulate(faces)
    points, normals = mesh.vertices[faces].reshape(-1, 3), mesh.normals[faces].reshape(-1, 3)
    place = np.concatenate([uv.reshape(-1, 2), np.zeros((len(points), 1))], axis=1)
    corners = np.arange(len(points)).reshape(-1, 3)
    if mesh.hair is not None:
        hair = mesh.hair
        corners = np.concatenate([corners, len(points) + hair.faces])
        points = np.concatenate([points, hair.vertices])
        normals = np.concatenate([normals, vertex_normals(hair.vertices, hair.faces)])
        place = np.concatenate([place, np.tile([0.0, 0.0, 1.0], (len(hair.vertices), 1))])
    turn = Rotation.from_euler("y", yaw, degrees=True)
    seen = turn.apply(points - CENTRE) / (2 * HALF) + 0.5
    image, mask = raster.render(seen, corners, np.concatenate([place, turn.apply(normals)], axis=1), size)
    colours = _looked_up(head.textures.albedo, image[..., :2].reshape(-1, 2)).reshape(size, size, 3)
    is_hair = image[..., 2:3] > 0.5
    colours = np.where(is_hair, np.array(head.textures.hair_colour or (0, 0, 0)) / 255.0, colours)
    normal = image[..., 3:] / np.maximum(np.linalg.norm(image[..., 3:], axis=-1, keepdims=True), 1e-9)
    shade = AMBIENT + (1 - AMBIENT) * np.abs(normal[..., 2:])
    lit = (colours**GAMMA * shade) ** (1 / GAMMA)
    return np.rint(255 * np.where(mask[..., None], lit, 1.0)).astype(np.uint8)


def _looked_up(albedo, uv):
    """Nearest texels of (R,R,3) uint8 at (N,2) UV -> (N,3) in [0,1]."""
    texel = np.clip(frames.uv_to_pixel(uv, len(albedo)).astype(int), 0, len(albedo) - 1)
    return albedo[texel[:, 1], texel[:, 0]] / 255.0


class Judge:
    """A CLIP with both towers, and the preprocessing that belongs to it."""

    def __init__(self, name, text):
        self.name, self.text = name, text
        visual = text.model.visual
        mean, deviation = getattr(visual, "image_mean", None), getattr(visual, "image_std", None)
        self.preprocess = open_clip.image_transform(visual.image_size, is_train=False, mean=mean, std=deviation)

    @classmethod
    def load(cls, pack, model=""):
        """model: ARCHITECTURE=FILE of any open_clip model, such as ViT-L-14=vit_l_14.safetensors; empty: the pack's own."""
        if not model:
            part = pack.part("text")
            return cls(f"{pack.name}'s own", TextModel.load(part, keep_image=True))
        architecture, _, file = model.partition("=")
        if not file:
            raise PackError(f"'{model}' names no weights. Give the model as ARCHITECTURE=FILE: ViT-B-16=weights.safetensors.")
        return cls(architecture, TextModel.load({"architecture": architecture, "file": Path(file).resolve()}, keep_image=True))

    @torch.no_grad()
    def images(self, pictures):
        """(N,R,R,3) uint8 -> (N,C) unit embeddings."""
        ready = torch.stack([self.preprocess(Image.fromarray(image)) for image in pictures])
        return torch.cat([self.text.model.encode_image(part, normalize=True) for part in ready.split(64)]).float()

    def sentences(self, sentences):
        """N strings -> (N,C) unit embeddings; a small tower of our own reads its own words only, as for a user."""
        if self.text.vocabulary:
            sentences = [self.text.vocabulary.read(sentence)[0] for sentence in sentences]
        return torch.cat([self.text.encode_many(sentences[i : i + 64])[0] for i in range(0, len(sentences), 64)])

    def scores(self, pictures, sentences):
        """Cosine between each picture and its sentence: (N,R,R,3) uint8, N strings -> (N,)."""
        return (self.images(pictures) * self.sentences(sentences)).sum(-1).numpy()


def evaluate_clip_score(pack, models, count, resolution):
    """Prints the CLIP score of the protocol's first `count` prompts for every model named -> {model: (H,) scores of heads}."""
    judges = [Judge.load(pack, model) for model in models or [""]]
    engine, settings = load_models(pack.folder), Settings(resolution=resolution)
    scores, others = {judge.name: [] for judge in judges}, {judge.name: [] for judge in judges}
    prompts = PROMPTS[:count]
    for i, prompt in enumerate(prompts):
        for seed in SEEDS:
            head = generate(Prompt(prompt, seed=seed), engine, settings)
            views = np.stack([picture(head, yaw) for yaw in YAWS])
            for judge in judges:
                wrong = prompts[(i + len(prompts) // 2) % len(prompts)]
                scores[judge.name].append(judge.scores(views, [TEMPLATE.format(prompt)] * len(views)).mean())
                others[judge.name].append(judge.scores(views, [TEMPLATE.format(wrong)] * len(views)).mean())
    print(f"CLIP score after docs/clip_score.md: {len(prompts)} prompts, {len(SEEDS)} seeds, {len(YAWS)} views")
    print(f"  {'':24s}{'score':>8s}{'+-':>8s}{'of a wrong prompt':>20s}")
    for name, values in scores.items():
        print(f"  {name:24s}{np.mean(values):8.3f}{np.std(values):8.3f}{np.mean(others[name]):20.3f}")
    if len(judges) > 1:  # ClipFace averages its encoders
        print(f"  {'average of the models':24s}{np.mean([np.mean(v) for v in scores.values()]):8.3f}")
    return {name: np.array(values) for name, values in scores.items()}


def ranks(images, sentences):
    """Place of each picture's own sentence among all: unit embeddings (N,C), (N,C) -> (N,), 0 is first."""
    similar = images @ sentences.T
    return (similar > similar.diagonal()[:, None]).sum(1).numpy()


def evaluate_retrieval(pack, models, pairs):
    """Prints how often a held-out render's own caption is first, or among the first five -> {(model, kind): (top-1, top-5)}."""
    from tools.train import image_tower  # it needs the studio

    image_tower.make_data(pack.folder, 0, pairs)  # draws what is not drawn yet
    album = image_tower.Album(image_tower.photographer(pack.folder).population, held_out=True)
    pairs = min(pairs, len(album.heads))
    pictures, found = album.pictures[:pairs, 0].numpy(), {}
    print(f"Retrieval: {pairs} held-out renders, one view each, against their {pairs} captions (must 0.60 and 0.90)")
    print(f"  {'':24s}{'captions':24s}{'top-1':>8s}{'top-5':>8s}")
    for judge in [Judge.load(pack, model) for model in models or [""]]:
        images = judge.images(pictures)
        for kind, tries in (("any", 1), ("the longest of eight", 8)):
            place = ranks(images, judge.sentences(album.sentences(range(pairs), np.random.default_rng(3), tries)))
            found[judge.name, kind] = float((place == 0).mean()), float((place < 5).mean())
            print(f"  {judge.name:24s}{kind:24s}{found[judge.name, kind][0]:8.3f}{found[judge.name, kind][1]:8.3f}")
    return found
