"""From a sentence's embedding to head codes: two small networks, and the spread of heads that one sentence leaves open.

The identity network gives a mean and a deviation for each of D shape parameters y that are independent of one another (a fixed
linear mix of the studio's whitened parameters, learnt with the network), so what a sentence does not mention keeps the
population's spread and its correlations. Codes are linear in y. What words can name, such as the width of a nose, depends on
many parameters at once; the network says as well how far each such quantity may stray, and draws are brought back to that
(`steady`). Compare the mapping networks of CLIP-Head (section 3.2).

In a pack with hair a third network gives each hair style a chance, for a sentence and the head that was drawn for it: hair that
the words leave open suits the person. One style is drawn, never a blend, and its code is added to the head's.

Letters: C embedding, D shape parameters, Q quantities that words can name, H hair styles, W weights of expression shapes,
I and X latent widths.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..errors import PackError
from ..stages import HeadCode

REACH = 2.5  # deviations; draws beyond are brought back, because heads out there look broken
LOG_DEVIATION = (-4.0, 0.5)  # of shape parameters and named quantities, whose deviation over the population is 1
RIDGE = 1e-3  # against a population's one: named quantities may depend on one another
SELDOM = 0.1  # hair styles less likely than the likeliest by this factor are not drawn
AMOUNTS = 2  # of a hair style: volume and length, -1 .. 1


class Mapper(nn.Module):
    """Three linear layers. embedding (B,C) unit length -> (B,out)."""

    def __init__(self, inputs, outputs, hidden=384, dropout=0.0):
        super().__init__()
        self.scale = math.sqrt(inputs)  # unit length -> entries of unit size
        self.dropout = dropout
        self.layers = nn.ModuleList([nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, outputs)])

    def forward(self, embedding):
        x = embedding * self.scale  # (B,C)
        for layer in self.layers[:-1]:
            x = F.dropout(F.gelu(layer(x)), self.dropout, self.training)  # (B,hidden)
        return self.layers[-1](x)

    @classmethod
    def from_arrays(cls, arrays, prefix):
        """Arrays named `prefix`layers.0.weight and so on -> a Mapper of their widths."""
        state = {
            name.removeprefix(prefix): torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)
        }
        hidden, inputs = state["layers.0.weight"].shape
        mapper = cls(inputs, state["layers.2.weight"].shape[0], hidden)
        mapper.load_state_dict(state)
        return mapper.eval().requires_grad_(False)


def split(output, dimensions):
    """Identity network output (B,2D+Q) -> mean (B,D), log deviation (B,D), log deviation of named quantities (B,Q)."""
    mean, deviations = output[..., :dimensions], output[..., dimensions:]
    low, high = LOG_DEVIATION
    deviations = low + (high - low) * torch.sigmoid(deviations)
    return mean, deviations[..., :dimensions], deviations[..., dimensions:]


def steady(departure, deviation, limits, named):
    """A draw whose named quantities stray as far as the words leave open, and whose other quantities keep what they can.

    departure: (D,) from the mean, drawn with deviation (D,); limits: (Q,) deviations of the quantities departure @ named,
    named: (D,Q). Quantities that would stray farther are scaled back, by the likeliest change (Matheron's rule) -> (D,).
    """
    variance = deviation**2
    spread = np.sqrt(variance @ named**2)
    excess = (departure @ named) * (1 - np.minimum(1, limits / np.maximum(spread, 1e-9)))
    covariance = named.T @ (variance[:, None] * named)
    return departure - variance * (named @ np.linalg.solve(covariance + RIDGE * np.eye(len(limits)), excess))


def hair_features(embedding, shape):
    """What the hair network reads: unit embeddings (B,C) and shape parameters (B,D) -> (B,C+D) of unit length."""
    C, D = embedding.shape[-1], shape.shape[-1]
    return torch.cat([embedding * math.sqrt(C), shape], dim=-1) / math.sqrt(C + D)


def split_hair(output):
    """Hair network output (B,H+4) -> log chances (B,H), means (B,2) and log deviations (B,2) of volume and length."""
    logits, mean, log_deviation = output.split([output.shape[-1] - 2 * AMOUNTS, AMOUNTS, AMOUNTS], dim=-1)
    return logits, mean, log_deviation.clamp(-3, 0)


class Mappers:
    """The mapping networks with the linear maps from their parameters to codes.

    arrays: `identity.*`, identity_basis (I,D), identity_mean (I,), `expression.*`, expression_basis (X,W),
    expression_mean (X,), neutral (X,), all float32; perhaps identity_named (D,Q); perhaps identity_spread (), a factor of all
    deviations, as a head model evens out what it is asked for; with hair also `hair.*` and hair_basis (H,3,I), what a style,
    its volume and its length add to a bald head's code. Raises PackError on missing or unfitting arrays.
    """

    def __init__(self, arrays):
        try:
            self._identity = Mapper.from_arrays(arrays, "identity.")
            self._expression = Mapper.from_arrays(arrays, "expression.")
            self.identity_basis, self.identity_mean = arrays["identity_basis"], arrays["identity_mean"]
            self.expression_basis, self.expression_mean = arrays["expression_basis"], arrays["expression_mean"]
            self.neutral = arrays["neutral"]
            D = self.identity_basis.shape[1]
            self.identity_named = arrays.get("identity_named", np.zeros((D, 0), np.float32)).astype(np.float64)
            self.identity_spread = arrays.get("identity_spread", np.ones((), np.float32))
            widths = (self._identity.layers[-1].out_features, self._expression.layers[-1].out_features)
            if widths != (2 * D + self.identity_named.shape[1], self.expression_basis.shape[1]):
                raise ValueError(f"networks give {widths} parameters, the linear maps take others")
            self._hair, self.hair_basis = None, arrays.get("hair_basis")
            if self.hair_basis is not None:
                self._hair = Mapper.from_arrays(arrays, "hair.")
                styles = self._hair.layers[-1].out_features - 2 * AMOUNTS
                if self.hair_basis.shape != (styles, 1 + AMOUNTS, len(self.identity_mean)):
                    raise ValueError(f"the hair network knows {styles} styles, the linear maps have {self.hair_basis.shape}")
        except (KeyError, RuntimeError, ValueError) as error:
            raise PackError(f"The mapping networks are damaged ({error}). Install the pack again.") from error
        self.embedding_width = self._identity.layers[0].in_features

    @classmethod
    def load(cls, pack):
        """The mappers part of a pack. Raises PackError."""
        return cls(pack.tensors(pack.part("mappers")["file"]))

    def map(self, embedding, prompt, expression=None):
        """A sentence's embedding to a head's codes.

        embedding: (C,) unit length, prompt: Prompt, expression: (X,) code that replaces the sentence's own, or None
        -> HeadCode. The same seed draws the same head on every machine. Raises PackError if the embedding has another width.
        """
        mean, deviation, limits = self.shape(embedding)
        random = np.random.Generator(np.random.PCG64(prompt.seed))
        noise = random.standard_normal(len(mean))
        departure = steady(deviation * np.clip(noise, -REACH, REACH), deviation, limits, self.identity_named)
        y = mean + prompt.variation * departure
        identity, worn = self.identity_basis @ y + self.identity_mean, None
        if self._hair is not None:
            style, amounts = self.hair(embedding, y, random, prompt.variation)
            worn = (np.r_[1, amounts] @ self.hair_basis[style]).astype(np.float32)
            identity = identity + worn
        expression = self.expression(embedding) if expression is None else expression
        expression = self.neutral + prompt.expression_strength * (expression - self.neutral)
        return HeadCode(identity.astype(np.float32), expression.astype(np.float32), worn)

    def shape(self, embedding):
        """Embedding (C,) -> mean (D,) and deviation (D,) of the shape parameters, deviations (Q,) of the named quantities."""
        output = self._identity(self._checked(embedding))[0].double()
        mean, *log_deviations = split(output, self.identity_basis.shape[1])
        return mean.numpy(), *(float(self.identity_spread) * x.exp().numpy() for x in log_deviations)

    def hair(self, embedding, shape, random, variation=1.0):
        """A hair style, and how voluminous and long it is, for a sentence and a head.

        embedding: (C,), shape: (D,) parameters y, random: numpy Generator, variation: 0 = the likeliest
        -> style's index, (2,) amounts within -1 .. 1.
        """
        features = hair_features(self._checked(embedding), torch.from_numpy(np.asarray(shape, np.float32))[None])
        logits, mean, log_deviation = (x[0].numpy().astype(np.float64) for x in split_hair(self._hair(features)))
        luck = random.gumbel(size=len(logits))  # the largest of log chances and Gumbel noise is a draw by these chances
        likely = logits > logits.max() + math.log(SELDOM)
        style = int(np.where(likely, logits + variation * luck, -np.inf).argmax())
        amounts = mean + variation * np.exp(log_deviation) * random.standard_normal(AMOUNTS)
        return style, amounts.clip(-1, 1)

    def expression(self, embedding):
        """Expression code: embedding (C,) -> (X,) float32."""
        weights = self._expression(self._checked(embedding))[0].numpy()
        return (self.expression_basis @ weights + self.expression_mean).astype(np.float32)

    def _checked(self, embedding):
        if embedding.shape != (self.embedding_width,):
            raise PackError(
                f"The text model gives {embedding.shape[-1]} numbers, the mapping networks take {self.embedding_width}: they "
                "belong to another text model. Train them for this one: python -m tools.train.mappers --help"
            )
        return torch.from_numpy(np.asarray(embedding, np.float32))[None]
