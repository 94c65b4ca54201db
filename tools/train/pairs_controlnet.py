"""Train the mapping networks as CLIP-Head did: from pictures that a ControlNet paints over renders of random heads.

$ python -m tools.train.pairs_controlnet identity --diffusion sd_normal --clip ViT-L-14=vit_l_14.safetensors --pairs 5000
$ python -m tools.train.pairs_controlnet expression --clip ViT-L-14=vit_l_14.safetensors --prompts 4000
$ python -m tools.train.pairs_controlnet train --clip ViT-L-14=vit_l_14.safetensors --pack packs/nphm

`identity` draws heads from the pack's population, renders their normals from the front, lets a diffusers pipeline with a
ControlNet for normal maps (a local folder, text encoder included) paint a photograph over them, and keeps the CLIP embedding
of that picture beside the head's code. `expression` writes sentences by the papers' template and keeps their embeddings beside
the codes of the expressions they name. `train` fits both networks and writes the pack's mappers part. All resume where they
stopped; --dry-run says what would be done and loads nothing.

The identity network learns from pictures and later reads sentences. CLIP puts the two in different places, so the mean of each
kind is taken away from it: that of all pictures in training, that of all the template's sentences afterwards.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from cliphead_addon.engine.geometry import raster
from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.nets.mapping import Mapper, split
from cliphead_addon.engine.packs import open_pack, set_part
from tools.evaluate_clip import CENTRE, HALF, Judge

from diffusers import StableDiffusionControlNetPipeline  # isort: skip  after the engine, which makes it importable

RUN = Path("runs/pairs_controlnet")
PICTURE, RESOLUTION, CHUNK = 512, 128, 20  # px, samples along the head's box, pairs in a file
PAINTED = "a photograph of the face of a person, plain background, neutral expression"
TEMPLATE = "a face of {age} {origin} {noun} with {colour} hair, {expression}"
WORDS = {
    "age": ("a young", "a middle-aged", "an old"),
    "origin": ("caucasian", "asian", "african", "indian", "hispanic"),
    "noun": ("man", "woman", "person"),
    "colour": ("black", "brown", "blond", "red", "grey", "white"),
}
KEPT = 0.99  # share of the codes' variance that the identity network describes
STEPS, BATCH, RATE = 4000, 256, 1e-3


def normal_picture(mesh, size=PICTURE):
    """A HeadMesh from the front, red right, green up, blue to the viewer, as ControlNets read normals -> (R,R,3) uint8."""
    image, mask = raster.render((mesh.vertices - CENTRE) / (2 * HALF) + 0.5, mesh.faces, mesh.normals, size)
    image /= np.maximum(np.linalg.norm(image, axis=-1, keepdims=True), 1e-9)
    return np.where(mask[..., None], np.rint(image * 127.5 + 127.5), (128, 128, 255)).astype(np.uint8)


def expression_prompts(names, count, seed=31):
    """Sentences by the papers' template: names of expressions -> count strings, (count,) index of the name each one says."""
    rng = np.random.default_rng(seed)
    said = rng.integers(len(names), size=count)
    sentences = []
    for index in said:
        words = {slot: str(rng.choice(options)) for slot, options in WORDS.items()}
        sentences.append(TEMPLATE.format(**words, expression=names[index]))
    return sentences, said


def make_identity(pack, judge, diffusion, pairs, folder, size=PICTURE, resolution=RESOLUTION, steps=20, device="cpu"):
    """Chunks of pairs of picture embedding (C,) and identity code (I,), those missing."""
    head = HeadModel.load(pack)
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(diffusion, local_files_only=True, safety_checker=None).to(
        device
    )
    pipeline.set_progress_bar_config(disable=True)
    for start in missing(folder, pairs):
        codes, pictures = [], []
        for seed in range(start, min(start + CHUNK, pairs)):
            code = head.random(seed)
            hint = normal_picture(head.mesh(code, resolution, hair="merged"), size)
            pictures.append(paint(pipeline, hint, seed, steps))
            codes.append(code.identity)
        np.savez(folder / f"{start:06}.npz", embedding=judge.images(np.stack(pictures)).numpy(), identity=np.stack(codes))
        print(f"{start + len(codes)} of {pairs} pairs", flush=True)


def paint(pipeline, hint, seed, steps):
    """One picture (R,R,3) uint8 over a normal map."""
    image = torch.from_numpy(hint.astype(np.float32) / 255).permute(2, 0, 1)[None]
    random = torch.Generator().manual_seed(seed)
    made = pipeline(PAINTED, image=image, num_inference_steps=steps, generator=random, output_type="np").images[0]
    return np.rint(made * 255).astype(np.uint8)


def missing(folder, pairs):
    """First numbers of the chunks that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    return [start for start in range(0, pairs, CHUNK) if not (folder / f"{start:06}.npz").is_file()]


def make_expression(pack, judge, prompts, folder):
    """The embeddings of template sentences, and which of the pack's expressions each one says."""
    names = sorted(HeadModel.load(pack).expressions)
    sentences, said = expression_prompts(names, prompts)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "expression.npz", embedding=judge.sentences(sentences).numpy(), said=said, names=np.array(names))


def principal(codes):
    """Codes (n,I) -> mean (I,), basis (I,D) whose columns have the codes' deviations, coordinates (n,D) of deviation one."""
    mean = codes.mean(0)
    _, values, directions = np.linalg.svd(codes - mean, full_matrices=False)
    kept = int(np.searchsorted(np.cumsum(values**2) / (values**2).sum(), KEPT)) + 1
    basis = (directions[:kept] * values[:kept, None] / math.sqrt(len(codes))).T
    return mean, basis, (codes - mean) @ np.linalg.pinv(basis).T


def fit(embeddings, targets, mean, loss, outputs, dropout):
    """A Mapper of embeddings (n,C) less their own mean; `mean` (C,) is what it will take away from those it reads later."""
    inputs = torch.from_numpy(embeddings - embeddings.mean(0)).float()
    targets = torch.from_numpy(targets).float()
    mapper = Mapper(inputs.shape[1], outputs, dropout=dropout)
    optimiser = torch.optim.AdamW(mapper.parameters(), RATE, weight_decay=0.05)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = RATE * (0.02 + 0.49 * (1 + math.cos(math.pi * step / STEPS)))
        rows = torch.randint(len(inputs), (min(BATCH, len(inputs)),))
        value = loss(mapper(inputs[rows]), targets[rows])
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    with torch.no_grad():
        first = mapper.layers[0]
        first.bias -= first.weight @ torch.from_numpy(mean).float() * mapper.scale
    return mapper.eval()


def likelihood(output, target):
    mean, log_deviation, _ = split(output, target.shape[-1])
    return (0.5 * ((target - mean) * (-log_deviation).exp()).square() + log_deviation).mean()


def train(pack, folder):
    """Fits both networks from what lies in `folder` and writes the pack's mappers part."""
    chunks = [np.load(path) for path in sorted(folder.glob("[0-9]*.npz"))]
    spoken = folder / "expression.npz"
    if not chunks or not spoken.is_file():
        raise SystemExit(f"No pairs in {folder} yet: run `identity` and `expression` first.")
    pictures, codes = (np.concatenate([chunk[name] for chunk in chunks]) for name in ("embedding", "identity"))
    told, head = np.load(spoken), HeadModel.load(pack)
    sentences, names = told["embedding"], [str(name) for name in told["names"]]
    middle = sentences.mean(0)
    mean, basis, coordinates = principal(codes)
    identity = fit(pictures, coordinates, middle, likelihood, 2 * basis.shape[1], 0.15)
    wanted = np.eye(len(names))[told["said"]]
    expression = fit(sentences, wanted, middle, lambda out, target: (out - target).square().sum(-1).mean(), len(names), 0.05)
    neutral = head.random(0).expression
    arrays = {"identity_mean": mean, "identity_basis": basis, "neutral": neutral, "expression_mean": neutral}
    arrays["expression_basis"] = np.stack([head.named_expression(name) - neutral for name in names], axis=1)
    arrays = {name: torch.tensor(np.asarray(array, np.float32)) for name, array in arrays.items()}
    arrays |= {f"identity.{name}": value for name, value in identity.state_dict().items()}
    arrays |= {f"expression.{name}": value for name, value in expression.state_dict().items()}
    save_file({name: value.contiguous() for name, value in arrays.items()}, pack.folder / "mappers.safetensors")
    set_part(pack.folder, "mappers", {"implementation": "mlp", "file": "mappers.safetensors"})
    with torch.no_grad():
        right = F.one_hot(expression(torch.from_numpy(sentences).float()).argmax(1), len(names)).float().numpy()
    print(
        f"{len(codes)} heads, {basis.shape[1]} parameters; {(right * wanted).sum(1).mean():.1%} of the expressions told apart"
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("identity", "expression", "train"))
    parser.add_argument("--pack", default="starter")
    parser.add_argument("--clip", default="", metavar="ARCHITECTURE=FILE", help="any of open_clip's; the pack's own without it")
    parser.add_argument("--diffusion", type=Path, help="folder of a StableDiffusionControlNetPipeline for normal maps")
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--prompts", type=int, default=4000)
    parser.add_argument("--size", type=int, default=PICTURE, help="px")
    parser.add_argument("--resolution", type=int, default=RESOLUTION)
    parser.add_argument("--steps", type=int, default=20, help="denoising steps")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=RUN)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, load nothing")
    options = parser.parse_args(arguments)
    pack = open_pack(options.pack)
    if options.command == "identity" and not (options.diffusion and (options.diffusion / "model_index.json").is_file()):
        parser.error(f"--diffusion must name a folder of a diffusers pipeline; {options.diffusion} has no model_index.json")
    if options.dry_run:
        there = sum(1 for _ in options.out.glob("[0-9]*.npz"))
        print(
            f"{options.command}: pack '{pack.name}', CLIP {options.clip or 'of the pack'}, {options.out} ({there} chunks there)"
        )
        if options.command == "identity":
            print(f"  {options.pairs} heads at resolution {options.resolution}")
            print(f"  pictures of {options.size} px by {options.diffusion}")
        elif options.command == "expression":
            print("  for example:", *expression_prompts(["smile", "angry"], 3)[0], sep="\n    ")
        return
    if options.command == "train":
        return train(pack, options.out)
    judge = Judge.load(pack, options.clip)
    if options.command == "expression":
        return make_expression(pack, judge, options.prompts, options.out)
    make_identity(
        pack,
        judge,
        options.diffusion,
        options.pairs,
        options.out,
        options.size,
        options.resolution,
        options.steps,
        options.device,
    )


if __name__ == "__main__":
    main()
