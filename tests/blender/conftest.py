"""Each test starts from an empty scene with the add-on registered and a stand-in engine in the worker."""

from pathlib import Path

import bpy
import pytest

import cliphead_addon

FAKE_ENGINE = Path(__file__).parents[1] / "fake_engine.py"


def pytest_collection_modifyitems(items):
    """Random presses come first: they undo 60 steps, which Blender 5.2 at times gets wrong after some hundred opened files.

    Twice in eight runs of all tests it crashed in `ed.undo` or kept a collection; as the first test it never did.
    """
    items.sort(key=lambda item: item.path.name != "test_random_presses.py")


@pytest.fixture(autouse=True)
def session():
    """The add-on's session, before its first job."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    cliphead_addon.register()
    from cliphead_addon.blender import session

    session.state.worker_arguments = ("--engine-module", str(FAKE_ENGINE))
    yield session
    cliphead_addon.unregister()
