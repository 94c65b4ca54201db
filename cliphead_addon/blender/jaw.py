"""Lower teeth and tongue go along when a shape key opens the jaw, not only when the bone does."""

import numpy as np

from .mesh import key_points

LEAST = np.radians(0.3)  # turns that are not worth a shape key
SURE = 0.8  # jaw weight of the skin that tells how far the jaw turns


def follow_jaw(head, rig):
    """Give the mouth's objects a driven shape key for every shape key of the head that turns the jaw."""
    keys, jaw = head.data.shape_keys, rig.data.bones.get("jaw")
    followers = [obj for obj in rig.children if obj.type == "MESH" and obj is not head and "jaw" in obj.vertex_groups]
    if keys is None or jaw is None or not followers:
        return
    joint, lower = np.array(jaw.head_local), {obj: _weights(obj) for obj in followers}
    rest = key_points(keys.reference_key)
    skin = _weights(head) > SURE
    if not skin.any():
        return
    _, y, z = (rest[skin] - joint).T
    turning = np.stack([0 * y, -z, y], axis=-1)  # of one radian
    for key in keys.key_blocks[1:]:
        angle = float(((key_points(key) - rest)[skin] * turning).sum() / (turning**2).sum())
        for obj in followers:
            if abs(angle) > LEAST and (obj.data.shape_keys is None or key.name not in obj.data.shape_keys.key_blocks):
                _add_key(obj, key, joint, angle, lower[obj])


def _add_key(obj, key, joint, angle, weights):
    """A shape key in which what has jaw weight (V,) has turned, driven by a key of the head."""
    if obj.data.shape_keys is None:
        obj.shape_key_add(name="Basis", from_mix=False)
    points = key_points(obj.data.shape_keys.reference_key)
    x, y, z = (points - joint).T
    turned = joint + np.stack([x, np.cos(angle) * y - np.sin(angle) * z, np.sin(angle) * y + np.cos(angle) * z], axis=-1)
    new = obj.shape_key_add(name=key.name, from_mix=False)
    new.slider_min, new.slider_max = key.slider_min, max(key.slider_max, 2.0)
    new.points.foreach_set("co", (points + weights[:, None] * (turned - points)).astype(np.float32).ravel())
    driver = new.driver_add("value").driver
    driver.type = "AVERAGE"  # of one variable: no Python expression, so no file asks for leave to run it
    target = driver.variables.new().targets[0]
    target.id_type, target.id = "KEY", key.id_data
    target.data_path = f'key_blocks["{key.name}"].value'


def _weights(obj):
    """How far vertices follow the jaw's bone: (V,)."""
    index = obj.vertex_groups["jaw"].index if "jaw" in obj.vertex_groups else -1
    return np.array([next((g.weight for g in v.groups if g.group == index), 0.0) for v in obj.data.vertices])
