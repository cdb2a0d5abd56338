"""Deep Q-learning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.engine.objective import Array, Key
from manyfit.environments import Discrete
from manyfit.errors import ConfigError
from manyfit.losses.regression import huber
from manyfit.objectives.learning import begun, final, learned
from manyfit.objectives.module import Functional, Weights
from manyfit.objectives.reinforcement.networks import Perceptron
from manyfit.objectives.reinforcement.off_policy import Learner, OffPolicy
from manyfit.objectives.reinforcement.replay import Drawn
from manyfit.objectives.reinforcement.targets import followed
from manyfit.optim import Adam, Optimizer
from manyfit.space import Numeric

PyTree: TypeAlias = Any


class ActionValues(nnx.Module):
    """What each action is worth, ``(..., actions)``.

    ``dueling``: as the state's value and each action's advantage over their mean (Wang et al. 2016), two
    linear heads on shared layers.
    """

    def __init__(self, spec: DQN, rngs: nnx.Rngs) -> None:
        inputs, actions = spec.environment.features, spec.environment.actions
        assert isinstance(actions, Discrete)
        outputs = actions.count + spec.dueling
        kind = spec.activation
        self.layers = Perceptron(inputs, spec.hidden, outputs, activation=kind, scale=1.0, rngs=rngs)
        self.dueling = spec.dueling

    def __call__(self, observation: Array) -> Array:
        out = self.layers(observation)
        if not self.dueling:
            return out
        value, advantage = out[..., :1], out[..., 1:]
        return value + advantage - jnp.mean(advantage, axis=-1, keepdims=True)


@dataclass(frozen=True)
class DQN(OffPolicy):
    """Deep Q-learning (Mnih et al. 2015), with double estimates (van Hasselt et al. 2016) unless they are unwanted.

    A share of actions is random: from ``epsilon_start`` down to ``epsilon_end`` within the first
    ``exploration`` of the training.
    """

    hidden: tuple[int, ...] = (120, 84)
    activation: str = "relu"
    optimizer: Optimizer = field(default_factory=lambda: Adam(learning_rate=1e-3, clip=10.0))
    tau: Numeric = 1.0
    target_every: int = 100
    double: bool = True
    """Whether the network in training picks the action that the target network then judges."""
    dueling: bool = False
    epsilon_start: Numeric = 1.0
    epsilon_end: Numeric = 0.05
    exploration: Numeric = 0.5
    huber_delta: Numeric = 1.0
    """From where on an error counts linearly."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.environment.actions, Discrete):
            raise ConfigError(
                f"{self.environment.name}: its actions are continuous and DQN picks one of several: take sac, "
                "td3 or ppo"
            )

    def begin(self, key: Key) -> Learner:
        """The network, and its copy to aim at."""
        weights = self.fresh(key)
        return begun(self.optimizer, weights) | {"target": weights.params, "lessons": jnp.int32(0)}

    def act(self, learner: Learner, observation: Array, key: Key, progress: Array) -> Array:
        """The best action, or now and then any."""
        epsilon = self.epsilon(progress)
        deciding, wandering = jax.random.split(key)
        best = jnp.argmax(self._apply(learner["weights"], observation), axis=-1)
        wander = jax.random.uniform(deciding, best.shape) < epsilon
        return jnp.where(wander, self.random_actions(wandering), best)

    def epsilon(self, progress: Array) -> Array:
        """The share of random actions at ``progress``."""
        start: Any = self.epsilon_start
        end: Any = self.epsilon_end
        part: Any = self.exploration
        return start + (end - start) * jnp.clip(progress / jnp.maximum(part, 1e-8), 0.0, 1.0)

    def lesson(
        self, learner: Learner, drawn: Drawn, key: Key, total: Array
    ) -> tuple[Learner, Array, dict[str, Array]]:
        """One step of the optimizer, and the copy follows."""
        del key
        rest = learner["weights"].rest
        judging = self._apply(Weights(learner["target"], rest), drawn.led_to)
        picking = self._apply(learner["weights"], drawn.led_to) if self.double else judging

        def loss(params: PyTree) -> tuple[Array, tuple[PyTree, tuple[Array, dict[str, Array]]]]:
            values = self._apply(Weights(params, rest), drawn.observation)
            mean, error, found = self.loss(values, picking, judging, drawn)
            return mean, (rest, (error, found))

        held = {name: learner[name] for name in ("weights", "optimizer")}
        held, (error, found) = learned(
            self.optimizer, loss, held, {"total_steps": total}, jnp.float32(self.batch)
        )
        lessons = learner["lessons"] + 1
        target = followed(learner["target"], held["weights"].params, lessons, self.target_every, self.tau)
        return held | {"target": target, "lessons": lessons}, error, found

    def loss(
        self, values: Array, picking: Array, judging: Array, drawn: Drawn
    ) -> tuple[Array, Array, dict[str, Array]]:
        """Mean loss, each row's error ``(batch,)``, and what is to be shown.

        ``values`` are those of the actions here, ``picking`` and ``judging`` of those where it led to, all
        ``(batch, actions)``: the first picks an action there, the second says what it is worth.
        """
        action = drawn.action[:, :1].astype(jnp.int32)
        here = jnp.take_along_axis(values, action, axis=1)[:, 0]
        best = jnp.argmax(picking, axis=1)
        there = jnp.take_along_axis(judging, best[:, None], axis=1)[:, 0]
        target = jax.lax.stop_gradient(drawn.reward + drawn.discount * there)
        mean = jnp.mean(drawn.weight * huber(here, target, self.huber_delta))
        error = jax.lax.stop_gradient(here - target)
        found = {"loss": mean, "value": jnp.mean(here), "error": jnp.mean(jnp.abs(error))}
        return mean, error, found

    def kept(self, learner: Learner) -> Weights:
        """The network."""
        return final(self.optimizer, learner)

    def chosen(self, model: PyTree, observations: Array) -> Array:
        """The action of the highest value."""
        seen = self._seen(model.get("observations"), observations)
        return jnp.argmax(self._apply(model["learner"], seen), axis=-1).astype(jnp.int32)

    def values(self, model: PyTree, observations: Array) -> Array:
        """What each action is worth, ``(batch, actions)``."""
        return self._apply(model["learner"], self._seen(model.get("observations"), observations))

    def fresh(self, key: Key) -> Weights:
        """Weights to begin with."""
        return self._functional().init(key)

    def _functional(self) -> Functional:
        return Functional(lambda rngs: ActionValues(self, rngs))

    def _apply(self, weights: Weights, observations: Array) -> Array:
        found: Array = self._functional().apply(weights, observations, train=False)[0]
        return found
