"""Soft actor-critic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from manyfit.engine.objective import Array, Key
from manyfit.objectives.learning import begun, learned
from manyfit.objectives.module import Weights
from manyfit.objectives.reinforcement.continuous import Continuous
from manyfit.objectives.reinforcement.networks import Perceptron
from manyfit.objectives.reinforcement.off_policy import Learner
from manyfit.objectives.reinforcement.policies import Squashed, numbers_in
from manyfit.objectives.reinforcement.replay import Drawn
from manyfit.objectives.reinforcement.targets import followed
from manyfit.space import Numeric

PyTree: TypeAlias = Any

LOG_STD = (-5.0, 2.0)
"""Between these the logarithm of the deviation is squeezed."""


class SquashedActor(nnx.Module):
    """A distribution over actions inside (-1, 1)."""

    def __init__(self, spec: SAC, rngs: nnx.Rngs) -> None:
        outputs = 2 * numbers_in(spec.environment.actions)
        inputs, kind = spec.environment.features, spec.activation
        self.layers = Perceptron(inputs, spec.hidden, outputs, activation=kind, scale=0.01, rngs=rngs)

    def __call__(self, observation: Array) -> Squashed:
        mean, raw = jnp.split(self.layers(observation), 2, axis=-1)
        low, high = LOG_STD
        return Squashed(mean, low + (high - low) * (jnp.tanh(raw) + 1) / 2)


@dataclass(frozen=True)
class SAC(Continuous):
    """Soft actor-critic: it earns and stays as random as it can afford (Haarnoja et al. 2018).

    How much an action's surprise is worth, the temperature, is learned so that the policy's entropy comes
    to ``entropy_per_action`` nats for each number of an action (``temperature`` is where it begins; with
    ``automatic=False`` it stays there).

    Source: Haarnoja et al. (2018), "Soft actor-critic algorithms and applications", arXiv 1812.05905.
    """

    temperature: Numeric = 1.0
    automatic: bool = True
    entropy_per_action: Numeric = -1.0

    algorithm: ClassVar[str] = "SAC"

    def actor(self, rngs: nnx.Rngs) -> nnx.Module:
        """The network that acts."""
        return SquashedActor(self, rngs)

    def begin(self, key: Key) -> Learner:
        """Actor, critics and the temperature's logarithm."""
        start = jnp.log(jnp.asarray(self.temperature, jnp.float32))
        return super().begin(key) | {"temperature": begun(self.optimizer, Weights({"log": start}, {}))}

    def act(self, learner: Learner, observation: Array, key: Key, progress: Array) -> Array:
        """Drawn from the policy."""
        del progress
        return self.policy(learner["actor"]["weights"], observation).sample_with_log_probability(key)[0]

    def acting(self, weights: Weights, observations: Array) -> Array:
        """The tangent of the mean."""
        return self.policy(weights, observations).mode()

    def policy(self, weights: Weights, observation: Array) -> Squashed:
        """The distribution over actions."""
        found: Squashed = self._actor().apply(weights, observation, train=False)[0]
        return found

    def lesson(
        self, learner: Learner, drawn: Drawn, key: Key, total: Array
    ) -> tuple[Learner, Array, dict[str, Array]]:
        """A step of the critics, one of the actor by the new critics, and one of the temperature."""
        there, here = jax.random.split(key)
        temperature = jnp.exp(learner["temperature"]["weights"].params["log"])
        policy = self.policy(learner["actor"]["weights"], drawn.led_to)
        action, surprise = policy.sample_with_log_probability(there)
        copy = Weights(learner["target"], learner["critics"]["weights"].rest)
        target = self.target(drawn, self.judged(copy, drawn.led_to, action), surprise, temperature)
        learner, error, found = self.judge(learner, drawn, lax.stop_gradient(target), total)
        critics = learner["critics"]["weights"]

        def of_actor(weights: Weights) -> tuple[Array, Array]:
            action, surprise = self.policy(weights, drawn.observation).sample_with_log_probability(here)
            values = self.judged(critics, drawn.observation, action)
            return self.actor_loss(values, surprise, temperature), surprise

        learner, surprise = self.improve(learner, of_actor, total)
        if self.automatic:
            learner = self._temper(learner, surprise, total)
        lessons = learner["lessons"] + 1
        copied = followed(learner["target"], critics.params, lessons, self.target_every, self.tau)
        found |= {"entropy": -jnp.mean(surprise), "temperature": temperature}
        return {**learner, "target": copied, "lessons": lessons}, error, found

    @staticmethod
    def target(drawn: Drawn, values: Array, surprise: Array, temperature: Array) -> Array:
        """What the critics aim at, ``(batch,)``, by ``values`` ``(batch, 2)`` and ``surprise`` of an action there."""
        return drawn.reward + drawn.discount * (jnp.min(values, axis=1) - temperature * surprise)

    @staticmethod
    def actor_loss(values: Array, surprise: Array, temperature: Array) -> Array:
        """The temperature times the log density, less the lesser value."""
        return jnp.mean(temperature * surprise - jnp.min(values, axis=1))

    def temperature_loss(self, log: Array, surprise: Array) -> Array:
        """Falls with the temperature where the policy is more random than asked, and rises where it is less."""
        each: Any = self.entropy_per_action
        wanted = each * numbers_in(self.environment.actions)
        return -log * jnp.mean(lax.stop_gradient(surprise) + wanted)

    def _temper(self, learner: Learner, surprise: Array, total: Array) -> Learner:
        def loss(params: PyTree) -> tuple[Array, tuple[PyTree, None]]:
            return self.temperature_loss(params["log"], surprise), ({}, None)

        held = learner["temperature"]
        changed, _ = learned(self.optimizer, loss, held, {"total_steps": total}, self._rows)
        return {**learner, "temperature": changed}
