"""What an actor's outputs mean: a distribution over actions."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from manyfit.environments import Box, Discrete

Array: TypeAlias = jax.Array


class Categorical(NamedTuple):
    """One of several actions; ``logits`` ``(..., actions)``."""

    logits: Array

    def sample(self, key: Array) -> Array:
        """``(...)`` int32."""
        return jax.random.categorical(key, self.logits).astype(jnp.int32)

    def mode(self) -> Array:
        """The most probable action."""
        return jnp.argmax(self.logits, axis=-1).astype(jnp.int32)

    def log_probability(self, action: Array) -> Array:
        """``(...)``."""
        every = jax.nn.log_softmax(self.logits)
        return jnp.take_along_axis(every, action[..., None], axis=-1)[..., 0]

    def entropy(self) -> Array:
        """``(...)``, in nats."""
        every = jax.nn.log_softmax(self.logits)
        return -jnp.sum(jnp.exp(every) * every, axis=-1)


class Gaussian(NamedTuple):
    """Independent normal actions, in units in which the box is [-1, 1]; beyond it they are cut off when played."""

    mean: Array
    log_std: Array

    def sample(self, key: Array) -> Array:
        """``(..., actions)``."""
        return self.mean + jnp.exp(self.log_std) * jax.random.normal(key, self.mean.shape)

    def mode(self) -> Array:
        """The mean."""
        return self.mean

    def log_probability(self, action: Array) -> Array:
        """``(...)``."""
        z = (action - self.mean) * jnp.exp(-self.log_std)
        each = -0.5 * z**2 - self.log_std - 0.5 * math.log(2 * math.pi)
        return jnp.sum(each, axis=-1)

    def entropy(self) -> Array:
        """``(...)``, in nats."""
        each = jnp.broadcast_to(self.log_std, self.mean.shape) + 0.5 * math.log(2 * math.pi * math.e)
        return jnp.sum(each, axis=-1)


class Squashed(NamedTuple):
    """The hyperbolic tangent of a normal vector: actions inside (-1, 1).

    Source: Haarnoja et al. (2018), "Soft actor-critic", appendix C.
    """

    mean: Array
    log_std: Array

    def mode(self) -> Array:
        """The mean's tangent."""
        return jnp.tanh(self.mean)

    def sample_with_log_probability(self, key: Array) -> tuple[Array, Array]:
        """Actions ``(..., actions)``, differentiable in mean and deviation, and their log density ``(...)``."""
        noise = jax.random.normal(key, self.mean.shape)
        raw = self.mean + jnp.exp(self.log_std) * noise
        each = -0.5 * noise**2 - self.log_std - 0.5 * math.log(2 * math.pi)
        # log(1 - tanh(x)^2), in a form that does not run out of digits
        inside = 2 * (math.log(2.0) - raw - jax.nn.softplus(-2 * raw))
        return jnp.tanh(raw), jnp.sum(each - inside, axis=-1)


def outputs_for(actions: Discrete | Box) -> int:
    """How many numbers an actor gives for a choice."""
    return actions.count if isinstance(actions, Discrete) else len(actions.low)


def numbers_in(actions: Discrete | Box) -> int:
    """How many numbers an action is: an index is one."""
    return 1 if isinstance(actions, Discrete) else len(actions.low)


def played(action: Array, actions: Discrete | Box) -> Any:
    """The action as the environment takes it: an index as it is, units of [-1, 1] stretched over the box."""
    if isinstance(actions, Discrete):
        return action
    low, high = jnp.asarray(actions.low), jnp.asarray(actions.high)
    return low + (jnp.clip(action, -1.0, 1.0) + 1.0) / 2 * (high - low)
