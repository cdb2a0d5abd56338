"""A car in a valley that is too weak for the hill and has to swing up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from manyfit.environments.environment import Array, Box, Discrete, Environment, Moved

LEFT, RIGHT, FASTEST = -1.2, 0.6, 0.07


def _rolled(state: Array, push: Array) -> Array:
    """Position and velocity a step later; the left wall stops the car."""
    velocity = jnp.clip(state[1] + push - 0.0025 * jnp.cos(3 * state[0]), -FASTEST, FASTEST)
    position = jnp.clip(state[0] + velocity, LEFT, RIGHT)
    velocity = jnp.where((position == LEFT) & (velocity < 0), 0.0, velocity)
    return jnp.stack([position, velocity])


class _Car(Environment):
    """A car at the bottom of the valley; what drives it differs."""

    features: ClassVar[int] = 2

    def reset(self, key: Array) -> Array:
        """At rest in [-0.6, -0.4]."""
        return jnp.stack([jax.random.uniform(key, minval=-0.6, maxval=-0.4), jnp.float32(0.0)])

    def observe(self, state: Array) -> Array:
        """Position and velocity."""
        return state


@dataclass(frozen=True)
class MountainCar(_Car):
    """``MountainCar-v0`` (Moore 1990): push left, not at all or right; every step to the top costs a point."""

    name: ClassVar[str] = "MountainCar-v0"
    horizon: ClassVar[int] = 200

    @property
    def actions(self) -> Discrete:
        """Left, nothing, right."""
        return Discrete(3)

    def step(self, state: Array, action: Array, key: Array) -> Moved:
        """The goal is at 0.5."""
        del key
        after = _rolled(state, (action - 1).astype(jnp.float32) * 0.001)
        return Moved(after, jnp.float32(-1.0), (after[0] >= 0.5) & (after[1] >= 0.0))


@dataclass(frozen=True)
class MountainCarContinuous(_Car):
    """``MountainCarContinuous-v0``: a force in [-1, 1]; 100 points at the top, a tenth of the force's square a step."""

    name: ClassVar[str] = "MountainCarContinuous-v0"
    horizon: ClassVar[int] = 999

    @property
    def actions(self) -> Box:
        """A force."""
        return Box((-1.0,), (1.0,))

    def step(self, state: Array, action: Array, key: Array) -> Moved:
        """The goal is at 0.45."""
        del key
        after = _rolled(state, jnp.clip(action[0], -1.0, 1.0) * 0.0015)
        there = (after[0] >= 0.45) & (after[1] >= 0.0)
        return Moved(after, jnp.where(there, 100.0, 0.0) - 0.1 * action[0] ** 2, there)
