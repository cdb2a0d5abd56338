"""Drawing rows by priority.

Source: Schaul et al. (2016), "Prioritized experience replay", proportional variant.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

Array: TypeAlias = jax.Array

_SURELY_BELOW = 1 - 1e-6
"""Keeps what is drawn below the sum of all, whatever the rounding: a row of priority 0 is never drawn."""


class Priorities(NamedTuple):
    """A priority of each row, in blocks with their sums.

    As many blocks as rows in a block: drawing looks at one row of sums and one block, which is less to do
    on arrays than descending a tree, level after level.
    """

    values: Array
    """``(blocks, size)``; 0 is never drawn."""
    sums: Array
    """``(blocks,)``."""
    most: Array
    """The largest so far: what a new row begins with, so that it is learned from soon."""

    @classmethod
    def start(cls, rows: int) -> Priorities:
        """All 0."""
        size = math.isqrt(max(rows - 1, 0)) + 1
        blocks = -(-rows // size)
        return cls(jnp.zeros((blocks, size)), jnp.zeros(blocks), jnp.float32(1.0))

    def set(self, place: Array, values: Array) -> Priorities:
        """With ``values`` ``(n,)`` at rows ``place`` ``(n,)``."""
        block, inside = place // self.values.shape[1], place % self.values.shape[1]
        changed = self.values.at[block, inside].set(values)
        return self._replace(values=changed, sums=self.sums.at[block].set(jnp.sum(changed[block], axis=1)))

    def seen(self, place: Array, errors: Array, exponent: Any) -> Priorities:
        """With the priorities of rows whose errors were found to be ``errors``."""
        values = (jnp.abs(errors) + 1e-6) ** exponent
        return self.set(place, values)._replace(most=jnp.maximum(self.most, jnp.max(values)))

    def draw(self, key: Array, count: int, importance: Any) -> tuple[Array, Array]:
        """Rows ``(count,)`` in proportion to their priority, one from each of ``count`` equal shares of the sum.

        And the weights that make up for it, to the power of ``importance``, the largest 1.
        """
        every = jnp.cumsum(self.sums)
        at = (jnp.arange(count) + jax.random.uniform(key, (count,))) / count * every[-1]
        at = jnp.minimum(at, every[-1] * _SURELY_BELOW)
        block = jnp.argmax(every[None] > at[:, None], axis=1)
        inner = jnp.cumsum(self.values[block], axis=1)
        rest = at - jnp.where(block > 0, every[block - 1], 0.0)
        rest = jnp.clip(rest, 0.0, inner[:, -1] * _SURELY_BELOW)
        inside = jnp.argmax(inner > rest[:, None], axis=1)
        chance = jnp.maximum(self.values[block, inside], 1e-30) / jnp.maximum(every[-1], 1e-30)
        # the number of rows, which the source has here too, is taken out again by the largest weight
        weight = (jnp.min(chance) / chance) ** importance
        return block * self.values.shape[1] + inside, weight
