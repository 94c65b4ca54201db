"""Write a pack's captions part: the sentences from which other CLIPs learn its mapping networks (engine/adapt.py).

$ python -m tools.train.captions --count 10000

One sentence a line, compressed. No sentence comes twice; they are drawn as for the training of the pack's own networks.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np

from cliphead_addon.engine.packs import set_part

from .text import RUN, Crowd


def draw(crowd, count, seed=21):
    """Different sentences about a crowd, longest last, without the empty one."""
    rng, found = np.random.default_rng(seed), {}
    while len(found) < count:
        sentence = crowd.example(rng)[1]
        if sentence:
            found[sentence] = None
    return sorted(found, key=lambda sentence: (len(sentence.split()), sentence))  # neighbours alike: it packs better


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=12_000)
    parser.add_argument("--pack", type=Path, default=Path("cliphead_addon/packs/starter"))
    options = parser.parse_args()
    sentences = draw(Crowd(range(options.people), RUN / "people.npz"), options.count)
    file = options.pack / "captions.txt.gz"
    file.write_bytes(gzip.compress("\n".join(sentences).encode(), mtime=0))
    set_part(options.pack, "captions", {"file": file.name})
    print(f"Wrote {len(sentences)} captions into {file}: {file.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
