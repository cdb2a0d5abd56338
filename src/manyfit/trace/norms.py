"""Norms of a network's parameters and of what is shaped like them, layer by layer."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from manyfit.trace.layers import owner


def norm(tree: Any) -> jax.Array:
    """The Euclidean norm of all leaves together, in float32, without overflow or underflow on the way.

    >>> float(norm([jnp.array([3e30]), jnp.array([4e30])]))
    5.000000062271131e+30
    """
    leaves = [leaf.astype(jnp.float32) for leaf in jax.tree.leaves(tree) if leaf.size]
    if not leaves:
        return jnp.float32(0)
    top = functools.reduce(jnp.maximum, [jnp.max(jnp.abs(leaf)) for leaf in leaves])
    unit = jnp.where((top > 0) & jnp.isfinite(top), top, 1.0)
    return unit * jnp.sqrt(sum((jnp.sum((leaf / unit) ** 2) for leaf in leaves), start=jnp.float32(0)))


def by_layer(tree: Any, paths: Sequence[str]) -> dict[str, list[jax.Array]]:
    """The leaves of parameters, or of what is shaped like them, by the layer that owns them."""
    found: dict[str, list[jax.Array]] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        found.setdefault(owner([_key(part) for part in path], paths), []).append(leaf)
    return found


def _key(part: Any) -> Any:
    return getattr(part, "key", getattr(part, "idx", getattr(part, "name", part)))
