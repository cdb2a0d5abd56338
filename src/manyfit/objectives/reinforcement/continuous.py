"""What agents with continuous actions and a replay buffer share: an actor and two critics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.engine.objective import Array, Key
from manyfit.environments import Box
from manyfit.errors import ConfigError
from manyfit.objectives.learning import begun, final, learned
from manyfit.objectives.module import Functional, Weights
from manyfit.objectives.reinforcement.networks import Perceptron
from manyfit.objectives.reinforcement.off_policy import Learner, OffPolicy
from manyfit.objectives.reinforcement.policies import numbers_in
from manyfit.objectives.reinforcement.replay import Drawn
from manyfit.optim import Adam, Optimizer

PyTree: TypeAlias = Any


class TwinCritics(nnx.Module):
    """Two judges of an action in a state, ``(..., 2)``: the lesser one is believed (Fujimoto et al. 2018)."""

    def __init__(self, spec: Continuous, rngs: nnx.Rngs) -> None:
        inputs = spec.environment.features + numbers_in(spec.environment.actions)
        kind = spec.activation
        self.critics = nnx.List(
            [Perceptron(inputs, spec.hidden, 1, activation=kind, scale=1.0, rngs=rngs) for _ in range(2)]
        )

    def __call__(self, observation: Array, action: Array) -> Array:
        both = jnp.concatenate([observation, action], axis=-1)
        return jnp.concatenate([critic(both) for critic in self.critics], axis=-1)


@dataclass(frozen=True)
class Continuous(OffPolicy):
    """The base of SAC and TD3. Actions are in units in which the box is [-1, 1]."""

    hidden: tuple[int, ...] = (256, 256)
    activation: str = "relu"
    optimizer: Optimizer = field(default_factory=lambda: Adam(learning_rate=3e-4))
    """That of the actor, of the critics, and of whatever else is learned."""
    batch: int = 256
    capacity: int = 1_000_000

    algorithm: ClassVar[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.environment.actions, Box):
            raise ConfigError(
                f"{self.environment.name}: its actions are one of several and {self.algorithm} is for continuous "
                "ones: take dqn or ppo"
            )

    @abstractmethod
    def actor(self, rngs: nnx.Rngs) -> nnx.Module:
        """The network that acts."""

    @abstractmethod
    def acting(self, weights: Weights, observations: Array) -> Array:
        """The best action that the actor knows, in units of [-1, 1]."""

    def begin(self, key: Key) -> Learner:
        """Actor, critics, and a copy of the critics to aim at."""
        weights = self.fresh(key)
        actor, critics = (Weights(weights.params[name], weights.rest[name]) for name in ("actor", "critics"))
        return {
            "actor": begun(self.optimizer, actor),
            "critics": begun(self.optimizer, critics),
            "target": critics.params,
            "lessons": jnp.int32(0),
        }

    def judged(self, critics: Weights, observation: Array, action: Array) -> Array:
        """Both values, ``(batch, 2)``."""
        found: Array = self._critics().apply(critics, observation, action, train=False)[0]
        return found

    def judge(
        self, learner: Learner, drawn: Drawn, target: Array, total: Array
    ) -> tuple[Learner, Array, dict[str, Array]]:
        """A step of the critics towards ``target`` ``(batch,)``: the learner, errors, and what was measured."""
        rest = learner["critics"]["weights"].rest

        def loss(params: PyTree) -> tuple[Array, tuple[PyTree, Array]]:
            values = self.judged(Weights(params, rest), drawn.observation, drawn.action)
            return self.critic_loss(values, target, drawn.weight), (rest, values)

        critics, values = learned(
            self.optimizer, loss, learner["critics"], {"total_steps": total}, self._rows
        )
        error = values - target[:, None]
        found = {
            "loss": self.critic_loss(values, target, drawn.weight),
            "value": jnp.mean(values),
            "error": jnp.mean(jnp.abs(error)),
        }
        return {**learner, "critics": critics}, jnp.mean(jnp.abs(error), axis=1), found

    def improve(
        self, learner: Learner, loss: Callable[[Weights], tuple[Array, Any]], total: Array
    ) -> tuple[Learner, Any]:
        """A step of the actor down ``loss``, which gives with it what is to be known."""
        rest = learner["actor"]["weights"].rest

        def of_params(params: PyTree) -> tuple[Array, tuple[PyTree, Any]]:
            value, found = loss(Weights(params, rest))
            return value, (rest, found)

        actor, found = learned(
            self.optimizer, of_params, learner["actor"], {"total_steps": total}, self._rows
        )
        return {**learner, "actor": actor}, found

    @staticmethod
    def critic_loss(values: Array, target: Array, weight: Array) -> Array:
        """Half the squared error of both critics, added, and their mean over rows by ``weight``."""
        return 0.5 * jnp.mean(weight * jnp.sum((values - target[:, None]) ** 2, axis=1))

    def kept(self, learner: Learner) -> Weights:
        """The actor."""
        return final(self.optimizer, learner["actor"])

    def chosen(self, model: PyTree, observations: Array) -> Array:
        """The actor's best action, as the environment takes it."""
        seen = self._seen(model.get("observations"), observations)
        played: Array = self._played(self.acting(model["learner"], seen))
        return played

    def fresh(self, key: Key) -> Weights:
        """Actor and critics to begin with."""
        of_actor, of_critics = jax.random.split(key)
        both = {"actor": self._actor().init(of_actor), "critics": self._critics().init(of_critics)}
        return Weights(
            {name: one.params for name, one in both.items()}, {name: one.rest for name, one in both.items()}
        )

    @property
    def _rows(self) -> Array:
        return jnp.float32(self.batch)

    def _actor(self) -> Functional:
        return Functional(self.actor)

    def _critics(self) -> Functional:
        return Functional(lambda rngs: TwinCritics(self, rngs))
