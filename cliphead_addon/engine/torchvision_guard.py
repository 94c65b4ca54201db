"""Makes torchvision importable beside a torch build it was not compiled for.

PyPI's torchvision beside a CPU build of torch cannot load its compiled operators, and its import stops at
"operator torchvision::nms does not exist". Declaring the two schemas it describes in Python cures that; the
operators themselves are detection's and never called here. Import this module before open_clip, timm or diffusers.
"""

import sys

import torch

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_torchvision():
    """Import torchvision, declaring its missing operators if that is what stops it; a whole torchvision is left alone."""
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name, schema in _SCHEMAS.items():
            torch.library.define(f"torchvision::{name}", schema)
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # what the failed import left behind
        import torchvision
    return torchvision


import_torchvision()
