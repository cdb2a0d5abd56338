"""Blocks that networks are built from: residual, gated residual, squeeze-and-excite, gated feed-forward."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.nn.activations import activation as by_name
from manyfit.nn.dropout import HyperParam
from manyfit.nn.fusion import materialised
from manyfit.nn.linear import Linear
from manyfit.nn.noise import StochasticDepth


class Residual(nnx.Module):
    """``shortcut(x) + branch(x)``, the branch left out for some rows of a batch (``StochasticDepth``).

    ``shortcut`` is the identity unless given. Raises ``ConfigError`` if the two shapes differ. Source: He
    et al. (2016), "Deep residual learning for image recognition".

    >>> Residual(lambda x: 2 * x)(jnp.ones(3)).tolist()
    [3.0, 3.0, 3.0]
    """

    def __init__(
        self,
        branch: Callable[[jax.Array], jax.Array],
        shortcut: Callable[[jax.Array], jax.Array] | None = None,
        *,
        drop_rate: float | jax.Array | HyperParam = 0.0,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        self.branch = branch
        self.shortcut = shortcut
        self.drop = StochasticDepth(drop_rate, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The sum, of the branch's shape."""
        straight, bent = x if self.shortcut is None else self.shortcut(x), self.branch(x)
        if straight.shape != bent.shape:
            raise ConfigError(f"Residual: the branch gives {bent.shape}, the shortcut {straight.shape}")
        return materialised(straight + self.drop(bent))


class GatedResidual(nnx.Module):
    """``x + gate * branch(x)`` with one learned ``gate``, 0 at the start: the block begins as the identity.

    Source: Bachlechner et al. (2021), "ReZero is all you need".

    >>> GatedResidual(lambda x: 2 * x)(jnp.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, branch: Callable[[jax.Array], jax.Array], start: float = 0.0) -> None:
        self.branch = branch
        self.gate = nnx.Param(jnp.asarray(start, jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        """The same shape and dtype."""
        return x + self.gate[...].astype(x.dtype) * self.branch(x)


class SqueezeExcite(nnx.Module):
    """Weighs the channels by what all places together say: ``x * sigmoid(W2 relu(W1 mean(x)))``.

    ``(B, *spatial, C)``, through ``hidden`` units (a sixteenth of the channels, at least 1, unless given).
    Source: Hu, Shen, Sun (2018), "Squeeze-and-excitation networks".

    >>> SqueezeExcite(32, rngs=nnx.Rngs(0))(jnp.ones((2, 5, 5, 32))).shape
    (2, 5, 5, 32)
    """

    def __init__(
        self, features: int, hidden: int | None = None, *, activation: str = "relu", rngs: nnx.Rngs
    ) -> None:
        width = max(1, features // 16) if hidden is None else hidden
        self.squeeze = Linear(features, width, rngs=rngs)
        self.excite = Linear(width, features, rngs=rngs)
        self.activation = by_name(activation)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The same shape and dtype."""
        if x.ndim < 3:
            raise ConfigError(f"SqueezeExcite takes (B, *spatial, C), got {x.shape}")
        spatial = tuple(range(1, x.ndim - 1))
        hidden = self.activation(self.squeeze(jnp.mean(x, axis=spatial, keepdims=True)))
        return x * jax.nn.sigmoid(self.excite(hidden)).astype(x.dtype)


def glu(x: jax.Array, activation: str = "sigmoid") -> jax.Array:
    """``a * activation(b)`` for the halves ``a, b`` of the last axis: ``(…, 2 n)`` -> ``(…, n)``.

    ``sigmoid`` is the GLU of Dauphin et al. (2017); ``silu`` and ``gelu`` are SwiGLU and GeGLU without
    their matrices. Raises ``ConfigError`` for an odd number of features.

    >>> glu(jnp.asarray([2.0, 0.0])).tolist()
    [1.0]
    """
    if x.shape[-1] % 2:
        raise ConfigError(f"glu halves the features, got {x.shape}: give an even number")
    a, b = jnp.split(x, 2, axis=-1)
    return a * by_name(activation)(b)


class GatedFeedForward(nnx.Module):
    """``W3 (activation(W1 x) * W2 x)``: ``(…, features)`` -> the same shape; no biases unless asked for.

    ``activation="silu"`` is SwiGLU, ``"gelu"`` GeGLU, ``"sigmoid"`` GLU. ``hidden`` is two thirds of four
    times the features unless given, which makes it as large as the plain block of four times. W1 and W2
    are one matrix, ``gate_and_value``. Source: Shazeer (2020), "GLU variants improve transformer",
    equation 6.

    >>> GatedFeedForward(6, rngs=nnx.Rngs(0))(jnp.ones((2, 3, 6))).shape
    (2, 3, 6)
    """

    def __init__(
        self,
        features: int,
        hidden: int | None = None,
        *,
        activation: str = "silu",
        use_bias: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        width = 8 * features // 3 if hidden is None else hidden
        self.gate_and_value = Linear(features, 2 * width, use_bias=use_bias, rngs=rngs)
        self.output = Linear(width, features, use_bias=use_bias, rngs=rngs)
        self.activation = by_name(activation)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The same shape and dtype."""
        gate, value = jnp.split(self.gate_and_value(x), 2, axis=-1)
        return self.output(self.activation(gate) * value).astype(x.dtype)
