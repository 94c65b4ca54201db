"""Model packs into Blender: from a zip file on this computer, or from the network when Blender may go online."""

import threading

import bpy
from bpy_extras.io_utils import ImportHelper

from ..engine.downloads import download
from ..engine.errors import Cancelled, ClipHeadError
from ..engine.pack_archive import install_pack
from . import preferences, session
from .bases import Polled
from .language import t

TICK = 0.2  # seconds


class CLIPHEAD_OT_install_pack(ImportHelper, bpy.types.Operator):
    """Unpack and check the zip file of a model pack, and use it for the next heads"""

    bl_idname = "cliphead.install_pack"
    bl_label = "Install Pack from File"
    bl_options = {"INTERNAL"}

    filename_ext = ".zip"
    filter_glob: bpy.props.StringProperty(
        name="Kinds", description="Files that are listed", default="*.zip", options={"HIDDEN"}
    )

    def execute(self, context):
        manager = context.window_manager
        try:
            pack = install_pack(
                self.filepath, preferences.packs_folder(), lambda _stage, fraction: manager.progress_update(100 * fraction)
            )
        except ClipHeadError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, use(pack))
        return {"FINISHED"}


class CLIPHEAD_OT_download_pack(Polled, bpy.types.Operator):
    """Fetch a model pack from an address, check it, and use it for the next heads"""

    bl_idname = "cliphead.download_pack"
    bl_label = "Download Pack"
    bl_options = {"INTERNAL"}

    url: bpy.props.StringProperty(name="Address", description="Where the pack's zip file is; https only")
    size: bpy.props.StringProperty(name="Bytes", description="Size of the file in bytes, as the pack's maker states it")
    sha256: bpy.props.StringProperty(name="SHA-256", description="Checksum of the file, as the pack's maker states it")

    @classmethod
    def obstacle(cls, _context):
        if not bpy.app.online_access:
            return t("Tick Preferences > System > Allow Online Access first")
        return t("A pack is being downloaded") if _fetch is not None else ""

    def invoke(self, context, _event):
        return context.window_manager.invoke_props_dialog(self, width=520, confirm_text="Download")

    def execute(self, _context):
        global _fetch
        if not self.size.isdigit() or len(self.sha256) != 64:
            self.report({"ERROR"}, "Give the size in bytes and the 64 digits of the SHA-256, as the pack's maker states them")
            return {"CANCELLED"}
        _fetch = Fetch(self.url, int(self.size), self.sha256.lower())
        if bpy.app.background:
            _fetch.thread.join()
            _told()
        else:
            bpy.app.timers.register(_told, first_interval=TICK, persistent=True)
        return {"FINISHED"}


class CLIPHEAD_OT_stop_download(bpy.types.Operator):
    """Stop the download; what has arrived is kept for the next time"""

    bl_idname = "cliphead.stop_download"
    bl_label = "Stop Download"
    bl_options = {"INTERNAL"}

    def execute(self, _context):
        stop()
        return {"FINISHED"}


class Fetch:
    """A download in a thread of its own, which never touches bpy."""

    def __init__(self, url, size, sha256):
        self.stage, self.fraction, self.pack, self.error = "Downloading", 0.0, None, None
        self.stopped = threading.Event()
        online = bpy.app.online_access
        folders = preferences.downloads_folder(), preferences.packs_folder()
        self.thread = threading.Thread(target=self.run, args=(url, size, sha256, *folders, online), daemon=True)
        self.thread.start()

    def run(self, url, size, sha256, downloads, packs, online):
        archive = downloads / f"{sha256}.zip"
        try:
            download(url, archive, size, sha256, online=online, progress=self.progress)
            self.pack = install_pack(archive, packs, self.progress)
            archive.unlink()
        except ClipHeadError as error:
            self.error = error
        except OSError as error:
            self.error = ClipHeadError(f"{archive} cannot be written: {error.strerror or error}.", "STORAGE")

    def progress(self, stage, fraction):
        if self.stopped.is_set():
            raise Cancelled()
        self.stage, self.fraction = stage, fraction


_fetch = None


def busy():
    """Whether a pack is being downloaded."""
    return _fetch is not None


def _told():
    """The timer: says how the download went when it is over."""
    global _fetch
    if _fetch is None:
        return None
    if _fetch.thread.is_alive():
        return TICK
    done, _fetch = _fetch, None
    if done.error is None:
        session.tell(use(done.pack))
    else:
        session.tell(str(done.error), failed=not isinstance(done.error, Cancelled))
    return None


def stop():
    """Give a download up."""
    if _fetch is not None:
        _fetch.stopped.set()


def use(pack):
    """Make a pack the chosen one -> what to tell the user."""
    preferences.choose_pack(pack.folder)
    return f"The pack '{pack.name}' {pack.version} ({pack.manifest['license']}) is in {pack.folder}"


def draw(layout):
    """Buttons for the preferences."""
    row = layout.row(align=True)
    row.operator(CLIPHEAD_OT_install_pack.bl_idname, icon="FILE_FOLDER")
    if _fetch is None:
        row.operator(CLIPHEAD_OT_download_pack.bl_idname, icon="INTERNET")
    else:
        row.progress(factor=_fetch.fraction, text=_fetch.stage)
        row.operator(CLIPHEAD_OT_stop_download.bl_idname, text="", icon="X")


CLASSES = (CLIPHEAD_OT_install_pack, CLIPHEAD_OT_download_pack, CLIPHEAD_OT_stop_download)
