"""Where XLA:CPU has to stop fusing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax


@jax.custom_vjp
def materialised(x: jax.Array) -> jax.Array:
    """``x``, written to memory once, and so its gradient.

    A residual stream is a long chain of sums. XLA:CPU computes what is cheap again in each of its readers, the
    whole chain back to the first layer, at a cost that grows with the square of the depth; it drops
    ``optimization_barrier`` before it fuses. A branch that only the running program can choose stops it
    (an infinite value, lost anyhow, is halved).
    """
    return _written(x)


def _written(x: jax.Array) -> jax.Array:
    if jax.default_backend() != "cpu":
        return x
    return lax.cond(jnp.isinf(x[(0,) * x.ndim]), lambda x: x / 2, lambda x: x, x)


materialised.defvjp(lambda x: (_written(x), None), lambda _, g: (_written(g),))
