"""The layers for sequences, as rows of ``layer_rows``."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from rows import Function, Row

from manyfit import nn

SEQUENCE, HEADS = (2, 5, 4), (2, 5, 4, 2)
LENGTHS = np.array([5, 2], np.int32)
WEIGHTS = ("hidden_bias", "hidden_weight", "input_bias", "input_weight")
NORM = ("bias", "scale")
DENSE = ("bias", "kernel")


class Whole(nnx.Module):
    """A recurrent layer's outputs and final state in one array."""

    def __init__(self, layer: nnx.Module) -> None:
        self.layer = layer

    def __call__(self, x: jax.Array, lengths: jax.Array) -> jax.Array:
        outputs, state = self.layer(x, lengths=lengths)
        return jnp.concatenate([part.reshape(2, -1) for part in (outputs, *jax.tree.leaves(state))], axis=1)


class Padded(nnx.Module):
    """A layer that is told how many steps of each row are real."""

    def __init__(self, layer: nnx.Module) -> None:
        self.layer = layer

    def __call__(self, x: jax.Array, lengths: jax.Array) -> jax.Array:
        return self.layer(x, lengths=lengths)


def recurrent(name: str, states: int) -> Row:
    width = 5 * 6 + states * 4 * 3  # outputs of both directions, states of 2 layers and 2 directions
    return Row(
        name,
        lambda rngs, **traced: Whole(
            getattr(nn, name)(4, 3, layers=2, bidirectional=True, rngs=rngs, **traced)
        ),
        (SEQUENCE, LENGTHS),
        (2, width),
        tuple(f"layer/{group}/{place}" for group in WEIGHTS for place in range(4)),
        {"dropout": (0.5, 0.1)},
    )


def below(path: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{path}/{name}" for name in names)


def block(rngs: nnx.Rngs, **traced: Any) -> nnx.Module:
    layer = nn.TransformerBlock(
        4, 2, hidden=3, norm="rms", gated=True, activation="silu", causal=True, kv_heads=1, window=3,
        rotary=True, use_bias=False, rngs=rngs, **traced,
    )  # fmt: skip
    return Padded(layer)


SEQUENCE_ROWS = [
    recurrent("RNN", 1),
    recurrent("ReluRNN", 1),
    recurrent("GRU", 1),
    recurrent("LSTM", 2),
    Row(
        "MinGRU",
        lambda rngs, **traced: Whole(nn.MinGRU(4, 3, layers=2, bidirectional=True, rngs=rngs, **traced)),
        (SEQUENCE, LENGTHS),
        (2, 5 * 6 + 4 * 3),
        tuple(f"layer/{group}/{place}" for group in ("bias", "weight") for place in range(4)),
        {"dropout": (0.5, 0.1)},
    ),
    Row(
        "LRU",
        lambda rngs, **traced: Whole(nn.LRU(4, 3, layers=2, bidirectional=True, rngs=rngs, **traced)),
        (SEQUENCE, LENGTHS),
        (2, 5 * 6 + 4 * 6),
        tuple(
            f"layer/{group}/{place}"
            for group in ("decay", "gain", "input_weight", "output_weight", "phase", "skip")
            for place in range(4)
        ),
        {"dropout": (0.5, 0.1)},
    ),
    Row(
        "linear_scan",
        lambda rngs: Function(lambda a, b: nn.linear_scan(a.swapaxes(0, 1), b.swapaxes(0, 1))),
        (SEQUENCE, SEQUENCE),
        (5, 2, 4),
    ),
    Row(
        "attention",
        lambda rngs: Function(
            lambda q, kv, bias, lengths: nn.attention(
                q, kv, 2 * kv, causal=True, window=3, lengths=lengths, bias=bias, slopes=nn.alibi_slopes(4)
            )
        ),
        (HEADS, (2, 5, 2, 2), (4, 5, 5), LENGTHS),
        HEADS,
    ),
    Row(
        "MultiHeadAttention",
        lambda rngs, **traced: Padded(
            nn.MultiHeadAttention(4, 2, alibi=True, qk_norm=True, rngs=rngs, **traced)
        ),
        (SEQUENCE, LENGTHS),
        SEQUENCE,
        (
            *below("layer/key_norm", "scale"),
            *below("layer/output", *DENSE),
            *below("layer/query_key_value", *DENSE),
            *below("layer/query_norm", "scale"),
        ),
        {"dropout": (0.5, 0.1)},
    ),
    Row(
        "TransformerBlock",
        block,
        (SEQUENCE, LENGTHS),
        SEQUENCE,
        (
            *below("layer/attention/output", "kernel"),
            *below("layer/attention/query_key_value", "kernel"),
            *below("layer/attention_norm", "scale"),
            *below("layer/feed_forward/gate_and_value", "kernel"),
            *below("layer/feed_forward/output", "kernel"),
            *below("layer/feed_forward_norm", "scale"),
        ),
        {"dropout": (0.5, 0.1), "drop_path": (0.5, 0.1)},
    ),
    Row(
        "FeedForward",
        lambda rngs, **traced: nn.FeedForward(4, 3, rngs=rngs, **traced),
        (SEQUENCE,),
        SEQUENCE,
        (*below("narrow", *DENSE), *below("widen", *DENSE)),
        {"dropout": (0.5, 0.1)},
    ),
    Row("SinusoidalPositions", lambda rngs: nn.SinusoidalPositions(), (SEQUENCE,), SEQUENCE),
    Row(
        "LearnedPositions",
        lambda rngs: nn.LearnedPositions(7, 4, rngs=rngs),
        (SEQUENCE,),
        SEQUENCE,
        ("embedding",),
    ),
    Row("rotary", lambda rngs: Function(lambda x: nn.rotary(x, jnp.arange(5))), (HEADS,), HEADS),
]
"""``sinusoidal`` and ``alibi_slopes`` are tables of constants, with tests of their own."""
