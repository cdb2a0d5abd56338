"""Twin delayed deep deterministic policy gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from manyfit.engine.objective import Array, Key
from manyfit.objectives.module import Weights
from manyfit.objectives.reinforcement.continuous import Continuous
from manyfit.objectives.reinforcement.networks import Perceptron
from manyfit.objectives.reinforcement.off_policy import Learner
from manyfit.objectives.reinforcement.policies import numbers_in
from manyfit.objectives.reinforcement.replay import Drawn
from manyfit.objectives.reinforcement.targets import followed
from manyfit.space import Numeric

PyTree: TypeAlias = Any


class TangentActor(nnx.Module):
    """One action, inside (-1, 1)."""

    def __init__(self, spec: TD3, rngs: nnx.Rngs) -> None:
        outputs = numbers_in(spec.environment.actions)
        inputs, kind = spec.environment.features, spec.activation
        self.layers = Perceptron(inputs, spec.hidden, outputs, activation=kind, scale=0.01, rngs=rngs)

    def __call__(self, observation: Array) -> Array:
        return jnp.tanh(self.layers(observation))


@dataclass(frozen=True)
class TD3(Continuous):
    """A deterministic actor with twin critics, learned from half as often as they, whose targets are blurred.

    Source: Fujimoto et al. (2018), "Addressing function approximation error in actor-critic methods",
    algorithm 1. Deviations of noise are in half widths of the box.
    """

    noise: Numeric = 0.1
    """Deviation of the noise on actions while learning."""
    target_noise: Numeric = 0.2
    """Deviation of the noise on the actions that targets are made of, cut at ``noise_clip``."""
    noise_clip: Numeric = 0.5
    delay: int = 2
    """Lessons of the critics to one of the actor."""

    algorithm: ClassVar[str] = "TD3"

    def actor(self, rngs: nnx.Rngs) -> nnx.Module:
        """The network that acts."""
        return TangentActor(self, rngs)

    def begin(self, key: Key) -> Learner:
        """Actor and critics, and a copy of each."""
        learner = super().begin(key)
        return learner | {"target_actor": learner["actor"]["weights"].params}

    def act(self, learner: Learner, observation: Array, key: Key, progress: Array) -> Array:
        """The actor's action, with noise on it."""
        del progress
        action = self.acting(learner["actor"]["weights"], observation)
        noise: Any = self.noise
        return jnp.clip(action + noise * jax.random.normal(key, action.shape), -1.0, 1.0)

    def acting(self, weights: Weights, observations: Array) -> Array:
        """The actor's action."""
        found: Array = self._actor().apply(weights, observations, train=False)[0]
        return found

    def lesson(
        self, learner: Learner, drawn: Drawn, key: Key, total: Array
    ) -> tuple[Learner, Array, dict[str, Array]]:
        """A step of the critics; every ``delay``-th time one of the actor too, and the copies follow."""
        held = learner["actor"]["weights"]
        action = self.acting(Weights(learner["target_actor"], held.rest), drawn.led_to)
        action = self.blurred(action, jax.random.normal(key, action.shape))
        copy = Weights(learner["target"], learner["critics"]["weights"].rest)
        values = self.judged(copy, drawn.led_to, action)
        target = drawn.reward + drawn.discount * jnp.min(values, axis=1)
        learner, error, found = self.judge(learner, drawn, target, total)
        lessons = learner["lessons"] + 1

        def of_actor(weights: Weights) -> tuple[Array, None]:
            action = self.acting(weights, drawn.observation)
            first = self.judged(learner["critics"]["weights"], drawn.observation, action)[:, 0]
            return -jnp.mean(first), None

        def with_actor(learner: Learner) -> Learner:
            learner, _ = self.improve(learner, of_actor, total / self.delay)
            every = self.delay * self.target_every
            pairs = (("target", "critics"), ("target_actor", "actor"))
            copies = {
                copy: followed(learner[copy], learner[name]["weights"].params, lessons, every, self.tau)
                for copy, name in pairs
            }
            return {**learner, **copies}

        learner = lax.cond(lessons % self.delay == 0, with_actor, lambda learner: learner, learner)
        return {**learner, "lessons": lessons}, error, found

    def blurred(self, action: Array, noise: Array) -> Array:
        """The action with standard normal ``noise`` on it: what is nearly as good is worth nearly as much."""
        spread: Any = self.target_noise
        most: Any = self.noise_clip
        return jnp.clip(action + jnp.clip(spread * noise, -most, most), -1.0, 1.0)
