"""Spectral normalisation: every kernel over its greatest singular value, so that no layer stretches its input.

Source: Miyato et al. (2018), "Spectral normalization for generative adversarial networks", algorithm 1.
It works on the parameters of any module: kernels are the leaves of two axes and more, seen as matrices whose
columns are the outputs.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.engine.objective import Array, Key, PyTree


def first_vectors(params: PyTree, key: Key) -> tuple[Array, ...]:
    """A random unit vector ``(outputs,)`` for every kernel of ``params``, in the order of its leaves."""
    kernels = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim >= 2]
    drawn = [
        jax.random.normal(jax.random.fold_in(key, i), (leaf.shape[-1],)) for i, leaf in enumerate(kernels)
    ]
    return tuple(v / jnp.linalg.norm(v) for v in drawn)


def iterated(params: PyTree, vectors: tuple[Array, ...], times: int = 1) -> tuple[Array, ...]:
    """The vectors after ``times`` steps of the power iteration; no gradient flows through them."""
    kernels = [_matrix(leaf) for leaf in jax.tree.leaves(params) if leaf.ndim >= 2]
    found = []
    for kernel, vector in zip(kernels, vectors, strict=True):
        for _ in range(times):
            vector = _unit((kernel @ vector) @ kernel)
        found.append(lax.stop_gradient(vector))
    return tuple(found)


def normalised(params: PyTree, vectors: tuple[Array, ...]) -> PyTree:
    """``params`` with every kernel over its greatest singular value as the vectors estimate it.

    The estimate is differentiated, the vectors are not.
    """
    leaves, tree = jax.tree.flatten(params)
    rest = iter(vectors)
    return jax.tree.unflatten(tree, [_over(leaf, next(rest)) if leaf.ndim >= 2 else leaf for leaf in leaves])


def _over(kernel: Array, vector: Array) -> Array:
    matrix = _matrix(kernel)
    left = lax.stop_gradient(_unit(matrix @ vector))
    value: Any = left @ matrix @ vector
    return kernel / jnp.maximum(value, 1e-12)


def _matrix(kernel: Array) -> Array:
    return kernel.reshape(-1, kernel.shape[-1])


def _unit(vector: Array) -> Array:
    return vector / jnp.maximum(jnp.linalg.norm(vector), 1e-12)
