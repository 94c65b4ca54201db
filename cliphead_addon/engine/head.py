"""From a code to a mesh: the identity field's surface, posed by the expression network."""

import numpy as np
import torch

from .errors import ClipHeadError, PackError
from .geometry import surface
from .geometry.mesh import vertex_normals
from .nets.nphm import ExpressionConfig, ExpressionNet, HeadField, IdentityConfig, IdentityNet
from .stages import HeadCode, HeadMesh


class HeadModel:
    """The pack's identity and expression networks and its named expression codes."""

    VERTEX_CHUNK = 8192  # vertices posed at a time

    def __init__(self, identity, expression, expressions, low, high, device="cpu"):
        """expressions: name -> (X,) code. low, high: (3,) box corners, NPHM units."""
        self.identity = identity.to(device).eval().requires_grad_(False)
        self.expression = expression.to(device).eval().requires_grad_(False)
        self.expressions = expressions
        self.low, self.high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        self.device = device

    @classmethod
    def load(cls, pack, device="cpu"):
        """Builds the networks of an open `packs.Pack`. Raises PackError on tensors that do not fit their configuration."""
        part = pack.part("identity")
        tensors = _torch(pack.tensors(part["file"]))
        identity = IdentityNet(IdentityConfig(**part["config"]), tensors.pop("mean_anchors"))
        _fill(identity, tensors, part["file"])
        part = pack.part("expression")
        expression = ExpressionNet(ExpressionConfig(**part["config"]))
        _fill(expression, _torch(pack.tensors(part["file"])), part["file"])
        named = pack.tensors(pack.part("expressions")["file"]) if "expressions" in pack.parts else {}
        return cls(identity, expression, named, *pack.box, device)

    def field(self, code):
        """The skin's signed distance for a HeadCode, as `nets.nphm.HeadField`."""
        return HeadField(self.identity, code.identity, self.low, self.high)

    @torch.inference_mode()
    def anchors(self, code):
        """Predicted anchors of a HeadCode: (K,3) float32, NPHM frame, canonical pose."""
        return self.identity.anchors(self._tensor(code.identity)[None])[0].cpu().numpy()

    def mesh(self, code, resolution, shape_keys=(), progress=None):
        """A HeadCode -> HeadMesh with displacements for the named expressions in `shape_keys`."""
        field = self.field(code)
        canonical, faces, report = surface.extract(field, self.low, self.high, resolution, progress)
        vertices = canonical + self.displacements(canonical, code.identity, code.expression[None])[0]
        return HeadMesh(
            vertices=vertices,
            faces=faces,
            canonical=canonical,
            normals=vertex_normals(vertices, faces),
            anchors=self.anchors(code),
            displacements=self.shape_keys(canonical, code.identity, shape_keys),
            report=report | {"evaluations": field.evaluations},
        )

    def named_expression(self, name):
        """The pack's code for an expression's name: (X,) float32. Raises ClipHeadError with the names there are."""
        if name not in self.expressions:
            known = ", ".join(sorted(self.expressions)) or "none"
            raise ClipHeadError(f"This pack has no expression '{name}'. It has: {known}.", "NO_EXPRESSION")
        return self.expressions[name]

    def shape_keys(self, canonical, identity, names):
        """Named expressions as differences from neutral: name -> (V,3) float32, NPHM units."""
        if not names:
            return {}
        codes = np.stack([self.named_expression(name) for name in ("neutral", *names)])
        neutral, *others = self.displacements(canonical, identity, codes)
        return {name: other - neutral for name, other in zip(names, others, strict=True)}

    @torch.inference_mode()
    def displacements(self, canonical, identity, codes):
        """Canonical points (V,3), identity code (I,), expression codes (M,X) -> (M,V,3) float32, NPHM units."""
        identity = self._tensor(identity)[None]
        compressed = self.expression.compress(identity, self.identity.anchors(identity))
        points = self._tensor(canonical)
        moved = np.empty((len(codes), len(points), 3), np.float32)
        for m, code in enumerate(self._tensor(codes)):
            for start in range(0, len(points), self.VERTEX_CHUNK):
                part = points[None, start : start + self.VERTEX_CHUNK]
                moved[m, start : start + part.shape[1]] = self.expression.displace(part, compressed, code[None])[0].cpu()
        return moved

    def _tensor(self, array):
        return torch.as_tensor(np.asarray(array, np.float32), device=self.device)


def random_head(mean, deviation, expression, seed):
    """The official recipe for random identities: mean + 0.85 deviation N(0,1), per dimension. -> HeadCode"""
    noise = np.random.default_rng(seed).standard_normal(len(mean))
    return HeadCode((mean + 0.85 * deviation * noise).astype(np.float32), np.asarray(expression, np.float32))


def _torch(arrays):
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _fill(net, tensors, file):
    wanted = net.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        expected = tuple(wanted[name].shape) if name in wanted else None
        found = tuple(tensors[name].shape) if name in tensors else None
        if expected != found:
            raise PackError(
                f"{file}: '{name}' has shape {found}, the pack's configuration asks for {expected}. Get the pack again."
            )
    net.load_state_dict(tensors)
