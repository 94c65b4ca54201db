"""Neural parametric head model: an ensemble of local SDF networks and a forward deformation (NPHM, Giebenhain et al. 2023).

Letters: B batch, N points, K anchors, E = K + 1 members (the last one is global), S symmetric pairs, D = E - S weight slots,
G global and L local latent widths, I = G + E L identity code, X expression code, H hidden width, O outputs.
Points, anchors, distances and displacements are in NPHM units. Parameter names are those of the official checkpoints.
"""

import math
import platform
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..errors import PackError

BLEND_VARIANCE = 0.01  # squared NPHM units; there is no factor of two (section "blending" of the paper)
DISTANCE_OFFSET = 1e-5
BETA = 100  # sharpness of every softplus
GLOBAL_LOG_WEIGHT = -20.0  # -0.2 / 0.01, the global member's constant


@dataclass(frozen=True)
class IdentityConfig:
    """Widths of an identity network; the defaults are the official ones."""

    latent_global: int = 64
    latent_local: int = 32
    anchors: int = 39
    symmetric_pairs: int = 16
    hidden: int = 200
    layers: int = 4
    anchor_hidden: int = 256
    out_dim: int = 1
    blend_epsilon: float = 1e-6  # added to the weight sum; official weights need it for equal values, ours are 0

    @property
    def latent(self):
        return self.latent_global + (self.anchors + 1) * self.latent_local


@dataclass(frozen=True)
class ExpressionConfig:
    """Widths of an expression network; the defaults are the official ones."""

    latent_identity: int = 1344
    latent_expression: int = 200
    anchors: int = 39
    compressed: int = 32
    hidden: int = 512
    layers: int = 6


class SlotLinear(nn.Module):
    """One linear layer per weight slot."""

    def __init__(self, slots, inputs, outputs):
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(slots, outputs, inputs).uniform_(-bound, bound))  # (D,out,in)
        self.bias = nn.Parameter(torch.empty(slots, outputs).uniform_(-bound, bound))  # (D,out)


def _softplus(x):
    return functional.softplus(x, beta=BETA)


class IdentityNet(nn.Module):
    """Signed distance in canonical space, blended from local members around predicted anchors."""

    def __init__(self, config, mean_anchors):
        """mean_anchors: (K,3) NPHM units; they are not part of the official state dict."""
        super().__init__()
        self.config = c = config
        slots = c.anchors + 1 - c.symmetric_pairs
        width = 3 + c.latent_global + c.latent_local
        if c.hidden <= width:
            raise PackError(f"An identity network of hidden width {c.hidden} needs inputs narrower than that, found {width}.")
        self.skip = c.layers // 2
        sizes_in = [width] + [c.hidden] * c.layers
        sizes_out = [c.hidden] * c.layers + [c.out_dim]
        sizes_out[self.skip - 1] = c.hidden - width
        self.ensembled_deep_sdf = nn.ModuleDict(
            {f"lin{i}": SlotLinear(slots, a, b) for i, (a, b) in enumerate(zip(sizes_in, sizes_out, strict=True))}
        )
        self.mlp_pos = nn.Sequential(
            nn.Linear(c.latent_global, c.anchor_hidden),
            nn.ReLU(),
            nn.Linear(c.anchor_hidden, c.anchor_hidden),
            nn.ReLU(),
            nn.Linear(c.anchor_hidden, 3 * c.anchors),
        )
        members = torch.arange(c.anchors + 1)
        paired = members < 2 * c.symmetric_pairs
        self.register_buffer("slot", torch.where(paired, members // 2, members - c.symmetric_pairs), persistent=False)
        flip = torch.ones(c.anchors + 1, 3)
        flip[1 : 2 * c.symmetric_pairs : 2, 0] = -1  # odd members see a mirrored world
        self.register_buffer("flip", flip, persistent=False)
        self.register_buffer("mean_anchors", torch.as_tensor(mean_anchors, dtype=torch.float32), persistent=False)

    def anchors(self, code):
        """Codes (B,I) -> predicted anchors (B,K,3)."""
        return self.mlp_pos(code[:, : self.config.latent_global]).view(len(code), -1, 3) + self.mean_anchors

    def blend_weights(self, points, anchors):
        """Points (B,N,3), anchors (B,K,3) -> normalised weights (B,N,E)."""
        log_weights = self._log_weights(points, anchors)
        if self.config.blend_epsilon == 0:  # a softmax keeps far points alive in float32
            return log_weights.softmax(-1)
        weights = log_weights.exp()
        return weights / (weights.sum(-1, keepdim=True) + self.config.blend_epsilon)

    def forward(self, points, code):
        """The published, dense way, all members at every point: points (B,N,3), code (B,I) -> (B,N,O)."""
        weights = self.blend_weights(points, self.anchors(code))  # (B,N,E)
        return (weights[..., None] * self.members(points, code)).sum(2)

    def members(self, points, code):
        """Every member's own value: points (B,N,3), code (B,I) -> (B,N,E,O)."""
        (B, N, _), c = points.shape, self.config
        local = self.local_coordinates(points, self.anchors(code))  # (B,N,E,3)
        shared = code[:, None, None, : c.latent_global].expand(B, N, c.anchors + 1, -1)
        own = code[:, c.latent_global :].view(B, 1, c.anchors + 1, -1).expand(B, N, -1, -1)
        inputs = torch.cat([local, shared, own], dim=-1).flatten(0, 1).transpose(0, 1)  # (E,B*N,width)
        x = inputs
        for i, layer in enumerate(self.ensembled_deep_sdf.values()):
            if i == self.skip:
                x = torch.cat([x, inputs], dim=-1) / math.sqrt(2)
            x = torch.baddbmm(layer.bias[self.slot][:, None], x, layer.weight[self.slot].transpose(1, 2))
            if i < c.layers:
                x = _softplus(x)
        return x.transpose(0, 1).reshape(B, N, c.anchors + 1, c.out_dim)

    def local_coordinates(self, points, anchors):
        """Points (B,N,3) relative to each member's anchor, mirrored for odd members: (B,N,E,3)."""
        origins = torch.cat([anchors, anchors.new_zeros(len(anchors), 1, 3)], dim=1)  # (B,E,3)
        return (points[:, :, None] - origins[:, None]) * self.flip

    def sparse(self, points, code, threshold=1e-4, owner=None):
        """As `forward`, but only members whose blend weight exceeds `threshold`, and with the code folded into biases.

        points: (N,3) of all heads together, owner: (N,) which row of code (B,I) each belongs to -> (N,O).
        The error is below threshold * E times the spread of the members' values (specification section 10).
        """
        owner = torch.zeros(len(points), dtype=torch.long, device=points.device) if owner is None else owner
        anchors, bias_first, bias_skip = self.fold(code)
        c, E = self.config, self.config.anchors + 1
        weights = self._weights(points[:, None], anchors.index_select(0, owner))[:, 0]  # (N,E)
        row, member = (weights > threshold).nonzero(as_tuple=True)
        order = self.slot[member].argsort(stable=True)
        row, member = row[order], member[order]
        counts = torch.bincount(self.slot[member], minlength=E - c.symmetric_pairs).tolist()

        origins = torch.cat([anchors, anchors.new_zeros(len(anchors), 1, 3)], dim=1)
        at = owner[row] * E + member  # (M,) head and member as one index; index_select has the faster gradient
        local = (points.index_select(0, row) - origins.flatten(0, 1).index_select(0, at)) * self.flip[member]  # (M,3)
        first_bias, skip_bias = bias_first.flatten(0, 1), bias_skip.flatten(0, 1)
        start = c.hidden - 3 - c.latent_global - c.latent_local
        values = []
        for slot, (x, rows) in enumerate(zip(local.split(counts), at.split(counts), strict=True)):
            if len(rows) == 0:
                continue
            h = x
            for i, layer in enumerate(self.ensembled_deep_sdf.values()):
                weight = layer.weight[slot]
                if i == 0:
                    h = torch.addmm(first_bias.index_select(0, rows), h, weight[:, :3].T)
                elif i == self.skip:
                    scaled = weight / math.sqrt(2)
                    h = torch.addmm(skip_bias.index_select(0, rows), h, scaled[:, :start].T)
                    h = h.addmm(x, scaled[:, start : start + 3].T)
                else:
                    h = torch.addmm(layer.bias[slot], h, weight.T)
                if i < c.layers:
                    h = _softplus(h)
            values.append(h)
        blended = torch.cat(values) * weights.flatten().index_select(0, row * E + member)[:, None]
        return blended.new_zeros(len(points), c.out_dim).index_add(0, row, blended)

    def fold(self, code):
        """Constants of a batch of codes (B,I): anchors and what the codes add to the first layer and to the skip, by slot."""
        c = self.config
        B, E = len(code), c.anchors + 1
        latent = torch.cat(
            [code[:, None, : c.latent_global].expand(B, E, -1), code[:, c.latent_global :].view(B, E, -1)], dim=-1
        )  # (B,E,G+L)
        first, skip = self.ensembled_deep_sdf["lin0"], self.ensembled_deep_sdf[f"lin{self.skip}"]
        start = c.hidden - 3 - latent.shape[-1]  # where the raw input begins in the skip layer's columns
        bias_first = torch.einsum("bel,eol->beo", latent, first.weight[self.slot][:, :, 3:]) + first.bias[self.slot]
        bias_skip = torch.einsum("bel,eol->beo", latent, skip.weight[self.slot][:, :, start + 3 :]) / math.sqrt(2)
        return self.anchors(code), bias_first, bias_skip + skip.bias[self.slot]

    def _weights(self, points, anchors):
        """As `blend_weights`, in log space with the epsilon as one more member, so that far points keep theirs."""
        log_weights = self._log_weights(points, anchors)
        log_sum = torch.logsumexp(log_weights, dim=-1, keepdim=True)
        if self.config.blend_epsilon:
            log_sum = torch.logaddexp(log_sum, torch.full_like(log_sum, math.log(self.config.blend_epsilon)))
        return (log_weights - log_sum).exp()

    def _log_weights(self, points, anchors):
        distance = (points[:, :, None] - anchors[:, None]).norm(dim=-1)  # (B,N,K)
        local = -((distance + DISTANCE_OFFSET) ** 2) / BLEND_VARIANCE
        return torch.cat([local, torch.full_like(local[..., :1], GLOBAL_LOG_WEIGHT)], dim=-1)


class ExpressionNet(nn.Module):
    """Forward deformation: canonical point -> displacement, for an identity code and an expression code."""

    def __init__(self, config):
        super().__init__()
        self.config = c = config
        width = 3 + c.compressed + c.latent_expression
        if c.hidden <= width:
            raise PackError(f"An expression network of hidden width {c.hidden} needs inputs narrower than that, found {width}.")
        self.compressor = nn.Sequential(nn.Linear(c.latent_identity + 3 * c.anchors, c.compressed))
        self.skip = c.layers // 2
        sizes_in = [width] + [c.hidden] * c.layers
        sizes_out = [c.hidden] * c.layers + [3]
        sizes_out[self.skip - 1] = c.hidden - width
        self.defDeepSDF = nn.ModuleDict(
            {f"lin{i}": nn.Linear(a, b) for i, (a, b) in enumerate(zip(sizes_in, sizes_out, strict=True))}
        )

    def compress(self, identity, anchors):
        """Identity codes (B,I) and their predicted anchors (B,K,3) -> (B,compressed)."""
        return self.compressor(torch.cat([identity, anchors.flatten(1)], dim=-1))

    def forward(self, points, identity, anchors, expression):
        """Points (B,N,3), identity (B,I), anchors (B,K,3), expression (B,X) -> displacements (B,N,3)."""
        return self.displace(points, self.compress(identity, anchors), expression)

    def displace(self, points, compressed, expression):
        """As `forward`, from compressed identities (B,compressed)."""
        x = None
        for i, (weight, bias, at_point) in enumerate(self.fold(compressed, expression)):
            y = bias if weight is None else x @ weight.T + bias
            y = y if at_point is None else y + points @ at_point.T
            x = _softplus(y) if i < self.config.layers else y
        return x

    @torch.inference_mode()
    def displace_all(self, points, compressed, expressions):
        """One head under many expressions: points (N,3), compressed (1,compressed), expressions (M,X) -> (M,N,3).

        Values are those of `displace` within rounding; points are padded so that oneDNN meets few numbers of rows.
        """
        linear, softplus = _kernels(points.device)
        rows = HeadField.ROWS.get(points.device.type, HeadField.MOST_ROWS)
        first, *inner, (weight_out, bias_out, _) = self.fold(compressed.expand(len(expressions), -1), expressions)
        # Activations are BETA times the network's, so that their softplus is the plain log(1 + exp(x)).
        inner = [(weight.contiguous(), BETA * bias.expand(len(expressions), 1, -1), point) for weight, bias, point in inner]
        weight_out = weight_out / BETA
        N = len(points)
        points = functional.pad(points, (0, 0, 0, -N % PADDING))
        moved = points.new_empty(len(expressions), len(points), 3)
        for start in range(0, len(points), rows):
            part = points[start : start + rows]
            # What the point alone adds is the same for every expression.
            at_first = BETA * (part @ first[2].T)
            at_skip = [None if at_point is None else BETA * (part @ at_point.T) for _, _, at_point in inner]
            for m in range(len(expressions)):
                x = softplus(at_first + BETA * first[1][m])
                for (weight, bias, _), from_point in zip(inner, at_skip, strict=True):
                    x = linear(x, weight, bias[m, 0])
                    x = softplus(x if from_point is None else x.add_(from_point))
                moved[m, start : start + rows] = linear(x, weight_out, bias_out)
        return moved[:, :N]

    def fold(self, compressed, expression):
        """Layers with the codes in their biases: a list of (weight, bias, weight of the point), either weight None if absent.

        compressed: (B,compressed), expression: (B,X); biases that codes have part in are (B,1,H).
        """
        latent = torch.cat([compressed, expression], dim=-1)
        layers = []
        for i, layer in enumerate(self.defDeepSDF.values()):
            weight, bias, at_point = layer.weight, layer.bias, None
            if i in (0, self.skip):
                start = layer.in_features - 3 - latent.shape[-1]  # where the raw input begins in the columns
                weight = weight / math.sqrt(2) if i else weight
                bias = (bias + latent @ weight[:, start + 3 :].T)[:, None]
                at_point = weight[:, start : start + 3]
                weight = weight[:, :start] if i else None
            layers.append((weight, bias, at_point))
        return layers


PADDING = 64  # rows: oneDNN compiles a kernel, in a millisecond, for every number of rows it has not met


class HeadField:
    """A head's signed distance as a plain function of points, for surface extraction.

    The values are those of `IdentityNet.forward`, but members whose blend weight is below `threshold` are read from a coarse
    table of each member over the box. The difference is the threshold times the table's error, which is a few hundredths.
    `low`, `high`: the box (3,) in NPHM units; `output`: which of the network's fields. `evaluations` counts the points asked
    for, without those of the table.
    """

    TABLE = 12  # samples along each side of the box, which cost about 2 % of an extraction at 256
    POINTS = 32768  # points whose blend weights are held at a time
    ROWS = {"cpu": 512}  # points of a member at a time: two of their activations and the weights fit a processor's L2 cache
    MOST_ROWS = 65536  # elsewhere

    def __init__(self, net, code, low, high, output=0, threshold=1e-4):
        self.net, self.output, self.threshold = net, output, threshold
        self.low, self.high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        self.evaluations = 0
        self._device = net.flip.device
        self._rows = self.ROWS.get(self._device.type, self.MOST_ROWS)
        self._linear, self._softplus = _kernels(self._device)
        with torch.inference_mode():
            code = torch.as_tensor(code, dtype=torch.float32, device=self._device)
            self._anchors, self._members = self._freeze(code[None], output)
            self._low = torch.as_tensor(self.low, device=self._device)
            self._side = torch.as_tensor(self.high - self.low, device=self._device)
            self._table = self._tabulate()

    def _freeze(self, code, output):
        """Code (1,I) -> anchors (1,K,3) and for every member its layers (weight, bias, weight of the point or None).

        The code is folded into the biases, the mirroring into the point's weights. Activations are BETA times the
        network's, so that their softplus is the plain log(1 + exp(x)).
        """
        net = self.net
        anchors, bias_first, bias_skip = net.fold(code)
        start = net.config.hidden - 3 - net.config.latent_global - net.config.latent_local
        by_slot = []
        for slot in range(net.config.anchors + 1 - net.config.symmetric_pairs):
            layers = []
            for i, layer in enumerate(net.ensembled_deep_sdf.values()):
                weight, bias = layer.weight[slot], BETA * layer.bias[slot]
                if i == 0:
                    layers.append((None, None, BETA * weight[:, :3]))
                elif i == net.skip:
                    weight = weight / math.sqrt(2)
                    layers.append((weight[:, :start].contiguous(), None, BETA * weight[:, start : start + 3]))
                elif i == net.config.layers:
                    layers.append((weight[output, None] / BETA, bias[output, None] / BETA, None))
                else:
                    layers.append((weight, bias, None))
            by_slot.append(layers)
        members = []
        for member, slot in enumerate(net.slot.tolist()):
            own = {0: BETA * bias_first[0, member], net.skip: BETA * bias_skip[0, member]}
            members.append([
                (weight, own.get(i, bias), at_point if at_point is None else (at_point * net.flip[member]).T.contiguous())
                for i, (weight, bias, at_point) in enumerate(by_slot[slot])
            ])  # fmt: skip
        return anchors, members

    @torch.inference_mode()
    def __call__(self, points):
        """(N,3) float32 -> (N,) float32, negative inside."""
        points = torch.as_tensor(np.ascontiguousarray(points, np.float32), device=self._device)
        self.evaluations += len(points)
        return torch.cat([self._blend(part) for part in points.split(self.POINTS)]).cpu().numpy()

    def _blend(self, points):
        """Points (N,3) -> values (N,)."""
        weights = self.net.blend_weights(points[None], self._anchors)[0].T.contiguous()  # (E,N)
        near = weights > self.threshold
        places = (points - self._low) / self._side * 2 - 1
        far = functional.grid_sample(self._table, places[None, :, None, None], padding_mode="border", align_corners=True)
        values = (weights * far[0, :, :, 0, 0]).masked_fill_(near, 0).sum(0)
        member, row = near.nonzero(as_tuple=True)
        counts = torch.bincount(member, minlength=len(weights)).tolist()
        for k, rows in enumerate(row.split(counts)):
            if len(rows):
                value = self._member(k, points.index_select(0, rows))
                values.index_add_(0, rows, value.mul_(weights[k].index_select(0, rows)))
        return values

    def _tabulate(self):
        """Every member on a grid over the box: (1,E,T,T,T), indexed z, y, x as `grid_sample` asks for."""
        line = torch.linspace(0, 1, self.TABLE, device=self._device)
        z, y, x = torch.meshgrid(line, line, line, indexing="ij")
        points = torch.stack([x, y, z], dim=-1).view(-1, 3) * self._side + self._low
        values = torch.stack([self._member(k, points) for k in range(len(self._members))])
        return values.view(1, -1, *x.shape)

    def _member(self, k, points):
        """Member k at points (N,3) -> (N,)."""
        local = points - self._anchors[0, k] if k < self._anchors.shape[1] else points  # the last member is global
        local = functional.pad(local, (0, 0, 0, -len(local) % PADDING))
        return torch.cat([self._value(self._members[k], part) for part in local.split(self._rows)])[: len(points)]

    def _value(self, layers, local):
        """One member at points (N,3) relative to its anchor -> (N,)."""
        *hidden, (weight_out, bias_out, _) = layers
        x = None
        for weight, bias, at_point in hidden:
            if weight is None:
                x = torch.addmm(bias, local, at_point)
            else:
                x = self._linear(x, weight, bias)
                if at_point is not None:
                    x.addmm_(local, at_point)
            x = self._softplus(x)
        return torch.addmv(bias_out, x, weight_out[0])


def _kernels(device):
    """The fastest (linear, softplus) of plain torch for a device; softplus may overwrite what it is given.

    On x86 processors oneDNN multiplies twice as fast as torch's own linear where that calls MKL (measured on AMD), and
    softplus is two to three times as fast without the denormal numbers that exp makes of large negative values.
    """
    if device.type != "cpu":
        return functional.linear, functional.softplus
    onednn = torch.backends.mkldnn.is_available() and platform.machine().lower() in ("x86_64", "amd64")
    pointwise = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if onednn else None
    if pointwise is None:
        return functional.linear, _softplus_on_cpu
    return (lambda x, weight, bias: pointwise(x, weight, bias, "none", [], "")), _softplus_on_cpu


def _softplus_on_cpu(x):
    """log(1 + exp(x)) within 1.5e-6, overwriting x."""
    small = x.clamp(-20.0, 20.0).mul_(math.log2(math.e)).exp2_().log1p_()
    return torch.maximum(small, x, out=x)


def config_table(config):
    """A configuration as the plain table that a pack's manifest stores."""
    return asdict(config)
