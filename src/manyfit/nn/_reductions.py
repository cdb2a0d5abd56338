"""Sums over everything but the channels, which XLA:CPU computes well in some forms only."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def channel_sum(x: jax.Array) -> jax.Array:
    """``(..., C)`` -> ``(C,)``, of the input's dtype.

    On CPU as a product with ones: what is summed is then computed in a pass of its own, where XLA
    (jax 0.10) would fuse it into the reduction, column by column, five times slower.
    """
    if jax.default_backend() != "cpu" or x.dtype != jnp.float32:
        return jnp.sum(x, axis=tuple(range(x.ndim - 1)))
    return _by_ones(x.reshape(-1, x.shape[-1]))


@jax.custom_vjp
def _by_ones(x: jax.Array) -> jax.Array:
    return _ones_product(x)


@jax.custom_batching.sequential_vmap
def _ones_product(x: jax.Array) -> jax.Array:
    # one member after the other: vmap would move the members' axis beside the channels, a copy of everything
    return (jnp.ones((1, x.shape[0]), x.dtype) @ x)[0]


def _forward(x: jax.Array) -> tuple[jax.Array, int]:
    return _by_ones(x), x.shape[0]


def _backward(rows: int, g: jax.Array) -> tuple[jax.Array]:
    return (jnp.broadcast_to(g, (rows, *g.shape)),)


_by_ones.defvjp(_forward, _backward)


@jax.custom_vjp
def add_bias(x: jax.Array, bias: jax.Array) -> jax.Array:
    """``x + bias`` for ``(..., C)`` and ``(C,)`` of one dtype; the bias' gradient is a ``channel_sum``."""
    return x + bias


add_bias.defvjp(lambda x, bias: (x + bias, None), lambda _, g: (g, channel_sum(g)))
