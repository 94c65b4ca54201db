"""What all benchmarks do around their measuring."""

import json
import sys
from pathlib import Path

from cliphead_addon.engine.errors import ClipHeadError


def run(parser, arguments, work):
    """Parse, then work(options) prints figures and returns them, for --json as well. -> exit status"""
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    options = parser.parse_args(arguments)
    try:
        figures = work(options)
    except ClipHeadError as error:
        print(f"{parser.prog.removeprefix('dev.py ')}: {error}", file=sys.stderr)
        return 1
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0
