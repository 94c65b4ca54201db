"""From a code to a mesh: the identity field's surface, posed by the expression network."""

from dataclasses import dataclass

import numpy as np
import torch

from .errors import ClipHeadError, PackError
from .expression_sets import expand
from .geometry import hair as hair_surface
from .geometry import surface
from .geometry.mesh import vertex_normals
from .nets.nphm import ExpressionConfig, ExpressionNet, HeadField, IdentityConfig, IdentityNet
from .stages import HairMesh, HeadCode, HeadMesh

RANDOM_SHARE = 0.85  # of the population's deviation, in the official sampling script
HAIR_STEP = 1.5  # the hair's grid is coarser than the skin's by this much


@dataclass(frozen=True)
class HairPart:
    """Where a pack's identity network keeps hair."""

    output: int
    low: np.ndarray  # (3,) its box, NPHM units
    high: np.ndarray


class HeadModel:
    """The pack's identity and expression networks and its named expression codes."""

    def __init__(self, identity, expression, expressions, low, high, device="cpu", hair=None, population=None):
        """expressions: name -> (X,) code. low, high: (3,) box corners, NPHM units. hair: HairPart or None.

        population: mean and spread of identity codes as `random_head` takes them, or None.
        """
        self.identity = identity.to(device).eval().requires_grad_(False)
        self.expression = expression.to(device).eval().requires_grad_(False)
        self.expressions = expressions
        self._by_lower_name = {name.lower(): code for name, code in expressions.items()}
        self.low, self.high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        self.hair, self.population = hair, population
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
        hair = None
        if "hair" in pack.parts:
            part = pack.part("hair")
            hair = HairPart(part["output"], np.float32(part["box"]["low"]), np.float32(part["box"]["high"]))
            if not 0 < hair.output < identity.config.out_dim:
                raise PackError(
                    f"The pack's hair is output {hair.output} of an identity network with {identity.config.out_dim} outputs. "
                    "Get the pack again."
                )
        population = None
        if "latents" in pack.parts:  # statistics that came with official weights
            found = pack.tensors(pack.part("latents")["file"])
            population = found["mean"], found["deviation"]
        elif "bases" in pack.parts:
            found = pack.tensors(pack.part("bases")["file"])
            population = found["identity_mean"], found["identity_basis"]
        return cls(identity, expression, named, *pack.box, device, hair, population)

    def random(self, seed, expression=None):
        """A HeadCode drawn from the pack's population; expression: (X,) code, None for the neutral one.

        A pack that names no neutral expression gets the zero code, towards which official codes were drawn in training.
        Raises ClipHeadError if the pack does not describe its population.
        """
        if self.population is None:
            raise ClipHeadError(
                "This pack has no random heads: it lacks the mean and deviation of its codes. Import it again with "
                "--latent-mean and --latent-std, or describe a head in words.",
                "NO_POPULATION",
            )
        return random_head(*self.population, self._neutral() if expression is None else expression, seed)

    def average(self):
        """The HeadCode in the middle of the pack's population, without hair or expression; None if that is not described."""
        return None if self.population is None else HeadCode(np.float32(self.population[0]), self._neutral())

    def _neutral(self):
        found = self.find_expression("neutral")
        return np.zeros(self.expression.config.latent_expression, np.float32) if found is None else found

    def field(self, code):
        """The skin's signed distance for a HeadCode, as `nets.nphm.HeadField`."""
        return HeadField(self.identity, code.identity, self.low, self.high)

    def hair_field(self, code):
        """The hair's signed distance for a HeadCode as a function of points (N,3); only for packs that have hair."""
        field = HeadField(self.identity, code.identity, self.hair.low, self.hair.high, self.hair.output)
        return hair_surface.thickened(field)

    def under_hair(self, code, canonical):
        """Which canonical points (V,3) of the skin lie below hair -> (V,) bool."""
        return self.hair_field(code)(canonical) < -hair_surface.HIDDEN

    def hairiness(self, code, canonical):
        """How much canonical points (V,3) of a surface merged with its hair belong to the hair -> (V,) float32, 0 to 1."""
        skin = hair_surface.inside_box(self.field(code), self.low, self.high)
        return 1 - hair_surface.attachment(canonical, skin)

    @torch.inference_mode()
    def anchors(self, code):
        """Predicted anchors of a HeadCode: (K,3) float32, NPHM frame, canonical pose."""
        return self.identity.anchors(self._tensor(code.identity)[None])[0].cpu().numpy()

    def mesh(self, code, resolution, shape_keys=(), progress=None, hair="object"):
        """A HeadCode -> HeadMesh with displacements for the named expressions in `shape_keys`.

        hair: "object" adds a mesh of its own, "merged" makes one surface of skin and hair, "none" leaves it out; in a pack
        without hair all are the same.
        """
        hair = "none" if self.hair is None else hair
        skin = body = self.field(code)
        low, high = self.low, self.high
        if hair == "merged":
            skin = hair_surface.inside_box(skin, low, high)
            body = hair_surface.union(skin, hair_surface.inside_box(self.hair_field(code), self.hair.low, self.hair.high))
            low, high = self.hair.low.copy(), self.hair.high
            low[1] = self.low[1]  # the neck is cut where it always is
            resolution = _same_step(resolution, self.high - self.low, high - low)
        canonical, faces, report = surface.extract(body, low, high, resolution, progress)
        vertices, keys = self.pose(code, canonical, shape_keys, hair)
        return HeadMesh(
            vertices=vertices,
            faces=faces,
            canonical=canonical,
            normals=vertex_normals(vertices, faces),
            anchors=self.anchors(code),
            displacements=keys,
            report=report,
            hair=self.hair_mesh(code, resolution) if hair == "object" else None,
        )

    def pose(self, code, canonical, shape_keys=(), hair="object"):
        """Canonical points (V,3) of a surface made with `hair` -> posed (V,3) float32, and displacements as `shape_keys`."""
        moves = self.displacements(canonical, code.identity, code.expression[None])[0]
        keys = self.shape_keys(canonical, code.identity, shape_keys)
        if hair == "merged" and self.hair is not None:
            attached = 1 - self.hairiness(code, canonical)[:, None]
            moves, keys = attached * moves, {name: attached * move for name, move in keys.items()}
        return canonical + moves, keys

    def hair_mesh(self, code, resolution):
        """A HeadCode's hair as `HairMesh`, its grid HAIR_STEP times coarser than the skin's; None for a bald head."""
        resolution = _same_step(resolution, HAIR_STEP * (self.high - self.low), self.hair.high - self.hair.low)
        skin = hair_surface.inside_box(self.field(code), self.low, self.high)
        found = hair_surface.extract(self.hair_field(code), skin, self.hair.low, self.hair.high, resolution)
        return HairMesh(*found) if found else None

    def named_expression(self, name):
        """The pack's code for an expression's name in any case: (X,) float32. Raises ClipHeadError with the names there are."""
        code = self.find_expression(name)
        if code is None:
            known = ", ".join(sorted(self.expressions, key=str.lower)) or "none"
            raise ClipHeadError(f"This pack has no expression '{name}'. It has: {known}.", "NO_EXPRESSION")
        return code

    def find_expression(self, name):
        """As `named_expression`, or None for a name that the pack does not have."""
        return self._by_lower_name.get(" ".join(name.lower().split()))

    def shape_keys(self, canonical, identity, names):
        """Named expressions as differences from neutral: name -> (V,3) float32, NPHM units.

        "arkit" and "visemes" stand for all of these shapes.
        """
        names = expand(names)
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
        return self.expression.displace_all(self._tensor(canonical), compressed, self._tensor(codes)).cpu().numpy()

    def _tensor(self, array):
        return torch.as_tensor(np.asarray(array, np.float32), device=self.device)


def random_head(mean, spread, expression, seed):
    """The official recipe for random identities: mean + 0.85 deviation N(0,1).

    mean: (I,); spread: (I,) the deviation of every number, or (I,D) directions of deviation 1; expression: (X,) -> HeadCode
    """
    noise = np.random.default_rng(seed).standard_normal(spread.shape[-1])
    identity = mean + RANDOM_SHARE * (spread * noise if spread.ndim == 1 else spread @ noise)
    return HeadCode(identity.astype(np.float32), np.asarray(expression, np.float32))


def _same_step(resolution, side, other):
    """The resolution at which a box with sides `other` (3,) has the voxels of one with sides `side` at `resolution`."""
    return round((resolution - 1) * float(other.max() / side.max())) + 1


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
