"""Everything that thinks: text, head model, surface, UVs, texture. Runs in the worker, in tools and in tests; never imports bpy."""
