"""TabM: an ensemble of perceptrons that share their matrices, for tables."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.models.architecture import Inputs
from manyfit.models.images import check_whole, resolved
from manyfit.models.mlp import Embedding, Front
from manyfit.nn.dropout import Dropout
from manyfit.space import Numeric


@dataclass(frozen=True)
class TabM:
    """``copies`` perceptrons with one set of matrices, told apart by vectors that scale what goes in and out.

    Outputs are ``(batch, copies, outputs)``: in training each copy has its own loss, and the copies'
    predictions are averaged (``objectives.Supervised`` does both). ``embedding`` and what belongs to
    it as in ``MLP``.

    Source: Gorishniy et al. (2024), "TabM: advancing tabular deep learning with parameter-efficient
    ensembling"; the layers are those of Wen et al. (2020), "BatchEnsemble".
    """

    hidden: tuple[int, ...] = (256, 256)
    copies: int = 16
    dropout: Numeric = 0.0
    embedding: Embedding = "none"
    embedding_width: int = 8
    frequencies: int = 16
    sigma: float = 0.1

    def __post_init__(self) -> None:
        check_whole(self, hidden=self.hidden, copies=self.copies)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps features to ``(batch, copies, outputs)``."""
        return TabMModule(self, inputs, outputs, rngs)


class TabMModule(nnx.Module):
    """The module that ``TabM`` describes."""

    def __init__(self, spec: TabM, inputs: Inputs, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        self.copies = spec.copies
        self.front = Front(spec, inputs, rngs)
        widths = (self.front.width, *spec.hidden)
        self.layers = nnx.List(
            [Shared(a, b, spec.copies, i == 0, rngs) for i, (a, b) in enumerate(itertools.pairwise(widths))]
        )
        self.dropouts = nnx.List([Dropout(rate, rngs=rngs) for _ in spec.hidden])
        start = nnx.initializers.lecun_normal(batch_axis=0)
        self.head = nnx.Param(start(rngs.params(), (spec.copies, widths[-1], outputs), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((spec.copies, outputs)))

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(batch, copies, outputs)``."""
        x = self.front(features)
        x = jnp.broadcast_to(x[:, None], (x.shape[0], self.copies, x.shape[1]))
        for layer, dropout in zip(self.layers, self.dropouts):
            x = dropout(jax.nn.relu(layer(x)))
        return jnp.einsum("bki,kio->bko", x, self.head[...].astype(x.dtype)) + self.bias[...].astype(x.dtype)


class Shared(nnx.Module):
    """``((x * r) @ W) * s + b`` with one ``W``; r, s and b are each copy's own.

    In the first layer r starts at random signs, which is what tells the copies apart; elsewhere at 1.
    """

    def __init__(self, into: int, out: int, copies: int, first: bool, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(nnx.initializers.he_normal()(rngs.params(), (into, out), jnp.float32))
        signs = jax.random.rademacher(rngs.params(), (copies, into), jnp.float32)
        self.enter = nnx.Param(signs if first else jnp.ones((copies, into)))
        self.leave = nnx.Param(jnp.ones((copies, out)))
        self.bias = nnx.Param(jnp.zeros((copies, out)))

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel, enter, leave, bias = (
            p[...].astype(x.dtype) for p in (self.kernel, self.enter, self.leave, self.bias)
        )
        return ((x * enter) @ kernel) * leave + bias
