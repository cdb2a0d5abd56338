"""Losses that shape a space: alike close together, different far apart."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from manyfit.losses._arrays import Array, wide
from manyfit.losses.classification import cross_entropy


def triplet(anchor: Array, positive: Array, negative: Array, margin: Any = 1.0) -> Array:
    """``max(0, |a - p| - |a - n| + margin)`` with Euclidean distances: ``(B, D)`` three times -> ``(B,)``.

    Source: Schroff et al. (2015), "FaceNet"; the distances are not squared, as in PyTorch.
    """
    near, far = _distance(anchor, positive), _distance(anchor, negative)
    return jnp.maximum(near - far + margin, 0.0)


def contrastive(first: Array, second: Array, same: Array, margin: Any = 1.0) -> Array:
    """``d^2 / 2`` for pairs that are the ``same`` (1), ``max(0, margin - d)^2 / 2`` for others (0): ``(B,)``.

    Source: Hadsell et al. (2006), "Dimensionality reduction by learning an invariant mapping".
    """
    distance = _distance(first, second)
    apart = jnp.maximum(margin - distance, 0.0)
    same = same.astype(distance.dtype)
    return 0.5 * (same * jnp.square(distance) + (1.0 - same) * jnp.square(apart))


def info_nce(queries: Array, keys: Array, temperature: Any = 0.1) -> Array:
    """Cross-entropy of finding each query's own key among all keys of the batch: ``(B, D)`` twice -> ``(B,)``.

    Similarity is the cosine over ``temperature``. Source: van den Oord et al. (2018), "Representation
    learning with contrastive predictive coding".
    """
    similarity = _unit(queries) @ _unit(keys).T / temperature
    return cross_entropy(similarity, jnp.arange(queries.shape[0]))


def nt_xent(first: Array, second: Array, temperature: Any = 0.5) -> Array:
    """Of two views of each example, finding one by the other among all 2 B - 1 others, averaged both ways: ``(B,)``.

    Source: Chen et al. (2020), "A simple framework for contrastive learning" (SimCLR), equation 1.
    """
    count = first.shape[0]
    both = jnp.concatenate([_unit(first), _unit(second)])
    similarity = jnp.where(jnp.eye(2 * count, dtype=bool), -jnp.inf, both @ both.T / temperature)
    each = cross_entropy(similarity, jnp.roll(jnp.arange(2 * count), count))
    return 0.5 * (each[:count] + each[count:])


def _unit(x: Array) -> Array:
    x = wide(x)
    square = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
    return x / jnp.sqrt(jnp.maximum(square, jnp.finfo(x.dtype).tiny))


def _distance(a: Array, b: Array) -> Array:
    """Euclidean, with a slope of 0 where the points meet."""
    square = jnp.sum(jnp.square(wide(a) - wide(b)), axis=-1)
    apart = square > 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1.0)), 0.0)
