"""Renew the sums of a model pack whose files or manifest you changed.

$ python3 tools/dev.py seal path/to/pack
"""

import argparse
import sys

from cliphead_addon.engine import packs
from cliphead_addon.engine.errors import ClipHeadError


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="dev.py seal", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", help="the folder that holds pack.toml")
    folder = parser.parse_args(arguments).folder
    try:
        pack = packs.seal(folder)
    except ClipHeadError as error:
        print(f"seal: {error}", file=sys.stderr)
        return 1
    print(f"Sealed {pack.name} {pack.version}: {len(pack.manifest['files'])} files, parts {', '.join(pack.parts)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
