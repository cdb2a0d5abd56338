"""Positions in a sequence: sinusoidal, learned, rotary, ALiBi."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from manyfit.errors import ConfigError


def sinusoidal(positions: jax.Array, features: int, *, base: float = 10_000.0) -> jax.Array:
    """Sines, then cosines, of each position at ``features / 2`` wavelengths: ``(…,)`` -> ``(…, features)``.

    The wavelengths go from 2 pi to ``base`` times 2 pi in a geometric progression. Raises ``ConfigError``
    for an odd number of features. Source: Vaswani et al. (2017), 3.5, with sines and cosines in halves.

    >>> sinusoidal(jnp.arange(3), 4).shape
    (3, 4)
    """
    if features < 2 or features % 2:
        raise ConfigError(
            f"sinusoidal(features={features}): sines and cosines come in pairs, give an even number"
        )
    angles = positions[..., None].astype(jnp.float32) * _frequencies(features, base)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


class SinusoidalPositions(nnx.Module):
    """Adds ``sinusoidal`` of its place to each vector of a sequence: ``(B, T, features)`` -> the same."""

    def __init__(self, *, base: float = 10_000.0) -> None:
        self.base = base

    def __call__(self, x: jax.Array, *, start: jax.Array | None = None) -> jax.Array:
        """``start`` ``(B,)`` is the place of each row's first vector, 0 unless given."""
        return x + sinusoidal(_places(x, start), x.shape[-1], base=self.base).astype(x.dtype)


class LearnedPositions(nnx.Module):
    """Adds a learned vector of its place to each vector of a sequence: ``(B, T, features)`` -> the same.

    Raises ``ConfigError`` for a sequence longer than ``places``. Normal with standard deviation 0.02.
    """

    def __init__(self, places: int, features: int, *, rngs: nnx.Rngs) -> None:
        if places < 1 or features < 1:
            raise ConfigError(f"LearnedPositions({places}, {features}): give whole numbers of at least 1")
        draw = nnx.initializers.normal(0.02)
        self.embedding = nnx.Param(draw(rngs.params(), (places, features), jnp.float32))

    def __call__(self, x: jax.Array, *, start: jax.Array | None = None) -> jax.Array:
        """``start`` ``(B,)`` is the place of each row's first vector, 0 unless given."""
        places = self.embedding.shape[0]
        if x.shape[1] > places:
            raise ConfigError(f"LearnedPositions has {places} places, the sequence {x.shape[1]}")
        table = self.embedding[...].astype(x.dtype)
        return x + (table[: x.shape[1]] if start is None else table[_places(x, start)])


def rotary(x: jax.Array, positions: jax.Array, *, base: float = 10_000.0) -> jax.Array:
    """Turns pairs of features by their position, so that products depend on distance alone.

    ``x`` ``(B, T, H, D)`` with ``positions`` ``(T,)`` or ``(B, T)`` -> the same shape and dtype. Feature ``i``
    pairs with ``i + D / 2``, as in GPT-NeoX and Llama. Raises ``ConfigError`` for odd ``D``. Source: Su et al.
    (2021), "RoFormer: enhanced transformer with rotary position embedding".

    >>> x = jnp.ones((1, 3, 2, 4))
    >>> bool(jnp.allclose(rotary(x, jnp.zeros(3)), x))
    True
    """
    if x.shape[-1] % 2:
        raise ConfigError(f"rotary turns pairs of features, got {x.shape}: give an even number")
    angles = positions[..., None].astype(jnp.float32) * _frequencies(x.shape[-1], base)
    angles = angles[..., None, :]  # (T, 1, D / 2) or (B, T, 1, D / 2): every head alike
    cosine, sine = jnp.cos(angles), jnp.sin(angles)
    wide = jnp.promote_types(x.dtype, jnp.float32)
    a, b = jnp.split(x.astype(wide), 2, axis=-1)
    return jnp.concatenate([a * cosine - b * sine, b * cosine + a * sine], axis=-1).astype(x.dtype)


def alibi_slopes(heads: int) -> jax.Array:
    """How fast each head's attention falls with distance, float32 ``(heads,)``.

    A geometric progression from ``2**(-8 / heads)`` to ``2**-8``; where ``heads`` is no power of 2, that of the
    power below, and every other one of twice as many. Source: Press et al. (2022), with its published code.

    >>> alibi_slopes(8)[:3].tolist()
    [0.5, 0.25, 0.125]
    """
    below = 2 ** int(math.log2(heads))
    slopes = 2.0 ** (-8.0 * np.arange(1, below + 1) / below)
    more = 2.0 ** (-4.0 * np.arange(1, 2 * below + 1, 2) / below)
    return jnp.asarray(np.concatenate([slopes, more])[:heads], jnp.float32)


def _frequencies(features: int, base: float) -> jax.Array:
    return jnp.asarray(base ** (-np.arange(0, features, 2) / features), jnp.float32)


def _places(x: jax.Array, start: jax.Array | None) -> jax.Array:
    at = jnp.arange(x.shape[1])
    return at if start is None else at + start[:, None]
