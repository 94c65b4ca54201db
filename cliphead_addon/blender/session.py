"""This Blender's worker and what it is doing: the state the panel shows, and the timer that follows the jobs.

The timer is the only place where an answer of the worker meets bpy, so everything happens on the main thread.
"""

import atexit
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..engine.errors import ClipHeadError, StorageError
from ..engine.jobfiles import load_head
from . import history, pictures, preferences, storage
from .compat import undo_step
from .job import Client, Job

TICK = 0.1  # seconds


@dataclass(frozen=True)
class Place:
    """Where a result goes when it is ready. Names, not references: these do not survive an undo."""

    scene: str
    location: tuple = ()  # of a new head, metres
    operator: str = "apply_result"  # takes the job's folder
    choices: dict = field(default_factory=dict)  # more of the operator's properties

    def properties(self, folder):
        location = {"location": self.location} if self.location else {}
        return {"folder": str(folder), **location, **self.choices}


@dataclass
class Session:
    client: Client | None = None
    jobs: dict = field(default_factory=dict)  # Job -> Place, or None once another file was opened; oldest first
    message: str = ""  # about the last job, for the panel
    failed: bool = False  # the message is an error
    warnings: tuple = field(default_factory=tuple)  # about the last head
    request: dict = field(default_factory=dict)  # what the last job was asked for
    worker_arguments: tuple = ()  # more words for the worker's command line, such as another engine

    @property
    def job(self) -> Job | None:
        """What is being done or waits to be placed; None when there is nothing to do."""
        return next((job for job in self.jobs if job.state == "running"), next(iter(self.jobs), None))


state = Session()


def running():
    return any(job.unfinished for job in state.jobs)


def start(prompt, settings, place):
    """Begin a head, or queue it, and return at once; the timer places it. Raises ClipHeadError if the worker cannot start."""
    follow(_client().submit(prompt, settings, preferences.pack_folder(), new_folder()), place)


def about_head(kind, recipe, folder, place=None, progress=None, **fields):
    """A job about a head made before (`Client.submit_about`), whose arrays are in a folder from `new_folder` -> Job.

    With a place it is followed by the timer, without one this waits for it. Raises ClipHeadError.
    """
    return _carried_out(_client().submit_about(kind, recipe, preferences.pack_folder(), folder, **fields), place, progress)


def unwrap(folder, up=None, front=None, place=None):
    """Unwrap the mesh in a folder from `new_folder` -> Job, followed or waited for as in `about_head`. Raises ClipHeadError."""
    return _carried_out(_client().submit_unwrap(preferences.pack_folder(), folder, up, front), place)


def _carried_out(job, place, progress=None):
    if place is None:
        state.client.wait(progress, job)
    else:
        follow(job, place)
    return job


def follow(job, place):
    """Let the timer take a job to its end, and its result to its place."""
    state.jobs[job], state.request = place, job.request
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=TICK, persistent=True)


def run(prompt, settings, progress=None, pack=None):
    """Make a head and wait for it, and for those that were begun before -> its job folder.

    progress: called as (stage, fraction); pack: a model pack's folder in place of the chosen one. Raises ClipHeadError.
    """
    client = _client()
    job = client.submit(prompt, settings, pack or preferences.pack_folder(), new_folder())
    state.request = job.request
    return client.wait(progress, job)


def cancel(number=0):
    """Give up the job of a number, the one that is being made if 0."""
    for job in state.jobs:
        if job.unfinished and (job.id == number if number else job is state.job):
            state.client.cancel(job)


def tell(message, failed=False, warnings=()):
    """Set what the panel says."""
    state.message, state.failed, state.warnings = message, failed, tuple(warnings)
    _redraw()


def new_folder():
    """An empty folder for a job's files. Raises StorageError."""
    try:
        return Path(tempfile.mkdtemp(prefix="cliphead_", dir=bpy.app.tempdir or None))
    except OSError as error:
        remedy = "choose another folder in Edit > Preferences > File Paths > Temporary Files"
        raise StorageError.of(error, bpy.app.tempdir, remedy) from error


def discard(folder):
    """Delete a job's files, which are of no more use."""
    shutil.rmtree(folder, ignore_errors=True)


def _client():
    """The client for a new job, which may have others."""
    python, log = preferences.python(), preferences.log_file()
    arguments = (*preferences.engine_arguments(), *state.worker_arguments)
    client = state.client
    if client is not None and not running() and (client.python, client.log, client.arguments) != (python, log, arguments):
        close()
    if state.client is None:
        storage.sign_in()
        state.client = Client(python, log, arguments)
    state.client.idle = preferences.idle_seconds()
    tell("")
    return state.client


def tick():
    """The timer: None ends it."""
    if state.jobs:
        state.client.update()
        _redraw()
    for job, place in list(state.jobs.items()):
        if job.unfinished:
            if job.preview is not None and pictures.icon(job.preview) is None:
                pictures.show(job.preview)
            continue
        if job.state == "done" and place is not None and _scene_is_busy(place):
            job.stage = "Ready: finish what you are doing, and go to Object Mode, to place it"
            continue
        del state.jobs[job]
        try:
            _finish(job, place)
        except ClipHeadError as error:
            tell(str(error), failed=True)
    return TICK if state.jobs else None


def _finish(job, place):
    """Place what is done, keep it in the history, and say how it went."""
    if job.state != "done" or place is None and not job.makes_head:
        discard(job.folder)
        if job.state == "failed":
            raise job.error
        if job.kind != "reshape":  # sliders give up one for the next
            tell("Cancelled")
        return
    folder, problems = job.folder, ()
    try:
        if job.makes_head and (place is None or preferences.history_size()):
            folder = history.save(load_head(job.folder))
            discard(job.folder)
    except StorageError as error:
        if place is None:
            raise
        problems = (str(error),)
    if place is None:
        tell("Another file was opened: the head is in the history")
        return
    with bpy.context.temp_override(**_where(place)):  # from the folder that stays: the operator may be redone
        undo_step(getattr(bpy.ops.cliphead, place.operator), **place.properties(folder))
    if job.makes_head:  # other operators say by themselves what they have done
        tell(f"Done in {job.seconds:.0f} s", warnings=(*state.warnings, *problems))


def _where(place):
    """Context of the window that shows the place's scene."""
    scene = bpy.data.scenes.get(place.scene)
    if scene is None:
        left = "the head is in the history" if place.operator == Place.operator else "nothing was done"
        raise ClipHeadError(f"The scene '{place.scene}' is gone: {left}.", "NO_SCENE")
    windows = bpy.context.window_manager.windows
    window = next((window for window in windows if window.scene == scene), None)
    if window is not None:
        return {"window": window}
    return {"window": windows[0] if windows else None, "scene": scene, "view_layer": scene.view_layers[0]}


def _scene_is_busy(place):
    """Adding an object now would disturb an edit, a drag or a render."""
    try:
        where = _where(place)
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
    """Another file is being opened: heads meant for the old one go to the history, all else is given up."""
    for job in state.jobs:
        if not job.makes_head:
            state.client.cancel(job)
    state.jobs = dict.fromkeys(state.jobs)
    tell("")


def close():
    """End the worker process, if there is one."""
    if state.client is not None:
        state.client.close()
        state.client = None
    for job in state.jobs:
        discard(job.folder)
    state.jobs = {}


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
