"""Each test starts from an empty scene with the add-on registered and a stand-in engine in the worker."""

from pathlib import Path

import bpy
import pytest

import cliphead_addon

FAKE_ENGINE = Path(__file__).parents[1] / "fake_engine.py"


@pytest.fixture(autouse=True)
def session():
    """The add-on's session, before its first job."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    cliphead_addon.register()
    from cliphead_addon.blender import session

    session.state.worker_arguments = ("--engine-module", str(FAKE_ENGINE))
    yield session
    cliphead_addon.unregister()
