"""Attention as a function, with masks for every purpose; ``multihead`` has the layer.

Heads stand before time while it computes, which makes each product a plain batch
of matrix products, and the gradient is written out: it needs the probabilities
once and takes the softmax's own part from the output (as FlashAttention does).
Long sequences go block by block, so that no more than a block of queries has its
probabilities in memory, and keys that a causal block cannot see are not multiplied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from manyfit.errors import ConfigError
from manyfit.nn.dropout import Dropout

BLOCK = 256
"""Queries taken at once; at most ``BLOCKS`` blocks, larger ones where the sequence is longer."""
BLOCKS = 16
HIDDEN = -1e30
"""The score of a pair that must not meet: its exponential is 0, and no infinity gets into a difference."""


def attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    causal: bool = False,
    window: int | None = None,
    lengths: jax.Array | None = None,
    mask: jax.Array | None = None,
    bias: jax.Array | None = None,
    slopes: jax.Array | None = None,
    start: jax.Array | None = None,
    scale: float | jax.Array | None = None,
    dropout: Dropout | None = None,
) -> jax.Array:
    """Scaled dot-product attention: ``softmax(scale * query key^T + bias) value`` over what may be seen.

    ``query`` ``(B, T, H, D)``, ``key`` and ``value`` ``(B, S, K, D)`` -> ``(B, T, H, D)``. ``K`` divides
    ``H``: each key head serves ``H / K`` query heads (grouped-query attention; multi-query at ``K = 1``).

    ``causal``: no key after the query. ``window``: only keys less than ``window`` steps away (before, and
    unless ``causal`` after). ``lengths`` ``(B,)``: the real keys of each row. ``mask``: true where a pair may
    meet, broadcast to ``(B, H, T, S)``. ``bias``: added to the scores, broadcast likewise, with a gradient.
    ``slopes`` ``(H,)``: ALiBi, ``-slope * distance``. ``start`` ``(B,)``: at which key each row's first query
    stands (0 unless given; a cache needs it). ``scale``: ``1 / sqrt(D)`` unless given. ``dropout`` falls on
    the probabilities. A query that sees nothing gets 0, and passes no gradient.

    Scores and probabilities are computed in float32 at least. On a GPU in 16 bits, cuDNN's fused kernel does
    what it can: causal, window and lengths without the others.

    Raises ``ConfigError`` where heads or features do not fit.

    Source: Vaswani et al. (2017), "Attention is all you need"; Ainslie et al. (2023), "GQA"; Press et al.
    (2022), "Train short, test long" (ALiBi).

    >>> x = jax.random.normal(jax.random.key(0), (2, 5, 4, 8))
    >>> attention(x, x[:, :, :2], x[:, :, :2], causal=True).shape
    (2, 5, 4, 8)
    """
    _check(query, key, value, window)
    (_, time, heads, features), (_, places, key_heads, _) = query.shape, key.shape
    scale = 1 / math.sqrt(features) if scale is None else scale
    drops = dropout is not None and dropout.rate is not None and not dropout.deterministic
    plain = all(x is None for x in (mask, bias, slopes, start)) and not drops
    if plain and _fused(query, causal, window):
        return _cudnn(query, key, value, causal, window, lengths, scale)
    q, k, v = (x.swapaxes(1, 2) for x in (query * jnp.asarray(scale, query.dtype), key, value))
    # (B, K, H / K, T, D): the query heads that share a key head stand together
    q = q.reshape(q.shape[0], key_heads, heads // key_heads, time, features)
    seen = _Seen(causal, window, lengths, mask, bias, slopes, start, heads)
    size = time if time <= BLOCK else max(BLOCK, -(-time // BLOCKS))
    outputs = []
    for first in range(0, time, size):
        rows = slice(first, min(first + size, time))
        low, high = seen.keys(rows, places)
        allowed, added = seen.of(rows, low, high, key_heads)
        kept = None
        if drops and dropout is not None:
            shape = (q.shape[0], key_heads, heads // key_heads, rows.stop - first, high - low)
            kept = dropout(jnp.ones(shape, jnp.float32))
        attend = _attend if size == time else jax.checkpoint(_attend)
        outputs.append(attend(q[:, :, :, rows], k[:, :, low:high], v[:, :, low:high], added, allowed, kept))
    out = outputs[0] if len(outputs) == 1 else jnp.concatenate(outputs, axis=3)
    return out.reshape(out.shape[0], heads, time, features).swapaxes(1, 2)


@dataclass(frozen=True)
class _Seen:
    """Which keys a query may look at, and what is added to their scores."""

    causal: bool
    window: int | None
    lengths: jax.Array | None
    mask: jax.Array | None
    bias: jax.Array | None
    slopes: jax.Array | None
    start: jax.Array | None
    heads: int

    def keys(self, rows: slice, places: int) -> tuple[int, int]:
        """The keys that some query of ``rows`` may look at: none but these are multiplied."""
        if self.start is not None:
            return 0, places
        low = 0 if self.window is None else min(max(0, rows.start - self.window + 1), places - 1)
        high = rows.stop if self.causal else places
        if self.window is not None:
            high = min(high, rows.stop + self.window - 1)
        return low, max(min(high, places), low + 1)

    def of(
        self, rows: slice, low: int, high: int, key_heads: int
    ) -> tuple[jax.Array | None, jax.Array | None]:
        """Whether pairs may meet and what is added, each to broadcast to ``(B, K, H / K, T, S)``."""
        at = jnp.arange(rows.start, rows.stop)[:, None]
        if self.start is not None:
            at = at + self.start[:, None, None]
        distance = at - jnp.arange(low, high)  # (T, S) or (B, T, S), of the query after the key
        seen: list[jax.Array] = []
        if self.causal:
            seen.append(distance >= 0)
        if self.window is not None:
            seen.append(distance < self.window)
            if not self.causal:
                seen.append(distance > -self.window)
        seen = [s if s.ndim == 2 else s[:, None, None] for s in seen]
        if self.lengths is not None:
            seen.append((jnp.arange(low, high) < self.lengths[:, None])[:, None, None, None])
        if self.mask is not None:
            seen.append(self._part(self.mask, rows, low, high, key_heads))
        added = None if self.bias is None else self._part(self.bias, rows, low, high, key_heads)
        if self.slopes is not None:
            far = jnp.abs(distance if distance.ndim == 2 else distance[:, None, None])
            slopes = self.slopes.reshape(key_heads, -1, 1, 1)
            added = -slopes * far if added is None else added - slopes * far
        allowed = None
        for s in seen:
            allowed = s if allowed is None else allowed & s
        return allowed, added

    def _part(self, x: jax.Array, rows: slice, low: int, high: int, key_heads: int) -> jax.Array:
        x = x.reshape((1,) * (4 - x.ndim) + x.shape)
        x = x if x.shape[2] == 1 else x[:, :, rows]
        x = x if x.shape[3] == 1 else x[..., low:high]
        batch, heads, *rest = x.shape
        return x.reshape(batch, *((1, 1) if heads == 1 else (key_heads, heads // key_heads)), *rest)


@jax.custom_vjp
def _attend(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    added: jax.Array | None,
    allowed: jax.Array | None,
    kept: jax.Array | None,
) -> jax.Array:
    """``q`` ``(B, K, G, T, D)`` scaled, ``k`` and ``v`` ``(B, K, S, D)`` -> ``(B, K, G, T, D)``."""
    return _attend_forward(q, k, v, added, allowed, kept)[0]


def _attend_forward(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    added: jax.Array | None,
    allowed: jax.Array | None,
    kept: jax.Array | None,
) -> tuple[jax.Array, Any]:
    wide = jnp.promote_types(q.dtype, jnp.float32)
    scores = _product("bktd,bksd->bkts", _rows(q), k, wide).reshape(*q.shape[:-1], k.shape[-2])
    if added is not None:
        scores = scores + added
    if allowed is not None:
        scores = jnp.where(allowed, scores, HIDDEN)
    p = jnp.exp(scores - jnp.max(scores, axis=-1, keepdims=True))
    p = p / jnp.sum(p, axis=-1, keepdims=True)
    if allowed is not None:
        p = jnp.where(allowed, p, 0)  # of a row that sees nothing all scores are equal
    p = p.astype(q.dtype)
    weights = p if kept is None else p * kept.astype(p.dtype)
    out = _product("bkts,bksd->bktd", _rows(weights), v, q.dtype).reshape(q.shape)
    # of a bias only the shape is needed; as an array it goes through jax.checkpoint
    return out, (q, k, v, p, out, added, kept)


def _attend_backward(residual: Any, g: jax.Array) -> Any:
    q, k, v, p, out, added, kept = residual
    wide = jnp.promote_types(q.dtype, jnp.float32)
    own = jnp.sum(g.astype(wide) * out, axis=-1, keepdims=True)
    weights = p if kept is None else p * kept.astype(p.dtype)
    d_v = _product("bkts,bktd->bksd", _rows(weights), _rows(g), v.dtype)
    d_p = _product("bktd,bksd->bkts", _rows(g), v, wide).reshape(p.shape)
    d_scores = p * ((d_p if kept is None else d_p * kept) - own)
    d_added = None if added is None else _summed_to(d_scores, added)
    d_scores = _rows(d_scores.astype(q.dtype))
    d_q = _product("bkts,bksd->bktd", d_scores, k, q.dtype).reshape(q.shape)
    d_k = _product("bkts,bktd->bksd", d_scores, _rows(q), k.dtype)
    return d_q, d_k, d_v, d_added, None, None


_attend.defvjp(_attend_forward, _attend_backward)


def _rows(x: jax.Array) -> jax.Array:
    """``(B, K, G, T, …)`` -> ``(B, K, G T, …)``: one product for all query heads of a key head."""
    return x.reshape(*x.shape[:2], x.shape[2] * x.shape[3], x.shape[4])


def _product(formula: str, a: jax.Array, b: jax.Array, dtype: Any) -> jax.Array:
    return jnp.einsum(formula, a, b, preferred_element_type=dtype)


def _summed_to(x: jax.Array, like: jax.Array) -> jax.Array:
    """The gradient of broadcasting ``like`` to the shape of ``x``."""
    shape = (1,) * (x.ndim - like.ndim) + like.shape
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and x.shape[i] != 1)
    return jnp.sum(x, axis=axes, keepdims=True).reshape(like.shape).astype(like.dtype)


def _fused(query: jax.Array, causal: bool, window: int | None) -> bool:
    """Whether cuDNN has a kernel for it: 16 bits, heads of up to 128 features in eights, windows only causal."""
    return (
        jax.default_backend() == "gpu"
        and query.dtype in (jnp.bfloat16, jnp.float16)
        and query.shape[-1] % 8 == 0
        and query.shape[-1] <= 128
        and (window is None or causal)
    )


def _cudnn(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    causal: bool,
    window: int | None,
    lengths: jax.Array | None,
    scale: float | jax.Array,
) -> jax.Array:
    if not isinstance(scale, (int, float)):
        query, scale = query * scale.astype(query.dtype), 1.0
    out = jax.nn.dot_product_attention(
        query,
        key,
        value,
        scale=scale,
        is_causal=causal,
        key_value_seq_lengths=None if lengths is None else jnp.maximum(lengths, 1),
        query_seq_lengths=None if lengths is None else jnp.full(len(lengths), query.shape[1], jnp.int32),
        local_window_size=None if window is None else (window - 1, 0),
        implementation="cudnn",
    )
    return out if lengths is None else jnp.where((lengths > 0)[:, None, None, None], out, 0)


def _check(query: jax.Array, key: jax.Array, value: jax.Array, window: int | None) -> None:
    good = query.ndim == key.ndim == 4 and key.shape == value.shape
    if not good or (query.shape[0], query.shape[3]) != (key.shape[0], key.shape[3]):
        raise ConfigError(
            f"attention takes queries (B, T, H, D), keys and values (B, S, K, D); "
            f"got {query.shape}, {key.shape}, {value.shape}"
        )
    if query.shape[2] % key.shape[2]:
        raise ConfigError(
            f"attention: {key.shape[2]} key heads cannot serve {query.shape[2]} query heads evenly"
        )
    if window is not None and window < 1:
        raise ConfigError(f"attention(window={window}): give at least 1, the query's own place")
