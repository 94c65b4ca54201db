"""Neural parametric head model: an ensemble of local SDF networks and a forward deformation (NPHM, Giebenhain et al. 2023).

Letters: B batch, N points, K anchors, E = K + 1 members (the last one is global), S symmetric pairs, D = E - S weight slots,
G global and L local latent widths, I = G + E L identity code, X expression code, H hidden width, O outputs.
Points, anchors, distances and displacements are in NPHM units. Parameter names are those of the official checkpoints.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..errors import PackError

BLEND_VARIANCE = 0.01  # squared NPHM units; there is no factor of two (section "blending" of the paper)
DISTANCE_OFFSET = 1e-5
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
    return F.softplus(x, beta=100)


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
        folded = self.fold(code)
        return self.sparse_folded(points, folded, threshold, owner)

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

    def sparse_folded(self, points, folded, threshold, owner):
        """`sparse` on constants from `fold`."""
        anchors, bias_first, bias_skip = folded
        c, E = self.config, self.config.anchors + 1
        log_weights = self._log_weights(points[:, None], anchors.index_select(0, owner))[:, 0]  # (N,E)
        log_sum = torch.logsumexp(log_weights, dim=-1)
        if c.blend_epsilon:
            log_sum = torch.logaddexp(log_sum, torch.full_like(log_sum, math.log(c.blend_epsilon)))
        weights = (log_weights - log_sum[:, None]).exp()
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
        latent = torch.cat([compressed, expression], dim=-1)  # (B,compressed+X)
        first, skip = self.defDeepSDF["lin0"], self.defDeepSDF[f"lin{self.skip}"]
        start = skip.in_features - 3 - latent.shape[-1]
        # The codes are constant over a head's points, so they are folded into biases.
        first_bias = first.bias + latent @ first.weight[:, 3:].T  # (B,H)
        skip_bias = skip.bias + latent @ skip.weight[:, start + 3 :].T / math.sqrt(2)
        x = points
        for i, layer in enumerate(self.defDeepSDF.values()):
            if i == 0:
                x = points @ layer.weight[:, :3].T + first_bias[:, None]
            elif i == self.skip:
                weight = layer.weight / math.sqrt(2)
                x = x @ weight[:, :start].T + points @ weight[:, start : start + 3].T + skip_bias[:, None]
            else:
                x = layer(x)
            if i < self.config.layers:
                x = _softplus(x)
        return x


class HeadField:
    """A head's signed distance as a plain function of points, for surface extraction.

    `low`, `high`: the box (3,) in NPHM units. `evaluations` counts the points asked for.
    """

    CHUNK = 4096  # points at a time; their activations stay in the processor's cache

    def __init__(self, net, code, low, high, output=0, threshold=1e-4):
        self.net, self.output, self.threshold = net, output, threshold
        self.low, self.high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        self.evaluations = 0
        self._device = net.flip.device
        with torch.inference_mode():
            self._folded = net.fold(torch.as_tensor(code, dtype=torch.float32, device=self._device)[None])

    @torch.inference_mode()
    def __call__(self, points):
        """(N,3) float32 -> (N,) float32, negative inside."""
        points = torch.as_tensor(np.ascontiguousarray(points, np.float32), device=self._device)
        self.evaluations += len(points)
        out = torch.empty(len(points))
        for start in range(0, len(points), self.CHUNK):
            part = points[start : start + self.CHUNK]
            owner = torch.zeros(len(part), dtype=torch.long, device=self._device)
            out[start : start + len(part)] = self.net.sparse_folded(part, self._folded, self.threshold, owner)[:, self.output]
        return out.numpy()


def config_table(config):
    """A configuration as the plain table that a pack's manifest stores."""
    return asdict(config)
