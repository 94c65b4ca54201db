"""Train a ControlNet for UV normal maps on any folder of textures with captions, for any diffusers pipeline.

$ python -m tools.train.controlnet_uv --diffusion stable-diffusion --data textures/ --out runs/controlnet_uv --minutes 600
$ python -m tools.train.controlnet_uv --diffusion stable-diffusion --data textures/ --dry-run

--data holds metadata.jsonl, one object a line: {"image": "007.png", "normal": "007_normal.png", "text": "a face of ..."},
paths from the folder. --diffusion is a local folder of a StableDiffusionPipeline, text encoder included; its networks stay as
they are. The ControlNet starts as a copy of the UNet's encoder (Zhang et al. 2023) and learns to foretell the same noise, or
velocity, with the normal map's help; half of the captions are dropped, so that it learns to read the map. Resumes from --out,
where it is left in diffusers' folder format, with the whole pipeline beside it at the end.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from cliphead_addon.engine import torchvision_guard  # noqa: F401  before diffusers

from diffusers import (  # isort: skip  after torchvision_guard
    ControlNetModel,
    DDIMScheduler,
    DDPMScheduler,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
)

DROPPED = 0.5  # share of captions left empty, as in the ControlNet paper
HINT_CHANNELS = (16, 32, 96, 256)  # of the layers that read the map, each but the first at half the size
SAVE_EVERY = 120  # seconds


class Textures:
    """A folder with metadata.jsonl, read row by row."""

    def __init__(self, folder):
        self.folder = Path(folder)
        listing = self.folder / "metadata.jsonl"
        if not listing.is_file():
            raise SystemExit(f"{listing} is missing: one line for each texture, with image, normal and text.")
        self.rows = [json.loads(line) for line in listing.read_text("utf-8").splitlines() if line.strip()]
        for number, row in enumerate(self.rows, 1):
            absent = [key for key in ("image", "normal", "text") if key not in row]
            absent += [row[key] for key in ("image", "normal") if key in row and not (self.folder / row[key]).is_file()]
            if absent:
                raise SystemExit(f"{listing}, line {number}: {', '.join(absent)} is missing.")
        if not self.rows:
            raise SystemExit(f"{listing} is empty.")

    def __len__(self):
        return len(self.rows)

    def read(self, index, size):
        """-> albedo (3,S,S) in [-1,1], normal map (3,S,S) in [0,1], caption."""
        row = self.rows[index]
        image, normal = (self._pixels(row[key], size) for key in ("image", "normal"))
        return 2 * image - 1, normal, row["text"]

    def _pixels(self, name, size):
        with Image.open(self.folder / name) as file:
            pixels = np.asarray(file.convert("RGB").resize((size, size), Image.Resampling.LANCZOS), np.float32)
        return torch.from_numpy(pixels / 255).permute(2, 0, 1)


class Trainer:
    """The frozen pipeline and its new ControlNet."""

    def __init__(self, diffusion, out, device="cpu"):
        self.pipeline = StableDiffusionPipeline.from_pretrained(diffusion, local_files_only=True, safety_checker=None).to(
            device
        )
        for part in (self.pipeline.vae, self.pipeline.unet, self.pipeline.text_encoder):
            part.requires_grad_(False).eval()
        self.out, self.device = Path(out), device
        self.state = self.out / "training.pt"
        kept = self.out / "controlnet"
        if (kept / "config.json").is_file():
            self.controlnet = ControlNetModel.from_pretrained(kept, local_files_only=True)
        else:
            halvings = round(math.log2(self.pipeline.vae_scale_factor))  # the map must shrink as far as the pictures do
            self.controlnet = ControlNetModel.from_unet(
                self.pipeline.unet, conditioning_embedding_out_channels=HINT_CHANNELS[: halvings + 1]
            )
        self.controlnet.to(device).train()
        self.noising = DDPMScheduler.from_config(self.pipeline.scheduler.config)
        self.steps = 0

    @property
    def size(self):
        return self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor

    @torch.no_grad()
    def words(self, texts):
        """B captions -> (B,T,D)."""
        tokenizer = self.pipeline.tokenizer
        ids = tokenizer(
            texts, padding="max_length", truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt"
        ).input_ids
        return self.pipeline.text_encoder(ids.to(self.device))[0]

    def loss(self, images, normals, texts, random):
        """One batch: images (B,3,S,S) in [-1,1], normals (B,3,S,S) in [0,1], B captions -> scalar."""
        vae, noising = self.pipeline.vae, self.noising
        with torch.no_grad():
            clean = vae.encode(images.to(self.device)).latent_dist.mean * vae.config.scaling_factor
        texts = ["" if torch.rand((), generator=random) < DROPPED else text for text in texts]
        noise = torch.randn(clean.shape, generator=random).to(self.device)
        times = torch.randint(noising.config.num_train_timesteps, (len(clean),), generator=random).to(self.device)
        noisy, words = noising.add_noise(clean, noise, times), self.words(texts)
        down, middle = self.controlnet(noisy, times, words, normals.to(self.device), return_dict=False)
        found = self.pipeline.unet(
            noisy, times, words, down_block_additional_residuals=down, mid_block_additional_residual=middle
        ).sample
        velocity = noising.config.prediction_type == "v_prediction"
        return F.mse_loss(found, noising.get_velocity(clean, noise, times) if velocity else noise)

    def train(self, textures, minutes, steps, batch, rate):
        """Until the time or the steps are over -> mean loss of the last steps."""
        optimiser = torch.optim.AdamW(self.controlnet.parameters(), rate, weight_decay=0.01)
        if self.state.is_file():
            state = torch.load(self.state, weights_only=True)
            optimiser.load_state_dict(state["optimiser"])
            self.steps = state["steps"]
        random = torch.Generator().manual_seed(self.steps)
        started = saved = time.monotonic()
        losses = []
        for _ in range(steps or 10**9):
            if time.monotonic() - started > 60 * minutes:
                break
            rows = torch.randint(len(textures), (batch,), generator=random).tolist()
            images, normals, texts = zip(*(textures.read(i, self.size) for i in rows), strict=True)
            loss = self.loss(torch.stack(images), torch.stack(normals), list(texts), random)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.controlnet.parameters(), 1.0)
            optimiser.step()
            self.steps += 1
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise SystemExit(f"The loss is {losses[-1]} at step {self.steps}. Lower --rate.")
            if self.steps % 50 == 0:
                print(f"step {self.steps}  loss {np.mean(losses[-50:]):.4f}", flush=True)
            if time.monotonic() - saved > SAVE_EVERY:
                self.save(optimiser)
                saved = time.monotonic()
        self.save(optimiser)
        return float(np.mean(losses[-50:])) if losses else float("nan")

    def save(self, optimiser):
        self.controlnet.save_pretrained(self.out / "controlnet")
        torch.save({"optimiser": optimiser.state_dict(), "steps": self.steps}, self.state)

    def export(self):
        """The whole pipeline, as a pack's texture part reads it, in <out>/pipeline."""
        parts = {name: part for name, part in self.pipeline.components.items() if name not in ("scheduler", "controlnet")}
        scheduler = DDIMScheduler.from_config(self.pipeline.scheduler.config)
        whole = StableDiffusionControlNetPipeline(
            **parts, controlnet=self.controlnet.eval(), scheduler=scheduler, requires_safety_checker=False
        )
        whole.save_pretrained(self.out / "pipeline")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--diffusion", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/controlnet_uv"))
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--steps", type=int, help="at most so many; as many as the minutes allow without it")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dry-run", action="store_true", help="check the folders, say what would be done, load no network")
    options = parser.parse_args(arguments)
    textures = Textures(options.data)
    if not (options.diffusion / "model_index.json").is_file():
        parser.error(f"{options.diffusion} is no diffusers pipeline: it has no model_index.json")
    if options.dry_run:
        begun = "resumes" if (options.out / "controlnet").is_dir() else "starts from the UNet's encoder"
        print(f"{len(textures)} textures in {options.data}; a ControlNet for {options.diffusion} in {options.out}: {begun}")
        print(f"  batch {options.batch}, rate {options.rate:g}, {options.minutes:g} min")
        print(f"  first caption: {textures.rows[0]['text']}")
        return
    trainer = Trainer(options.diffusion, options.out, options.device)
    print(f"loss {trainer.train(textures, options.minutes, options.steps, options.batch, options.rate):.4f}")
    trainer.export()


if __name__ == "__main__":
    main()
