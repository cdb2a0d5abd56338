"""Running means and deviations of what is seen and earned."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

Array: TypeAlias = jax.Array


class Moments(NamedTuple):
    """Count, mean and variance of all that was seen; leaves ``()``, ``(features,)``, ``(features,)``."""

    seen_so_far: Array
    mean: Array
    variance: Array

    @classmethod
    def start(cls, shape: tuple[int, ...]) -> Moments:
        """Before anything was seen: mean 0, variance 1, at next to no weight."""
        return cls(jnp.float32(1e-4), jnp.zeros(shape), jnp.ones(shape))

    def seen(self, values: Array) -> Moments:
        """With ``values`` ``(..., features)`` added, exactly (Chan et al. 1979)."""
        rows = values.reshape(-1, *self.mean.shape)
        count = float(rows.shape[0])
        mean, variance = jnp.mean(rows, axis=0), jnp.var(rows, axis=0)
        total, gap = self.seen_so_far + count, mean - self.mean
        squares = (
            self.variance * self.seen_so_far + variance * count + gap**2 * self.seen_so_far * count / total
        )
        return Moments(total, self.mean + gap * count / total, squares / total)

    def standard(self, values: Array, most: float = 10.0) -> Array:
        """``values`` as standard scores, cut at ``most``."""
        return jnp.clip((values - self.mean) / jnp.sqrt(self.variance + 1e-8), -most, most)


class RewardScale(NamedTuple):
    """The deviation of discounted returns under way, by which rewards are divided."""

    running: Array
    """Discounted sum of rewards of each environment so far, ``(environments,)``."""
    moments: Moments

    @classmethod
    def start(cls, environments: int) -> RewardScale:
        """Before anything was earned."""
        return cls(jnp.zeros(environments), Moments.start(()))

    def seen(self, rewards: Array, done: Array, gamma: Any) -> RewardScale:
        """With ``rewards`` ``(steps, environments)`` added."""

        def one(running: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
            reward, over = step
            now = gamma * running + reward
            return jnp.where(over, 0.0, now), now

        running, every = jax.lax.scan(one, self.running, (rewards, done))
        return RewardScale(running, self.moments.seen(every))

    def scaled(self, rewards: Array) -> Array:
        """Rewards in units of that deviation, cut at 10."""
        return jnp.clip(rewards / jnp.sqrt(self.moments.variance + 1e-8), -10.0, 10.0)
