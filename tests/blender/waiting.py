"""What a window does for the tests: press the button, and call the timer."""

import time

import bpy


def press_generate(session, prompt, **choices):
    """What the button does in a window: start and return. -> the new job"""
    from cliphead_addon.blender.properties import CHOICES, request

    settings = bpy.context.scene.cliphead
    settings.prompt = prompt
    words, options = request({name: choices.get(name, getattr(settings, name)) for name in CHOICES})
    session.start(words, options, session.Place(bpy.context.scene.name, tuple(bpy.context.scene.cursor.location)))
    return list(session.state.jobs)[-1]


def let_time_pass(session, until=lambda: False, limit=20.0):
    """Run the session's timer, which needs an event loop otherwise, until it ends or a condition holds."""
    begin = time.monotonic()
    while session.tick() is not None and not until():
        assert time.monotonic() - begin < limit
        time.sleep(0.02)
