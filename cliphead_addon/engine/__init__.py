"""Everything that thinks: text, head model, surface, UVs, texture. Runs in the worker, tools and tests; never imports bpy."""

VERSION = "0.1.0"  # of the program; the manifest and pyproject.toml say the same
