"""The networks of agents: perceptrons with orthogonal weights, as is usual in reinforcement learning."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from manyfit.nn.activations import activation as named_activation


class Perceptron(nnx.Module):
    """``(..., inputs)`` to ``(..., outputs)``; ``scale`` is the gain of the last layer's weights at the start."""

    def __init__(
        self,
        inputs: int,
        hidden: tuple[int, ...],
        outputs: int,
        *,
        activation: str,
        scale: float,
        rngs: nnx.Rngs,
    ) -> None:
        widths = (inputs, *hidden)
        gain = orthogonal(math.sqrt(2))
        self.layers = nnx.List(
            [nnx.Linear(a, b, kernel_init=gain, rngs=rngs) for a, b in itertools.pairwise(widths)]
        )
        last = orthogonal(scale)
        self.head = nnx.Linear(widths[-1], outputs, kernel_init=last, rngs=rngs)
        self.activation = named_activation(activation)

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers:
            x = self.activation(layer(x))
        return self.head(x)


def orthogonal(gain: float) -> Callable[..., jax.Array]:
    """Weights whose rows or columns, whichever are fewer, are orthogonal and ``gain`` long.

    The polar factor of a normal matrix, which is as evenly spread as the one that a QR decomposition gives, by
    Newton and Schulz's iteration: matrix products alone. Several devices of one CPU that call LAPACK at
    once, each from the thread that it has, wait for each other for ever.
    """

    def draw(key: jax.Array, shape: tuple[int, int], dtype: Any = jnp.float32, **rest: Any) -> jax.Array:
        del rest
        rows, columns = shape
        x = jax.random.normal(key, (max(shape), min(shape)))
        x = x / jnp.linalg.norm(x)
        x = lax.fori_loop(0, 40, lambda _, y: 1.5 * y - 0.5 * y @ (y.T @ y), x)
        return (gain * (x if rows >= columns else x.T)).astype(dtype)

    return draw
