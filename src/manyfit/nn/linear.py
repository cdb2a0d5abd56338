"""The dense layer."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx
from jax import lax


class Linear(nnx.Linear):
    """``x @ kernel + bias``: ``(…, in_features)`` -> ``(…, out_features)``.

    Flax's ``nnx.Linear`` and its options, but one product over all rows whatever the axes before the last:
    the kernel's gradient of inputs of three axes and more falls to a slow routine of XLA:CPU otherwise.

    >>> Linear(3, 5, rngs=nnx.Rngs(0))(jax.numpy.ones((2, 7, 3))).shape
    (2, 7, 5)
    """

    def __init__(self, in_features: int, out_features: int, *, rngs: nnx.Rngs, **options: Any) -> None:
        super().__init__(in_features, out_features, rngs=rngs, **{"dot_general": _dot_general} | options)


def _dot_general(
    x: jax.Array, kernel: jax.Array, dimension_numbers: Any, precision: Any = None, **options: Any
) -> jax.Array:
    """``lax.dot_general`` of rows and a matrix, which is all that a ``Linear`` asks for."""
    if x.ndim < 3 or options.get("out_sharding") is not None or options.get("preferred_element_type"):
        return lax.dot_general(x, kernel, dimension_numbers, precision=precision, **options)
    rows = x.reshape(-1, x.shape[-1])
    return lax.dot(rows, kernel, precision=precision).reshape(*x.shape[:-1], kernel.shape[-1])
