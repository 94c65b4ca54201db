"""Stand-ins for batch's Maker. They must be importable by another process."""

import os
from pathlib import Path

from cliphead_addon.engine.errors import PromptError
from tools.generate import DELIVERED


class FilesMaker:
    """Files that hold the row's words. "wrong" is refused; "crash" ends the process, "stumble" only the first time.

    folder: where it remembers what it stumbled over.
    """

    def __init__(self, folder):
        self.folder = Path(folder)

    def make(self, row):
        if "wrong" in row.prompt.text:
            raise PromptError("These words make no head.")
        if "bug" in row.prompt.text:
            raise KeyError("nose")
        stumbled = self.folder / f"{row.name}.stumbled"
        if "crash" in row.prompt.text or ("stumble" in row.prompt.text and not stumbled.exists()):
            stumbled.touch()
            os._exit(9)
        return {name: row.prompt.text.encode() for name in DELIVERED}
