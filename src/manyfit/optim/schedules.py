"""Learning-rate schedules: a factor in [0, 1] over the share of training that is done."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp

from manyfit.space import Numeric


class Schedule(Protocol):
    """Maps a step (scalar) and the total number of steps (scalar) to a factor of the learning rate."""

    def __call__(self, step: jax.Array, total_steps: jax.Array) -> jax.Array: ...


@dataclass(frozen=True)
class Constant:
    """The learning rate as it is."""

    def __call__(self, step: jax.Array, total_steps: jax.Array) -> jax.Array:
        """Always 1."""
        del step, total_steps
        return jnp.float32(1.0)


@dataclass(frozen=True)
class Cosine:
    """Linear warm-up, then half a cosine down to ``final`` (Loshchilov & Hutter 2017, without restarts).

    ``warmup`` is the share of all steps that warm up, in [0, 1); ``final`` the factor at the end.
    """

    warmup: Numeric = 0.0
    final: Numeric = 0.0

    def __call__(self, step: jax.Array, total_steps: jax.Array) -> jax.Array:
        """The factor at ``step`` of ``total_steps``."""
        done = (step + 1.0) / jnp.maximum(total_steps, 1.0)
        warmup = jnp.asarray(self.warmup, jnp.float32)
        final = jnp.asarray(self.final, jnp.float32)
        rising = done / jnp.maximum(warmup, 1e-6)
        share = jnp.clip((done - warmup) / jnp.maximum(1.0 - warmup, 1e-6), 0.0, 1.0)
        falling = final + (1.0 - final) * 0.5 * (1.0 + jnp.cos(math.pi * share))
        return jnp.where(done < warmup, rising, falling)
