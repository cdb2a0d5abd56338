"""Penalties on the discriminator's gradient with respect to its input, which keep the game from running away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from manyfit.engine.objective import Array, Key
from manyfit.optim.numbers import number
from manyfit.space import Numeric

Critic = Callable[[Array], Array]
"""Samples ``(rows, ...)`` -> logits ``(rows,)``, each row by itself."""


class Penalty(Protocol):
    """What is added to the discriminator's loss, row by row."""

    def __call__(self, critic: Critic, real: Array, fake: Array, key: Key) -> Array:
        """``(rows,)`` for real rows and samples ``(rows, ...)``."""
        ...


def squared_gradient(critic: Critic, at: Array) -> Array:
    """``(rows,)``: the squared norm of each row's gradient; no row may look at another one."""
    gradient = jax.grad(lambda x: jnp.sum(critic(x)))(at)
    return jnp.sum(gradient.reshape(gradient.shape[0], -1) ** 2, axis=1)


@dataclass(frozen=True)
class R1:
    """``weight / 2`` times the squared gradient at real rows.

    Source: Mescheder, Geiger & Nowozin (2018), "Which training methods for GANs do actually converge?", equation 9.
    """

    weight: Numeric = 1.0

    def __call__(self, critic: Critic, real: Array, fake: Array, key: Key) -> Array:
        """``(rows,)``."""
        del fake, key
        half: Any = 0.5 * number(self.weight)
        return half * squared_gradient(critic, real)


@dataclass(frozen=True)
class R2:
    """``weight / 2`` times the squared gradient at samples; source as ``R1``, equation 10."""

    weight: Numeric = 1.0

    def __call__(self, critic: Critic, real: Array, fake: Array, key: Key) -> Array:
        """``(rows,)``."""
        del real, key
        half: Any = 0.5 * number(self.weight)
        return half * squared_gradient(critic, fake)


@dataclass(frozen=True)
class GradientPenalty:
    """``weight`` times the squared distance of the gradient's norm from 1, between real rows and samples.

    The point lies at random on the line from a sample to a real row.

    Source: Gulrajani et al. (2017), "Improved training of Wasserstein GANs", equation 3.
    """

    weight: Numeric = 10.0

    def __call__(self, critic: Critic, real: Array, fake: Array, key: Key) -> Array:
        """``(rows,)``."""
        share = jax.random.uniform(key, (real.shape[0],) + (1,) * (real.ndim - 1), real.dtype)
        between = share * real + (1.0 - share) * fake
        # the root of 0 has no slope
        norm = jnp.sqrt(squared_gradient(critic, between) + 1e-12)
        found: Array = number(self.weight) * (norm - 1.0) ** 2
        return found


PENALTIES: dict[str, type] = {"r1": R1, "r2": R2, "gradient_penalty": GradientPenalty}
