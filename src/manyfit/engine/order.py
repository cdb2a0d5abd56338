"""In which order a member sees the rows of its fold: at random, or so that rows of about one length share a batch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.engine.objective import Array, Key

POOL = 8
"""Batches whose rows are sorted by length together: many leave little padding, few leave more to chance."""


def shuffled(key: Key, rows: Array, count: Array, size: int) -> Array:
    """The first ``count`` of ``rows`` ``(padded,)`` at random, ``(batches * size,)``.

    The bits drawn for a row depend on its place in the fold alone, so the
    padding (that is, the other folds) cannot change the order. Past the
    fold's last row the order starts over: those places carry no weight,
    but a layer that looks at the whole batch sees real rows there.
    """
    padded = rows.shape[0]
    if padded == 0:
        return jnp.zeros((0,), jnp.int32)
    bits = jax.random.bits(key, (padded,), jnp.uint32)
    bits = jnp.where(jnp.arange(padded) < count, bits >> 1, jnp.uint32(0xFFFFFFFF))
    _, order = lax.sort((bits, rows), num_keys=1)
    places = jnp.arange(-(-padded // size) * size) % jnp.maximum(count, 1)
    return order[places]


def alike(key: Key, order: Array, lengths: Array, count: Array, size: int) -> Array:
    """``order`` ``(batches * size,)``, shuffled rows, with rows of about one length in each batch of ``size``.

    They are sorted by length within pools of ``POOL`` batches, and the batches shuffled. ``lengths`` is of all rows
    there are; ``count`` says how many of ``order`` are real. The partial batch at the end stays as it was drawn, so
    that nobody is in it more often for its length.
    """
    batches = order.shape[0] // size
    full = count // size
    place = jnp.arange(batches * size)
    grouped = place < full * size
    pool = jnp.where(grouped, place // (POOL * size), batches)
    _, _, order = lax.sort((pool, jnp.where(grouped, lengths[order], 0), order), num_keys=2)
    bits = jax.random.bits(key, (batches,), jnp.uint32) >> 1
    turn = jnp.argsort(jnp.where(jnp.arange(batches) < full, bits, jnp.uint32(0xFFFFFFFF)), stable=True)
    return order.reshape(batches, size)[turn].reshape(-1)
