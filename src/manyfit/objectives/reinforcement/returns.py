"""From rewards to what is to be learned: advantages and returns."""

from __future__ import annotations

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

Array: TypeAlias = jax.Array


def generalized_advantages(
    rewards: Array, values: Array, next_values: Array, terminated: Array, done: Array, gamma: Any, lam: Any
) -> Array:
    """Generalized advantage estimates, all ``(steps, environments)``.

    ``next_values`` are those of what each step led to, before an ended episode began anew: an episode that
    the time limit cut (``done`` and not ``terminated``) is bootstrapped from there, and a terminal state is not.

    Source: Schulman et al. (2016), "High-dimensional continuous control using generalized advantage
    estimation", equation 16; time limits as in Pardo et al. (2018), "Time limits in reinforcement learning".
    """
    delta = rewards + gamma * next_values * (1.0 - terminated) - values

    def back(ahead: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
        here, over = step
        advantage = here + gamma * lam * (1.0 - over) * ahead
        return advantage, advantage

    return lax.scan(back, jnp.zeros_like(delta[0]), (delta, done.astype(delta.dtype)), reverse=True)[1]
