"""This Blender's worker and the head it is making: the state the panel shows, and the timer that follows the job.

The timer is the only place where an answer of the worker meets bpy, so everything happens on the main thread.
"""

import atexit
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..engine.errors import ClipHeadError
from . import preferences, storage
from .compat import undo_step
from .job import Client, Job

TICK = 0.1  # seconds


@dataclass(frozen=True)
class Place:
    """Where a head goes when it is ready. Names, not references: these do not survive an undo."""

    scene: str
    location: tuple  # metres


@dataclass
class Session:
    client: Client | None = None
    job: Job | None = None
    place: Place | None = None  # None: the finished head is not to be placed
    message: str = ""  # about the last job, for the panel
    failed: bool = False  # the message is an error
    warnings: tuple = field(default_factory=tuple)  # about the last head
    worker_arguments: tuple = ()  # more words for the worker's command line, such as another engine


state = Session()


def running():
    return state.job is not None and state.job.state == "running"


def start(prompt, settings, place):
    """Begin a head and return at once; the timer places it. Raises ClipHeadError if the worker cannot be started."""
    state.job = _client().submit(prompt, settings, preferences.pack_folder(), new_folder())
    state.place = place
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=TICK, persistent=True)


def run(prompt, settings, progress=None, pack=None):
    """Make a head and wait for it -> its job folder.

    progress: called as (stage, fraction); pack: a model pack's folder in place of the chosen one. Raises ClipHeadError.
    """
    state.job = _client().submit(prompt, settings, pack or preferences.pack_folder(), new_folder())
    return _wait(progress)


def unwrap(folder, up=None, front=None):
    """Unwrap the mesh in a folder from `new_folder` and wait for it. Raises ClipHeadError."""
    state.job = _client().submit_unwrap(preferences.pack_folder(), folder, up, front)
    _wait()


def cancel():
    if running():
        state.client.cancel()
        state.job.stage = "Stopping"


def tell(message, failed=False, warnings=()):
    """Set what the panel says."""
    state.message, state.failed, state.warnings = message, failed, tuple(warnings)
    _redraw()


def new_folder():
    """An empty folder for a job's files."""
    return Path(tempfile.mkdtemp(prefix="cliphead_", dir=bpy.app.tempdir or None))


def _wait(progress=None):
    try:
        return state.client.wait(progress)
    finally:
        state.job = None


def _client():
    """The client for a new job. Raises ClipHeadError while another is under way."""
    if state.job is not None:
        raise ClipHeadError("A head is being made already. Wait for it or cancel it.", "BUSY")
    python, log = preferences.python(), preferences.log_file()
    arguments = (*preferences.engine_arguments(), *state.worker_arguments)
    if state.client is None or (state.client.python, state.client.log, state.client.arguments) != (python, log, arguments):
        close()
        storage.sign_in()
        state.client = Client(python, log, arguments)
    tell("")
    return state.client


def tick():
    """The timer: None ends it."""
    if state.job is None:
        return None
    state.client.update()
    _redraw()
    if running():
        return TICK
    if state.job.state == "done" and state.place is not None and _scene_is_busy():
        state.job.stage = "Ready: finish what you are doing, and go to Object Mode, to place it"
        return TICK
    job, state.job = state.job, None
    try:
        _finish(job)
    except (ClipHeadError, RuntimeError) as error:  # RuntimeError: an operator's report
        tell(str(error).removeprefix("Error: ").strip(), failed=True)
    return None


def _finish(job):
    if job.state == "cancelled":
        tell("Cancelled")
    elif job.state == "failed":
        raise job.error
    elif state.place is None:
        tell("Another file was opened: the head was not placed", failed=True)
    else:
        with bpy.context.temp_override(**_where()):
            undo_step(bpy.ops.cliphead.apply_result, folder=str(job.folder), location=state.place.location)
        tell(f"Done in {job.seconds:.0f} s", warnings=state.warnings)


def _where():
    """Context of the window that shows the job's scene."""
    scene = bpy.data.scenes.get(state.place.scene)
    if scene is None:
        raise ClipHeadError(f"The scene '{state.place.scene}' is gone: the head was not placed.", "NO_SCENE")
    windows = bpy.context.window_manager.windows
    window = next((window for window in windows if window.scene == scene), None)
    if window is not None:
        return {"window": window}
    return {"window": windows[0] if windows else None, "scene": scene, "view_layer": scene.view_layers[0]}


def _scene_is_busy():
    """Adding an object now would disturb an edit, a drag or a render."""
    try:
        where = _where()
    except ClipHeadError:
        return False
    dragging = any(
        operator.bl_idname.startswith("TRANSFORM_OT_")
        for window in bpy.context.window_manager.windows
        for operator in window.modal_operators
    )
    with bpy.context.temp_override(**where):
        return dragging or bpy.app.is_job_running("RENDER") or not bpy.ops.cliphead.apply_result.poll()


def _redraw():
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


@persistent
def _before_load(*_):
    """Another file is being opened: what is being made was meant for the old one."""
    state.place = None
    tell("")
    cancel()


def close():
    """End the worker process, if there is one."""
    if state.client is not None:
        state.client.close()
        state.client = None
    state.job = None


def register():
    bpy.app.handlers.load_pre.append(_before_load)
    atexit.register(close)


def unregister():
    close()
    tell("")
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    bpy.app.handlers.load_pre.remove(_before_load)
    atexit.unregister(close)
