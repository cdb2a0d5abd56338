"""The transformer's block, with the options that today's models differ in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.nn.activations import activation as by_name
from manyfit.nn.blocks import GatedFeedForward
from manyfit.nn.dropout import Dropout, HyperParam
from manyfit.nn.fusion import materialised
from manyfit.nn.linear import Linear
from manyfit.nn.multihead import LECUN_NORMAL, KVCache, MultiHeadAttention
from manyfit.nn.noise import StochasticDepth
from manyfit.nn.normalisation import LayerNorm, RMSNorm

Rate = float | jax.Array | HyperParam


class FeedForward(nnx.Module):
    """``W2 activation(W1 x)``: ``(…, features)`` -> the same shape, ``hidden`` four times as wide unless given.

    >>> FeedForward(6, rngs=nnx.Rngs(0))(jax.numpy.ones((2, 3, 6))).shape
    (2, 3, 6)
    """

    def __init__(
        self,
        features: int,
        hidden: int | None = None,
        *,
        activation: str = "gelu",
        dropout: Rate = 0.0,
        use_bias: bool = True,
        kernel_init: Any = LECUN_NORMAL,
        rngs: nnx.Rngs,
    ) -> None:
        width = 4 * features if hidden is None else hidden
        self.widen = Linear(features, width, use_bias=use_bias, kernel_init=kernel_init, rngs=rngs)
        self.narrow = Linear(width, features, use_bias=use_bias, kernel_init=kernel_init, rngs=rngs)
        self.dropout = Dropout(dropout, rngs=rngs)
        self.activation = by_name(activation)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The same shape and dtype."""
        return self.narrow(self.dropout(self.activation(self.widen(x)))).astype(x.dtype)


class TransformerBlock(nnx.Module):
    """Attention, attention to a context if there is one, and a feed-forward layer, each around a shortcut.

    ``norm_first`` normalises before each branch (GPT-2 and all since), otherwise after each sum (the first
    transformer). ``norm`` is ``"layer"`` or ``"rms"``; ``gated`` makes the feed-forward layer a gated one
    (``activation="silu"``: SwiGLU). ``dropout`` falls on probabilities, hidden units and branches,
    ``drop_path`` on whole branches of rows. ``attention`` are further options of ``MultiHeadAttention``:
    ``causal``, ``window``, ``kv_heads``, ``rotary``, ``alibi``, ``qk_norm``. ``context_features`` adds the
    cross-attention of a decoder.

    Source: Vaswani et al. (2017); Xiong et al. (2020), "On layer normalization in the transformer
    architecture".

    >>> block = TransformerBlock(32, 4, causal=True, rotary=True, norm="rms", gated=True, rngs=nnx.Rngs(0))
    >>> block(jax.numpy.ones((2, 5, 32))).shape
    (2, 5, 32)
    """

    def __init__(
        self,
        features: int,
        heads: int,
        *,
        hidden: int | None = None,
        norm: Literal["layer", "rms"] = "layer",
        norm_first: bool = True,
        activation: str = "gelu",
        gated: bool = False,
        dropout: Rate = 0.0,
        drop_path: Rate = 0.0,
        context_features: int | None = None,
        use_bias: bool = True,
        rngs: nnx.Rngs,
        **attention: Any,
    ) -> None:
        if norm not in _NORMS:
            raise ConfigError(f"TransformerBlock(norm={norm!r}): give 'layer' or 'rms'")
        make = _NORMS[norm]
        shared: dict[str, Any] = {"use_bias": use_bias, "rngs": rngs}
        self.norm_first = norm_first
        self.attention = MultiHeadAttention(features, heads, dropout=dropout, **attention, **shared)
        self.attention_norm = make(features, rngs=rngs)
        crosses = context_features is not None
        self.cross = (
            MultiHeadAttention(features, heads, context_features=context_features, dropout=dropout, **shared)
            if crosses
            else None
        )
        self.cross_norm = make(features, rngs=rngs) if crosses else None
        self.feed_forward = (
            GatedFeedForward(features, hidden, activation=activation, **shared)
            if gated
            else FeedForward(features, hidden, activation=activation, dropout=dropout, **shared)
        )
        self.feed_forward_norm = make(features, rngs=rngs)
        self.dropout, self.drop_path = Dropout(dropout, rngs=rngs), StochasticDepth(drop_path, rngs=rngs)

    def __call__(
        self,
        x: jax.Array,
        context: jax.Array | None = None,
        *,
        lengths: jax.Array | None = None,
        context_lengths: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        """``(B, T, features)`` -> the same shape and dtype.

        ``lengths`` and ``context_lengths`` ``(B,)`` count what is real.
        """
        x = self._around(x, self.attention_norm, lambda y: self.attention(y, lengths=lengths, mask=mask))
        return self._rest(x, context, context_lengths)

    def decode(
        self,
        x: jax.Array,
        cache: KVCache,
        context: jax.Array | None = None,
        *,
        lengths: jax.Array | None = None,
        context_lengths: jax.Array | None = None,
    ) -> tuple[jax.Array, KVCache]:
        """The next ``(B, T, features)`` after what is in ``cache``, and the longer cache."""
        longer: list[KVCache] = []

        def attend(y: jax.Array) -> jax.Array:
            out, found = self.attention.decode(y, cache, lengths=lengths)
            longer.append(found)
            return out

        x = self._around(x, self.attention_norm, attend)
        return self._rest(x, context, context_lengths), longer[0]

    def _rest(self, x: jax.Array, context: jax.Array | None, lengths: jax.Array | None) -> jax.Array:
        cross = self.cross
        if (cross is None) != (context is None):
            raise ConfigError(
                "TransformerBlock: give a context if, and only if, it was built with context_features"
            )
        if cross is not None:
            x = self._around(x, self.cross_norm, lambda y: cross(y, context, lengths=lengths))
        return self._around(x, self.feed_forward_norm, self.feed_forward)

    def _around(self, x: jax.Array, norm: Any, branch: Callable[[jax.Array], jax.Array]) -> jax.Array:
        y = self.drop_path(self.dropout(branch(norm(x) if self.norm_first else x)))
        # written out once: XLA would compute the whole stream again in each of its readers
        x = materialised(x + y)
        return x if self.norm_first else norm(x)


_NORMS = {"layer": LayerNorm, "rms": RMSNorm}
