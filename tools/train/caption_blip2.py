"""Write captions for a folder of textures or photographs with a BLIP-2 captioner, as tools.train.controlnet_uv reads them.

$ python -m tools.train.caption_blip2 --images textures/ --model blip2-opt-2.7b
$ python -m tools.train.caption_blip2 --images textures/ --model blip2-opt-2.7b --dry-run

--model is a local folder of a Blip2ForConditionalGeneration with its processor. Every picture gets a line in metadata.jsonl in
the same folder: its name, the name of its normal map (NAME_normal.png, where there is one) and its caption. Pictures that have
a line are not looked at again.
"""

import argparse
import json
from pathlib import Path

import torch
from PIL import Image

from cliphead_addon.engine import torchvision_guard  # noqa: F401  before transformers' image processors

from transformers import Blip2ForConditionalGeneration, Blip2Processor  # isort: skip  after torchvision_guard

KINDS = (".png", ".jpg", ".jpeg", ".webp")
START = "a face of"  # what every caption begins with, as the papers' template does


def pictures(folder):
    """Names of the pictures in a folder that are no normal maps, sorted."""
    names = [path.name for path in sorted(Path(folder).iterdir()) if path.suffix.lower() in KINDS]
    return [name for name in names if not Path(name).stem.endswith("_normal")]


def written(folder):
    """What metadata.jsonl holds already -> list of rows."""
    listing = Path(folder) / "metadata.jsonl"
    return [json.loads(line) for line in listing.read_text("utf-8").splitlines()] if listing.is_file() else []


class Captioner:
    """A BLIP-2 and its processor, from a local folder."""

    def __init__(self, folder, device="cpu", start=START):
        self.processor = Blip2Processor.from_pretrained(folder, local_files_only=True)
        self.model = Blip2ForConditionalGeneration.from_pretrained(folder, local_files_only=True).to(device).eval()
        self.device, self.start = device, start

    @torch.no_grad()
    def __call__(self, images, most=40):
        """PIL images -> a sentence for each, beginning with `start`."""
        ready = self.processor(images=images, text=[self.start] * len(images), return_tensors="pt", padding=True).to(
            self.device
        )
        made = self.model.generate(**ready, max_new_tokens=most, do_sample=False)
        texts = self.processor.batch_decode(made, skip_special_tokens=True)
        return [f"{self.start} {text.strip().removeprefix(self.start).strip()}".strip() for text in texts]


def caption(folder, captioner, batch):
    """Adds the lines that are missing, batch by batch -> how many."""
    folder, done = Path(folder), {row["image"] for row in written(folder)}
    missing = [name for name in pictures(folder) if name not in done]
    for first in range(0, len(missing), batch):
        names = missing[first : first + batch]
        images = [Image.open(folder / name).convert("RGB") for name in names]
        with open(folder / "metadata.jsonl", "a", encoding="utf-8") as listing:
            for name, text in zip(names, captioner(images), strict=True):
                row = {"image": name, "text": text}
                normal = f"{Path(name).stem}_normal.png"
                if (folder / normal).is_file():
                    row["normal"] = normal
                listing.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(f"{min(first + batch, len(missing))} of {len(missing)} captions", flush=True)
    return len(missing)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--start", default=START, help="what every caption begins with")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dry-run", action="store_true", help="say what would be captioned, load nothing")
    options = parser.parse_args(arguments)
    if not (options.model / "config.json").is_file():
        parser.error(f"{options.model} is no folder of a model: it has no config.json")
    if options.dry_run:
        found, done = pictures(options.images), len(written(options.images))
        print(f"{len(found)} pictures in {options.images}, {done} with captions; the others would begin '{options.start}'")
        return
    print(f"{caption(options.images, Captioner(options.model, options.device, options.start), options.batch)} new captions")


if __name__ == "__main__":
    main()
