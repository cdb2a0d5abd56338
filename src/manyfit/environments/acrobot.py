"""Two links hanging from a bar, driven at the elbow alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from manyfit.environments.environment import Array, Discrete, Environment, Moved


@dataclass(frozen=True)
class Acrobot(Environment):
    """``Acrobot-v1``: swing the tip above the bar; every step until then costs a point.

    State: the two angles and their velocities; the observation has the angles' cosines and sines in
    their place. The equations are those of Sutton & Barto's book as Gymnasium has them.
    """

    name: ClassVar[str] = "Acrobot-v1"
    horizon: ClassVar[int] = 500
    features: ClassVar[int] = 6

    @property
    def actions(self) -> Discrete:
        """A torque of -1, 0 or 1."""
        return Discrete(3)

    def reset(self, key: Array) -> Array:
        """All four drawn from [-0.1, 0.1]."""
        return jax.random.uniform(key, (4,), minval=-0.1, maxval=0.1)

    def observe(self, state: Array) -> Array:
        """Cosine and sine of both angles, both velocities."""
        a, b = state[0], state[1]
        return jnp.stack([jnp.cos(a), jnp.sin(a), jnp.cos(b), jnp.sin(b), state[2], state[3]])

    def step(self, state: Array, action: Array, key: Array) -> Moved:
        """One step of Runge and Kutta's method over 0.2 s."""
        del key
        torque = action.astype(jnp.float32) - 1.0
        dt = 0.2
        k1 = _slope(state, torque)
        k2 = _slope(state + dt / 2 * k1, torque)
        k3 = _slope(state + dt / 2 * k2, torque)
        k4 = _slope(state + dt * k3, torque)
        after = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        after = jnp.stack(
            [
                _wrapped(after[0]),
                _wrapped(after[1]),
                jnp.clip(after[2], -4 * math.pi, 4 * math.pi),
                jnp.clip(after[3], -9 * math.pi, 9 * math.pi),
            ]
        )
        above = -jnp.cos(after[0]) - jnp.cos(after[1] + after[0]) > 1.0
        return Moved(after, jnp.where(above, 0.0, -1.0), above)


def _slope(state: Array, torque: Array) -> Array:
    """The time derivative of the state; masses, lengths and moments of inertia are 1, centres at 0.5."""
    first, second, spin, turn = state
    g, centre = 9.8, 0.5
    d1 = centre**2 + 1.0 + centre**2 + 2 * centre * jnp.cos(second) + 2.0
    d2 = centre**2 + centre * jnp.cos(second) + 1.0
    phi2 = centre * g * jnp.cos(first + second - math.pi / 2)
    phi1 = (
        -centre * turn**2 * jnp.sin(second)
        - 2 * centre * turn * spin * jnp.sin(second)
        + (centre + 1.0) * g * jnp.cos(first - math.pi / 2)
        + phi2
    )
    elbow = (torque + d2 / d1 * phi1 - centre * spin**2 * jnp.sin(second) - phi2) / (
        centre**2 + 1.0 - d2**2 / d1
    )
    shoulder = -(d2 * elbow + phi1) / d1
    return jnp.stack([spin, turn, shoulder, elbow])


def _wrapped(angle: Array) -> Array:
    """The same angle in [-pi, pi]."""
    turns = jnp.where(angle > math.pi, jnp.ceil((angle - math.pi) / (2 * math.pi)), 0.0)
    turns = jnp.where(angle < -math.pi, -jnp.ceil((-math.pi - angle) / (2 * math.pi)), turns)
    return angle - 2 * math.pi * turns
