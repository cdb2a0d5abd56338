"""A pole on a cart that is to be kept upright."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from manyfit.environments.environment import Array, Discrete, Environment, Moved


@dataclass(frozen=True)
class CartPole(Environment):
    """``CartPole-v1``: push left or right; a point for every step until the pole falls or the cart leaves.

    State and observation: position, velocity, angle, angular velocity. The dynamics are those of
    Gymnasium's (Barto, Sutton & Anderson 1983), in float32.
    """

    name: ClassVar[str] = "CartPole-v1"
    horizon: ClassVar[int] = 500
    features: ClassVar[int] = 4

    @property
    def actions(self) -> Discrete:
        """Left and right."""
        return Discrete(2)

    def reset(self, key: Array) -> Array:
        """All four drawn from [-0.05, 0.05]."""
        return jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05)

    def observe(self, state: Array) -> Array:
        """The state."""
        return state

    def step(self, state: Array, action: Array, key: Array) -> Moved:
        """Euler's method over 0.02 s."""
        del key
        position, velocity, angle, spin = state
        cart, pole, half, pull = 1.0, 0.1, 0.5, 9.8
        force = jnp.where(action == 1, 10.0, -10.0)
        sine, cosine = jnp.sin(angle), jnp.cos(angle)
        push = (force + pole * half * spin**2 * sine) / (cart + pole)
        turn = (pull * sine - cosine * push) / (half * (4.0 / 3.0 - pole * cosine**2 / (cart + pole)))
        speed_up = push - pole * half * turn * cosine / (cart + pole)
        after = jnp.stack(
            [
                position + 0.02 * velocity,
                velocity + 0.02 * speed_up,
                angle + 0.02 * spin,
                spin + 0.02 * turn,
            ]
        )
        fallen = (jnp.abs(after[0]) > 2.4) | (jnp.abs(after[2]) > 12 * 2 * math.pi / 360)
        return Moved(after, jnp.float32(1.0), fallen)
