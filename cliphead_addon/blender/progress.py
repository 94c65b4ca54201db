"""The heads that are being made, as the panel shows them: how far, how long still, what the texture looks like so far."""

from . import pictures, session
from .operators import CLIPHEAD_OT_cancel

PICTURE_SCALE = 7.0  # of the preview, in icon sizes
WORDS = 28  # letters of a queued head's description


def draw_jobs(layout):
    """A line for every head that is not finished, with a button to stop it; the first one with its progress and preview."""
    for job in session.state.jobs:
        if job.request.get("before") is not None:  # a slider's preview, over in a moment
            continue
        row = layout.row(align=True)
        if job.state == "running":
            row.scale_y = 1.4
            row.progress(factor=job.fraction if job.whole is None else job.whole, type="BAR", text=words(job))
        elif job.state == "queued":
            row.label(text=f"Queued: {described(job)}", icon="SORTTIME")
        else:
            row.label(text=job.stage, icon="TIME")
            continue
        row.operator(CLIPHEAD_OT_cancel.bl_idname, text="", icon="X").job = job.id
        if job.state == "running" and (icon := pictures.icon(job.preview)) is not None:
            layout.template_icon(icon_value=icon, scale=PICTURE_SCALE)


def words(job):
    """What a running job does, and how long it still takes."""
    if job.cancel_asked is not None:
        return job.stage
    quiet = session.state.client.quiet
    if quiet:
        return f"{job.stage}: busy for {quiet:.0f} s"
    left = job.seconds_left
    if left is None:
        return f"{job.stage}  {job.seconds:.0f} s"
    return f"{job.stage}  {round(left)} s left" if left >= 1 else f"{job.stage}  nearly done"


def described(job):
    """A job's prompt, cut to a line."""
    prompt = job.request.get("prompt", {})
    text = (prompt | prompt.get("look", {})).get("text") or "random head"
    return text if len(text) <= WORDS else text[: WORDS - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
