"""How far samples are from rows, and which rows they leave out, without features: what games are judged by."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from manyfit.engine.objective import Array


def energy_distance(real: Array, fake: Array, weight: Array) -> Array:
    """``2 E|x - y| - E|x - x'| - E|y - y'|`` without bias, a scalar: 0 in expectation for equal distributions.

    ``real`` ``(rows, ...)`` counts where ``weight`` ``(rows,)`` is above 0, ``fake`` counts whole. NaN with fewer than
    two rows. Source: Székely & Rizzo (2013), "Energy statistics".
    """
    x, y = (a.reshape(a.shape[0], -1) for a in (real, fake))
    there = (weight > 0).astype(x.dtype)
    x = jnp.where(there[:, None] > 0, x, 0.0)
    rows, samples = jnp.sum(there), y.shape[0]
    across = jnp.sum(there[:, None] * _distances(x, y)) / (rows * samples)
    within = jnp.sum(there[:, None] * there * _distances(x, x)) / (rows * (rows - 1))
    among = jnp.sum(_distances(y, y)) / (samples * (samples - 1))
    return 2 * across - within - among


def missed(real: Array, fake: Array, weight: Array, k: int = 16) -> Array:
    """Of each row whether no sample comes as near as its ``k``-th nearest other row: ``(rows,)``, 0 or 1.

    ``real`` ``(rows, features)`` counts where ``weight`` ``(rows,)`` is above 0; with no more than ``k`` such rows
    nothing is missed. As many samples of the same distribution miss a share of about ``2^-k``; a great ``k`` forgives
    modes that are filled thinly and tells those that are left out.
    Source: Naeem et al. (2020), "Reliable fidelity and diversity metrics for generative models": one minus coverage.
    """
    there = weight > 0
    among = jnp.where(there & ~jnp.eye(len(real), dtype=bool), _distances(real, real), jnp.inf)
    reach = -lax.top_k(-among, min(k, len(real)))[0][:, -1]
    return (there & (jnp.min(_distances(real, fake), axis=1) > reach)).astype(real.dtype)


def _distances(a: Array, b: Array) -> Array:
    """``(a rows, b rows)``; exact for few columns, by products for many."""
    if a.shape[1] <= 8:
        squared = jnp.sum((a[:, None] - b) ** 2, axis=-1)
    else:
        squared = jnp.sum(a**2, 1)[:, None] + jnp.sum(b**2, 1) - 2 * (a @ b.T)
        if a is b:
            squared = squared * (1 - jnp.eye(a.shape[0], dtype=a.dtype))
    return jnp.sqrt(jnp.maximum(squared, 0.0))
