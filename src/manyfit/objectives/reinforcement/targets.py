"""Target networks: a slower copy, so that what is aimed at does not run away."""

from __future__ import annotations

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

Array: TypeAlias = jax.Array
PyTree: TypeAlias = Any


def followed(target: PyTree, params: PyTree, lessons: Array, every: int, tau: Any) -> PyTree:
    """The copy, moved by ``tau`` towards ``params`` when ``lessons`` is a multiple of ``every``; 1 copies exactly.

    Source: Mnih et al. (2015) with ``tau`` 1; Lillicrap et al. (2016) with ``every`` 1.
    """
    due = lessons % every == 0
    return jax.tree.map(lambda old, new: jnp.where(due, (1 - tau) * old + tau * new, old), target, params)
