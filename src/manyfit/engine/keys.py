"""JAX's own random numbers, in a form that a CPU compiles and computes faster.

JAX writes Threefry's twenty rounds as a loop where it compiles for a CPU. A loop cannot be fused: every
draw becomes dozens of small kernels, each to be compiled and each to be started in every step. Keys of the
implementation here give **the same bits**, with the rounds written out, which XLA turns into one kernel.
What a key is made of does not change, so keys of both kinds have the same data.

Not from JAX 0.11 on: the LLVM of JAX 0.12 asks of a value that does not change within a loop whether each of its
operands changes, over and over, and twenty rounds of two operands take it for ever (``VPlan``'s
``isSingleScalar``; a mask of patches did). There keys are JAX's own.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.random import define_prng_impl

Array = jax.Array

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_UNSIGNED: dict[int, Any] = {8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32, 64: jnp.uint64}


def key_of(seed: int) -> Array:
    """The typed key of a seed: that of ``jax.random.key``, drawn from faster on a CPU.

    >>> bool(jax.random.bits(key_of(3)) == jax.random.bits(jax.random.key(3)))
    True
    """
    return jax.random.key(seed, impl=_IMPLEMENTATION)


def wrap(data: Array) -> Array:
    """Typed keys of their words: ``(..., 2)`` uint32 -> ``(...)``."""
    return jax.random.wrap_key_data(data, impl=_IMPLEMENTATION)


def threefry(key: tuple[Array, Array], count: tuple[Array, Array]) -> tuple[Array, Array]:
    """Threefry-2x32 with 20 rounds, of uint32 words that broadcast.

    Source: Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3".
    """
    first, second = key
    schedule = (first, second, first ^ second ^ jnp.uint32(_PARITY))
    x, y = count[0] + first, count[1] + second
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = x ^ ((y << jnp.uint32(rotation)) | (y >> jnp.uint32(32 - rotation)))
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + jnp.uint32(group + 1)
    return x, y


def _seed(seed: Array) -> Array:
    low = seed.astype(jnp.uint32)
    high = jnp.zeros_like(low) if seed.dtype.itemsize < 8 else (seed >> 32).astype(jnp.uint32)
    return jnp.stack([high, low])


def _counted(words: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """The two words that Threefry makes of each place of ``shape``."""
    size = math.prod(shape)
    if size >= 2**32:
        raise ValueError(f"{size:,} draws from one key: split it, a key has 2**32 places here")
    low = lax.iota(jnp.uint32, size).reshape(shape)
    return threefry((words[0], words[1]), (jnp.zeros_like(low), low))


def _split(words: Array, shape: tuple[int, ...]) -> Array:
    return jnp.stack(_counted(words, shape), axis=-1)


def _fold_in(words: Array, data: Array | int) -> Array:
    low = jnp.asarray(data).astype(jnp.uint32)
    return jnp.stack(threefry((words[0], words[1]), (jnp.zeros_like(low), low)))


def _random_bits(words: Array, width: int, shape: tuple[int, ...]) -> Array:
    first, second = _counted(words, shape)
    if width == 64:
        return (first.astype(jnp.uint64) << jnp.uint64(32)) | second.astype(jnp.uint64)
    return (first ^ second).astype(_UNSIGNED[width])


WRITTEN_OUT = jax.__version_info__ < (0, 11)
"""Whether keys are of the implementation here."""

_IMPLEMENTATION: Any = (
    define_prng_impl(
        key_shape=(2,),
        seed=_seed,
        split=_split,
        random_bits=_random_bits,
        fold_in=_fold_in,
        name="manyfit_threefry2x32",
        tag="mft",
    )
    if WRITTEN_OUT
    else None
)
