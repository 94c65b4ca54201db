"""Which objects belong to a head: its rig and its eyeballs."""


def find_rig(head):
    """The armature that moves a head, or None."""
    return next((m.object for m in head.modifiers if m.type == "ARMATURE" and m.object is not None), None)


def find_eyeballs(head):
    """The eyeballs of a head's rig that are there: "L" and "R" -> bpy object."""
    rig = find_rig(head)
    parts = () if rig is None else [child for child in rig.children if child.type == "MESH" and child is not head]
    return {side: part for side in "LR" for part in parts if f"eye.{side}" in part.vertex_groups}
