"""What a datablock plays, in every Blender."""


def curves(block):
    """F-curves of the action that a datablock plays."""
    animation = block.animation_data
    if animation is None or animation.action is None:
        return []
    bags = [strip.channelbag(animation.action_slot) for layer in animation.action.layers for strip in layer.strips]
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]
