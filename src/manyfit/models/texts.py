"""What the architectures for texts share: words as vectors, of which padding has none, and pooling over real words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.nn.dropout import Dropout

Pool = Literal["mean", "max", "mean-max"]


def vocabulary_of(inputs: Inputs, architecture: object) -> int:
    """How many words there are; raises ``ConfigError`` for features without tokens."""
    if "tokens" not in inputs or len(inputs["tokens"].shape) != 2 or not inputs.cardinalities:
        found = ", ".join(f"{name} {spec.shape}" for name, spec in inputs.shapes.items()) or "none"
        raise ConfigError(
            f"{type(architecture).__name__} takes texts, tokens of shape (B, T); the features are: {found}"
        )
    return inputs.cardinalities[0]


class WordEmbedding(nnx.Module):
    """A learned vector of each word: tokens ``(B, T)`` -> ``(B, T, width)``, zeros after a text's end."""

    def __init__(self, words: int, width: int, rate: Any, *, scale: float = 0.1, rngs: nnx.Rngs) -> None:
        self.table = nnx.Param(scale * jax.random.normal(rngs.params(), (words, width)))
        self.dropout = Dropout(rate, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        tokens = features["tokens"]
        vectors = self.dropout(jnp.take(self.table[...], tokens, axis=0, mode="clip"))
        return jnp.where(real(tokens, features["lengths"])[..., None], vectors, 0)


def real(tokens: jax.Array, lengths: jax.Array) -> jax.Array:
    """bool ``(B, T)``: which places are no padding."""
    return jnp.arange(tokens.shape[1]) < lengths[:, None]


def pooled(x: jax.Array, lengths: jax.Array, pool: Pool) -> jax.Array:
    """Over the real places of ``(B, T, C)``: ``(B, C)``, or ``(B, 2 C)`` of both; zeros of a row without any."""
    here = real(x, lengths)[..., None]
    parts = []
    if "mean" in pool:
        total = jnp.sum(jnp.where(here, x, 0), axis=1)
        parts.append(total / jnp.maximum(lengths, 1)[:, None].astype(x.dtype))
    if "max" in pool:
        greatest = jnp.max(jnp.where(here, x, jnp.finfo(x.dtype).min), axis=1)
        parts.append(jnp.where(lengths[:, None] > 0, greatest, 0))
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=-1)


def check_pool(architecture: object, pool: object) -> None:
    """Refuse an unknown way of pooling."""
    if isinstance(pool, str) and pool not in ("mean", "max", "mean-max"):
        raise ConfigError(f"{type(architecture).__name__}(pool={pool!r}): give 'mean', 'max' or 'mean-max'")
