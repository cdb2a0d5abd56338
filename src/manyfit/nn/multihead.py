"""The multi-head attention layer, and the cache that it decodes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn.attention import attention
from manyfit.nn.dropout import Dropout, HyperParam
from manyfit.nn.linear import Linear
from manyfit.nn.normalisation import RMSNorm
from manyfit.nn.positions import alibi_slopes, rotary

LECUN_NORMAL = nnx.initializers.lecun_normal()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class KVCache:
    """Keys and values of what was read so far, for decoding step by step: a pytree to carry through a loop.

    ``keys`` and ``values`` ``(B, size, K, D)``; ``lengths`` int32 ``(B,)``, the places of each row in use.
    """

    keys: jax.Array
    values: jax.Array
    lengths: jax.Array

    def extended(self, keys: jax.Array, values: jax.Array, lengths: jax.Array | None) -> KVCache:
        """With ``(B, T, K, D)`` more, of which ``lengths`` ``(B,)`` are real (all unless given).

        What is written past a row's real ones is overwritten by the next call. Beyond ``size`` the last
        places are overwritten, as nothing inside a compiled program can raise: make it large enough.
        """

        def write(old: jax.Array, new: jax.Array) -> jax.Array:
            put = jax.vmap(lambda row, part, at: lax.dynamic_update_slice_in_dim(row, part, at, axis=0))
            return put(old, new.astype(old.dtype), self.lengths)

        more = keys.shape[1] if lengths is None else lengths
        return KVCache(write(self.keys, keys), write(self.values, values), self.lengths + more)


class MultiHeadAttention(nnx.Module):
    """Self-attention or cross-attention of ``heads`` heads, each ``head_features`` wide.

    ``kv_heads`` fewer key heads than query heads is grouped-query attention. ``rotary`` turns queries and
    keys by their positions (True, or the base; 10,000 as published), ``alibi`` takes distance off the
    scores, ``qk_norm`` normalises queries and keys (RMS, learned scales). ``causal``, ``window`` and
    ``dropout`` (a traced rate, on the probabilities) as in ``attention``. ``context_features``: the width of
    what is looked at, for cross-attention.

    Weights: ``query_key_value`` (one matrix, in this order) or ``query`` and ``key_value``; ``output``.

    Raises ``ConfigError`` for heads that do not divide, or a cross-attention with positions.

    Source: Vaswani et al. (2017); Ainslie et al. (2023); Su et al. (2021), "RoFormer"; Press et al. (2022);
    Dehghani et al. (2023), "Scaling vision transformers to 22 billion parameters" (query and key norms).

    >>> layer = MultiHeadAttention(32, 4, kv_heads=2, causal=True, rotary=True, rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((2, 5, 32)), lengths=jnp.array([5, 3])).shape
    (2, 5, 32)
    """

    def __init__(
        self,
        features: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        head_features: int | None = None,
        context_features: int | None = None,
        causal: bool = False,
        window: int | None = None,
        rotary: bool | float = False,
        alibi: bool = False,
        qk_norm: bool = False,
        use_bias: bool = True,
        dropout: float | jax.Array | HyperParam = 0.0,
        kernel_init: Any = LECUN_NORMAL,
        rngs: nnx.Rngs,
    ) -> None:
        key_heads = heads if kv_heads is None else kv_heads
        name = f"MultiHeadAttention({features}, {heads}"
        if heads < 1 or key_heads < 1 or heads % key_heads:
            raise ConfigError(f"{name}, kv_heads={kv_heads}): heads has to be a multiple of kv_heads")
        if head_features is None and features % heads:
            raise ConfigError(f"{name}): heads has to divide features, or give head_features")
        if context_features is not None and (rotary or alibi or causal or window):
            raise ConfigError(f"{name}, context_features=...): another sequence has no order with this one")
        self.heads, self.key_heads = heads, key_heads
        self.head_features = features // heads if head_features is None else head_features
        if rotary and self.head_features % 2:
            raise ConfigError(f"{name}, rotary={rotary}): pairs of features turn; give heads of even width")
        self.causal, self.window = causal, window
        self.base = 10_000.0 if rotary is True else float(rotary)
        self.alibi = alibi
        inner, key_inner = heads * self.head_features, key_heads * self.head_features

        def linear(into: int, out: int) -> Linear:
            return Linear(into, out, use_bias=use_bias, kernel_init=kernel_init, rngs=rngs)

        self.crosses = context_features is not None
        if context_features is None:
            self.query_key_value = linear(features, inner + 2 * key_inner)
        else:
            self.query = linear(features, inner)
            self.key_value = linear(context_features, 2 * key_inner)
        self.output = linear(inner, features)
        self.query_norm = RMSNorm(self.head_features, rngs=rngs) if qk_norm else None
        self.key_norm = RMSNorm(self.head_features, rngs=rngs) if qk_norm else None
        self.dropout = Dropout(dropout, rngs=rngs)

    def __call__(
        self,
        x: jax.Array,
        context: jax.Array | None = None,
        *,
        lengths: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        """``(B, T, features)`` -> the same shape and dtype.

        ``context`` ``(B, S, context_features)`` for cross-attention; ``lengths`` ``(B,)`` counts what is real
        in what is looked at; ``mask`` broadcasts to ``(B, heads, T, S)``, true where a pair may meet.
        """
        q, k, v = self._parts(x, context)
        q, k = self._placed(q, k, None)
        out = attention(
            q,
            k,
            v,
            causal=self.causal,
            window=self.window,
            lengths=lengths,
            mask=mask,
            slopes=alibi_slopes(self.heads) if self.alibi else None,
            dropout=self.dropout,
        )
        return self._joined(out, x)

    def empty_cache(self, batch: int, size: int, dtype: Any = jnp.float32) -> KVCache:
        """A cache with room for ``size`` places a row."""
        shape = (batch, size, self.key_heads, self.head_features)
        return KVCache(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype), jnp.zeros(batch, jnp.int32))

    def decode(
        self, x: jax.Array, cache: KVCache, *, lengths: jax.Array | None = None
    ) -> tuple[jax.Array, KVCache]:
        """The next ``(B, T, features)`` of sequences whose beginnings are in ``cache``, and the longer cache.

        Causal whatever the layer was built as, otherwise what ``__call__`` gives for the whole sequence.
        ``lengths`` ``(B,)``: how many of the ``T`` are real (prompts of several lengths, padded at the end).
        """
        if self.crosses:
            raise ConfigError("MultiHeadAttention.decode is for self-attention")
        q, k, v = self._parts(x, None)
        q, k = self._placed(q, k, cache.lengths)
        longer = cache.extended(k, v, lengths)
        out = attention(
            q,
            longer.keys.astype(q.dtype),
            longer.values.astype(q.dtype),
            causal=True,
            window=self.window,
            slopes=alibi_slopes(self.heads) if self.alibi else None,
            start=cache.lengths,
        )
        return self._joined(out, x), longer

    def _parts(self, x: jax.Array, context: jax.Array | None) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Queries ``(B, T, H, D)``, keys and values ``(B, S, K, D)``."""
        if self.crosses != (context is not None):
            raise ConfigError(
                "MultiHeadAttention: give the context of a cross-attention, and none to a self-attention"
            )
        inner, key_inner = self.heads * self.head_features, self.key_heads * self.head_features
        if context is None:
            parts = jnp.split(self.query_key_value(x), (inner, inner + key_inner), axis=-1)
        else:
            parts = [self.query(x), *jnp.split(self.key_value(context), 2, axis=-1)]
        q, k, v = (part.reshape(*part.shape[:-1], -1, self.head_features).astype(x.dtype) for part in parts)
        if self.query_norm is not None and self.key_norm is not None:
            q, k = self.query_norm(q), self.key_norm(k)
        return q, k, v

    def _placed(self, q: jax.Array, k: jax.Array, start: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        if not self.base:
            return q, k
        at = jnp.arange(q.shape[1])
        at = at if start is None else at + start[:, None]
        return rotary(q, at, base=self.base), rotary(k, at, base=self.base)

    def _joined(self, out: jax.Array, x: jax.Array) -> jax.Array:
        return self.output(out.reshape(*out.shape[:2], -1)).astype(x.dtype)
