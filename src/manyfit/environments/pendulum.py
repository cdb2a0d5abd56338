"""A pendulum that is too heavy to be lifted at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from manyfit.environments.environment import Array, Box, Environment, Moved


@dataclass(frozen=True)
class Pendulum(Environment):
    """``Pendulum-v1``: a torque in [-2, 2]; angle, speed and torque cost, and there is no end but the time limit."""

    name: ClassVar[str] = "Pendulum-v1"
    horizon: ClassVar[int] = 200
    features: ClassVar[int] = 3

    @property
    def actions(self) -> Box:
        """A torque."""
        return Box((-2.0,), (2.0,))

    def reset(self, key: Array) -> Array:
        """Any angle, a speed in [-1, 1]."""
        return jax.random.uniform(key, (2,), minval=-1.0, maxval=1.0) * jnp.array([math.pi, 1.0])

    def observe(self, state: Array) -> Array:
        """Cosine and sine of the angle (0 is upright), and the speed."""
        return jnp.stack([jnp.cos(state[0]), jnp.sin(state[0]), state[1]])

    def step(self, state: Array, action: Array, key: Array) -> Moved:
        """Euler's method over 0.05 s."""
        del key
        angle, speed = state
        torque = jnp.clip(action[0], -2.0, 2.0)
        off = jnp.mod(angle + math.pi, 2 * math.pi) - math.pi
        cost = off**2 + 0.1 * speed**2 + 0.001 * torque**2
        speed = jnp.clip(speed + (15.0 * jnp.sin(angle) + 3.0 * torque) * 0.05, -8.0, 8.0)
        return Moved(jnp.stack([angle + speed * 0.05, speed]), -cost, jnp.bool_(False))
