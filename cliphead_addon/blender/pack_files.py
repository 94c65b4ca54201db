"""Model packs into Blender: from a zip file on this computer, or from the network when Blender may go online."""

import threading
from dataclasses import dataclass

import bpy
from bpy_extras.io_utils import ImportHelper

from ..engine.downloads import download
from ..engine.errors import Cancelled, ClipHeadError
from ..engine.pack_archive import install_pack
from . import preferences, session
from .adapt import redraw
from .bases import Polled
from .language import t

TICK = 0.2  # seconds


class BringsPack(Polled):
    """An operator that starts an `Arrival`, and without a window waits for it."""

    @classmethod
    def obstacle(cls, _context):
        return t("A pack is being brought in: wait for it or stop it") if busy() else ""

    def begin(self, arrival):
        begin(arrival)
        if not bpy.app.background:
            return {"FINISHED"}
        arrival.thread.join()
        told()
        if arrival.error is not None:
            self.report({"ERROR"}, str(arrival.error))
            return {"CANCELLED"}
        self.report({"INFO"}, state.message)
        return {"FINISHED"}


class CLIPHEAD_OT_install_pack(BringsPack, ImportHelper, bpy.types.Operator):
    """Unpack and check the zip file of a model pack in the background, and use it for the next heads"""

    bl_idname = "cliphead.install_pack"
    bl_label = "Install Pack from File"
    bl_options = {"INTERNAL"}

    filename_ext = ".zip"
    filter_glob: bpy.props.StringProperty(
        name="Kinds", description="Files that are listed", default="*.zip", options={"HIDDEN"}
    )

    def execute(self, _context):
        return self.begin(Unpacking(self.filepath))


class CLIPHEAD_OT_download_pack(BringsPack, bpy.types.Operator):
    """Fetch a model pack from an address, check it, and use it for the next heads"""

    bl_idname = "cliphead.download_pack"
    bl_label = "Download Pack"
    bl_options = {"INTERNAL"}

    url: bpy.props.StringProperty(name="Address", description="Where the pack's zip file is; https only")
    size: bpy.props.StringProperty(name="Bytes", description="Size of the file in bytes, as the pack's maker states it")
    sha256: bpy.props.StringProperty(name="SHA-256", description="Checksum of the file, as the pack's maker states it")

    @classmethod
    def obstacle(cls, context):
        if not bpy.app.online_access:
            return t("Tick Preferences > System > Allow Online Access first")
        return super().obstacle(context)

    def invoke(self, context, _event):
        return context.window_manager.invoke_props_dialog(self, width=520, confirm_text="Download")

    def execute(self, _context):
        if not self.size.isdigit() or len(self.sha256) != 64:
            self.report({"ERROR"}, "Give the size in bytes and the 64 digits of the SHA-256, as the pack's maker states them")
            return {"CANCELLED"}
        return self.begin(Fetch(self.url, int(self.size), self.sha256.lower()))


class CLIPHEAD_OT_stop_download(bpy.types.Operator):
    """Stop bringing the pack in; what a download has fetched is kept for the next time"""

    bl_idname = "cliphead.stop_download"
    bl_label = "Stop"
    bl_options = {"INTERNAL"}

    def execute(self, _context):
        stop()
        return {"FINISHED"}


class Arrival:
    """A pack on its way here, in a thread of its own, which never touches bpy: bring(packs) does the work -> Pack."""

    stage = "Unpacking the pack"

    def __init__(self):
        self.fraction, self.pack, self.error = 0.0, None, None
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(preferences.packs_folder(),), daemon=True)
        self.thread.start()

    def run(self, packs):
        try:
            self.pack = self.bring(packs)
        except ClipHeadError as error:
            self.error = error
        except OSError as error:
            self.error = ClipHeadError(f"The pack cannot be written: {error.strerror or error}.", "STORAGE")

    def progress(self, stage, fraction):
        if self.stopped.is_set():
            raise Cancelled()
        self.stage, self.fraction = stage, fraction


class Unpacking(Arrival):
    """A pack out of an archive on this computer."""

    def __init__(self, archive):
        self.archive = archive
        super().__init__()

    def bring(self, packs):
        return install_pack(self.archive, packs, self.progress)


class Fetch(Arrival):
    """A pack from the network."""

    stage = "Downloading"

    def __init__(self, url, size, sha256):
        self.promised = url, preferences.downloads_folder() / f"{sha256}.zip", size, sha256
        self.online = bpy.app.online_access
        super().__init__()

    def bring(self, packs):
        archive = download(*self.promised, online=self.online, progress=self.progress)
        pack = install_pack(archive, packs, self.progress)
        archive.unlink()
        return pack


@dataclass
class State:
    arrival: Arrival | None = None
    message: str = ""  # about the last one, for the preferences
    failed: bool = False


state = State()


def busy():
    """Whether a pack is being brought in."""
    return state.arrival is not None


def begin(arrival):
    """Follow a pack that is on its way; returns at once."""
    state.arrival, state.message = arrival, ""
    if not bpy.app.timers.is_registered(told):
        bpy.app.timers.register(told, first_interval=TICK, persistent=True)


def told():
    """The timer: says how it went when it is over; None ends it."""
    if state.arrival is None:
        return None
    redraw()
    if state.arrival.thread.is_alive():
        return TICK
    done, state.arrival = state.arrival, None
    state.message = use(done.pack) if done.error is None else str(done.error)
    state.failed = done.error is not None and not isinstance(done.error, Cancelled)
    session.tell(state.message, state.failed)
    return None


def stop():
    """Give up the pack that is on its way."""
    if state.arrival is not None:
        state.arrival.stopped.set()


def close():
    """Give up the pack that is on its way, and say no more about it."""
    stop()
    state.__init__()
    if bpy.app.timers.is_registered(told):
        bpy.app.timers.unregister(told)


def use(pack):
    """Make a pack the chosen one -> what to tell the user."""
    preferences.choose_pack(pack.folder)
    return f"The pack '{pack.name}' {pack.version} ({pack.manifest['license']}) is in {pack.folder}"


def draw(layout):
    """Buttons for the preferences."""
    row = layout.row(align=True)
    if state.arrival is None:
        row.operator(CLIPHEAD_OT_install_pack.bl_idname, icon="FILE_FOLDER")
        row.operator(CLIPHEAD_OT_download_pack.bl_idname, icon="INTERNET")
    else:
        row.progress(factor=state.arrival.fraction, text=state.arrival.stage)
        row.operator(CLIPHEAD_OT_stop_download.bl_idname, text="", icon="X")
    if state.message:
        layout.label(text=state.message, icon="ERROR" if state.failed else "CHECKMARK")


CLASSES = (CLIPHEAD_OT_install_pack, CLIPHEAD_OT_download_pack, CLIPHEAD_OT_stop_download)
