"""What all agents share: how they are judged, and what of them is a model.

The rows of such an objective are *episodes*: numbers from which the starts of evaluation episodes are
drawn (``data={"episode": (rows,)}``). No row is trained on; the experience is made inside the state. So
that the best look is chosen by other episodes than those that score it, as everywhere else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.engine.keys import key_of
from manyfit.engine.objective import BaseObjective, Batch, Metric
from manyfit.environments import Environment
from manyfit.errors import ConfigError
from manyfit.models.images import check_whole
from manyfit.nn.activations import activation
from manyfit.objectives.reinforcement.normalisation import Moments
from manyfit.objectives.reinforcement.policies import played
from manyfit.space import Distribution

Array: TypeAlias = jax.Array
PyTree: TypeAlias = Any

_EPISODES = 0x657069
"""The key of all evaluation episodes: the same ones for every member, so that differences are those of agents."""


@dataclass(frozen=True)
class Agent(BaseObjective, ABC):
    """The base of every agent; ``environment`` is what it learns in."""

    environment: Environment

    @property
    @abstractmethod
    def steps_per_update(self) -> int:
        """Environment steps of one update."""

    @abstractmethod
    def chosen(self, model: PyTree, observations: Array) -> Array:
        """The deterministic policy: actions as the environment takes them, for observations ``(batch, features)``."""

    def blank(self, count: int) -> PyTree:
        """What is remembered as ``count`` episodes start, leaves ``(count, ...)``: nothing, unless overridden."""
        del count
        return ()

    def acted(self, model: PyTree, observations: Array, memory: PyTree) -> tuple[Array, PyTree]:
        """``chosen`` within episodes of which ``memory`` is remembered, and what is remembered after it."""
        return self.chosen(model, observations), memory

    def evaluate(self, model: PyTree, batch: Batch) -> dict[str, Metric]:
        """Return and length of whole episodes of the deterministic policy; ``loss`` is the return's negative."""
        if batch.data is None:
            return {}
        keys = jax.vmap(lambda e: jax.random.fold_in(key_of(_EPISODES), e))(batch.data["episode"])
        total, length = self.episodes(model, keys)
        earned = Metric.mean(total, batch.weight)
        return {
            "loss": Metric(-earned.total, earned.count),
            "return": earned,
            "length": Metric.mean(length.astype(jnp.float32), batch.weight),
        }

    def episodes(self, model: PyTree, keys: Array) -> tuple[Array, Array]:
        """Return and length ``(episodes,)`` of one episode from each key, by the deterministic policy."""
        environment = self.environment
        leaves = jax.tree.leaves(model)
        whose = sum(leaf.ravel()[0].astype(jnp.float32) for leaf in leaves)
        start = environment.begin(keys, whose)
        draws = jax.random.fold_in(key_of(_EPISODES), 0x64726177)

        def going(carry: Any) -> Array:
            _, _, done, _, _, t = carry
            return ~jnp.all(done) & (t < environment.horizon)

        def step(carry: Any) -> Any:
            playing, memory, done, total, length, t = carry
            actions, memory = self.acted(model, playing.observation, memory)
            playing, outcome = environment.move(playing, actions, jax.random.fold_in(draws, t))
            total = total + jnp.where(done, 0.0, outcome.reward)
            length = length + jnp.where(done, 0, 1)
            return playing, memory, done | outcome.done, total, length, t + 1

        count = keys.shape[0]
        none = jnp.zeros(count, bool)
        carry: Any = (
            start, self.blank(count), none, jnp.zeros(count), none.astype(jnp.int32), jnp.int32(0),
        )  # fmt: skip
        if environment.on_host:  # calls to the host stand in no loop whose end members decide each for itself
            carry = lax.fori_loop(0, environment.horizon, lambda _, carry: step(carry), carry)
        else:
            carry = lax.while_loop(going, step, carry)
        _, _, _, total, length, _ = carry
        return total, length

    def trajectory(self, model: PyTree, key: Array) -> tuple[PyTree, Array, Array]:
        """One episode: states ``(horizon + 1, ...)`` from the start on, rewards ``(horizon,)``, and its length.

        What comes after the episode's end is of no meaning.
        """
        environment = self.environment
        start = environment.begin(key[None])
        draws = jax.random.fold_in(key_of(_EPISODES), 0x64726177)

        def step(carry: Any, t: Array) -> tuple[Any, tuple[Any, Array, Array]]:
            playing, memory, over = carry
            actions, memory = self.acted(model, playing.observation, memory)
            after, outcome = environment.move(playing, actions, jax.random.fold_in(draws, t))
            seen = (jax.tree.map(lambda leaf: leaf[0], after.state), outcome.reward[0], ~over)
            return (after, memory, over | outcome.done[0]), seen

        steps = jnp.arange(environment.horizon)
        _, (states, rewards, alive) = lax.scan(step, (start, self.blank(1), jnp.bool_(False)), steps)
        states = jax.tree.map(lambda first, rest: jnp.concatenate([first, rest]), start.state, states)
        return states, rewards, jnp.sum(alive)

    def predict(self, model: PyTree, data: PyTree) -> Array:
        """Actions for ``data["inputs"]``, observations ``(batch, features)``."""
        return self.chosen(model, data["inputs"])

    def parameters(self) -> int:
        """The number of trained values of one member."""
        weights = jax.eval_shape(lambda: self.fresh(key_of(0)))
        return sum(leaf.size for leaf in jax.tree.leaves(weights.params))

    @abstractmethod
    def fresh(self, key: Array) -> Any:
        """Weights to begin with."""

    # Parts

    def _seen(self, normaliser: Moments | None, observations: Array) -> Array:
        return observations if normaliser is None else normaliser.standard(observations)

    def _played(self, action: Array) -> Any:
        return played(action, self.environment.actions)


def check_agent(agent: Any) -> None:
    """Refuse widths, activations and shares that no agent can have; what is searched is judged by its ends."""
    if agent.hidden:
        check_whole(agent, hidden=agent.hidden)
    if isinstance(agent.activation, str):
        activation(agent.activation)
    for name in _SHARES:
        value = getattr(agent, name, 0.5)
        ends = (value.at(0.0), value.at(1.0)) if isinstance(value, Distribution) else (value,)
        if any(isinstance(end, (int, float)) and not 0 <= end <= 1 for end in ends):
            raise ConfigError(f"{type(agent).__name__}({name}={value}): give a share between 0 and 1")


_SHARES = ("gamma", "gae_lambda", "tau", "epsilon_start", "epsilon_end", "exploration")


def finished(total: Array, length: Array, done: Array) -> dict[str, Metric]:
    """Return and length of the training episodes that ended, from arrays of any one shape."""
    over = done.astype(jnp.float32)
    count = jnp.sum(over)
    return {
        "return": Metric(jnp.sum(total * over), count),
        "length": Metric(jnp.sum(length * over), count),
    }


def one(value: Array) -> Metric:
    """A value that is a mean already."""
    return Metric(value, jnp.float32(1.0))
