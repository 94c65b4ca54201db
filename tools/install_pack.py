"""Unpack a model pack's zip, from a file or from the network, and check it.

$ python3 tools/dev.py install-pack portrait.zip --into packs/
$ python3 tools/dev.py install-pack https://example.org/portrait.zip --size 81234567 --sha256 9f86d0... --into packs/
"""

import argparse
import sys
from pathlib import Path

from cliphead_addon.engine.commandline import Stages
from cliphead_addon.engine.downloads import download
from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.pack_archive import install_pack


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="dev.py install-pack", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", help="a zip file, or its https address, which needs the next two")
    parser.add_argument("--size", type=int, help="bytes of the file, as its maker states them")
    parser.add_argument("--sha256", help="its SHA-256, as its maker states it")
    parser.add_argument("--into", type=Path, default=Path("packs"), help="folder of your packs (packs)")
    options = parser.parse_args(arguments)
    stages = Stages()
    try:
        archive = Path(options.source)
        if "://" in options.source:
            if options.size is None or options.sha256 is None:
                parser.error("a download needs --size and --sha256, as the pack's maker states them")
            name = "".join(letter for letter in options.source.rsplit("/", 1)[-1] if letter.isalnum() or letter in "-_.")
            archive = options.into / f"{options.sha256[:16]}-{name or 'pack.zip'}"
            download(options.source, archive, options.size, options.sha256.lower(), online=True, progress=stages)
        pack = install_pack(archive, options.into, stages)
        stages.finish()
    except ClipHeadError as error:
        print(f"\ninstall-pack: {error}", file=sys.stderr)
        return 1
    print(f"Pack '{pack.name}' {pack.version} ({pack.manifest['license']}) is in {pack.folder}.")
    print(f"Use it with --pack {pack.folder}, or enter that folder in the add-on's preferences.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
