"""Means and variances over everything but the channels, block by block.

XLA:CPU (jax 0.10) writes a product that is to be summed to memory and reads it back. In blocks that the
cache holds this costs nothing, and both sums of a pass share one reading: a batch normalisation forward
and backward takes half the time (``benchmarks/normalisation.py``). Blocks also make the variance exact:
each block's is taken about its own mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

_BLOCK_BYTES = 256 * 1024


def moments(x: Array, weight: Array | None = None) -> tuple[Array, Array, Array]:
    """Mean, variance (about it, biased) and total weight of ``(rows, C)``, weighted by ``(rows,)``: ``(C,)`` twice.

    Chan, Golub, LeVeque (1983), "Algorithms for computing the sample variance", equation 2.1: blocks are
    merged by their means, so that no large numbers cancel.
    """
    wide = jnp.promote_types(x.dtype, jnp.float32)
    blocks, base = (
        _blocks(x),
        x[0].astype(wide),
    )  # sums of distances from a row keep the digits of a large mean

    def merge(so_far: tuple[Array, ...], block: Array, share: Array | None) -> tuple[Array, ...]:
        count, mean, squares = so_far
        block = block.astype(wide) - base
        scale = jnp.ones((), wide) if share is None else share.astype(wide)[:, None]
        here = jnp.asarray(block.shape[0], wide) if share is None else jnp.sum(scale)
        its_mean = jnp.sum(block * scale, 0) / _at_least_tiny(here)
        its_squares = jnp.sum((block - its_mean) ** 2 * scale, 0)
        both = count + here
        step = its_mean - mean
        mean = mean + step * (here / _at_least_tiny(both))
        squares = squares + its_squares + step**2 * (count * here / _at_least_tiny(both))
        return both, mean, squares

    zero = jnp.zeros(x.shape[1], wide)
    count, mean, squares = _over_blocks(merge, (jnp.zeros((), wide), zero, zero), blocks, x, weight)
    return base + mean, squares / _at_least_tiny(count), count


def gradient_sums(x: Array, g: Array, mean: Array) -> tuple[Array, Array]:
    """The sums over rows of ``g`` and of ``g (x - mean)``, for ``(rows, C)`` each: ``(C,)`` twice."""

    def add(so_far: tuple[Array, ...], block: Array, slope: Array) -> tuple[Array, ...]:
        slope = slope.astype(mean.dtype)
        centred = block.astype(mean.dtype) - mean
        return so_far[0] + jnp.sum(slope, 0), so_far[1] + jnp.sum(slope * centred, 0)

    zero = jnp.zeros_like(mean)
    plain, along = _over_blocks(add, (zero, zero), _blocks(x), x, g)
    return plain, along


def _over_blocks(
    add: Callable[..., tuple[Array, ...]],
    start: tuple[Array, ...],
    blocks: int,
    *arrays: Array | None,
) -> tuple[Array, ...]:
    if blocks == 1:
        return add(start, *arrays)
    cut = [None if a is None else a.reshape(blocks, -1, *a.shape[1:]) for a in arrays]

    def body(i: Array, so_far: tuple[Array, ...]) -> tuple[Array, ...]:
        return add(
            so_far, *(None if a is None else lax.dynamic_index_in_dim(a, i, keepdims=False) for a in cut)
        )

    return lax.fori_loop(0, blocks, body, start)


def _blocks(x: Array) -> int:
    """Into how many equal blocks the rows are cut: by shape alone, so that a population takes the same."""
    rows = x.shape[0]
    fits = max(1, _BLOCK_BYTES // (4 * x.shape[1]))
    if jax.default_backend() != "cpu" or rows <= 2 * fits:
        return 1
    size = next(size for size in range(fits, 0, -1) if rows % size == 0)
    return rows // size if 4 * size >= fits else 1


def _at_least_tiny(count: Array) -> Array:
    return jnp.maximum(count, math.ulp(0.5))
