"""Proximal policy optimisation for what an observation alone does not tell: policy and value remember the episode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.engine.objective import Array
from manyfit.environments import Discrete
from manyfit.errors import ConfigError
from manyfit.nn.recurrent import GRU, LSTM
from manyfit.objectives.module import Functional, Weights
from manyfit.objectives.reinforcement.networks import Perceptron
from manyfit.objectives.reinforcement.policies import Categorical, Gaussian, outputs_for
from manyfit.objectives.reinforcement.ppo import PPO

PyTree: TypeAlias = Any
_CELLS: dict[str, Any] = {"lstm": LSTM, "gru": GRU}


class RecurrentActorCritic(nnx.Module):
    """A recurrent layer and a perceptron for the policy, and another pair for the value."""

    def __init__(self, spec: RecurrentPPO, rngs: nnx.Rngs) -> None:
        inputs, actions = spec.environment.features, spec.environment.actions
        outputs, kind = outputs_for(actions), spec.activation
        reader = _CELLS[spec.cell]
        self.readers = nnx.List([reader(inputs, spec.units, rngs=rngs) for _ in range(2)])
        self.actor = Perceptron(spec.units, spec.hidden, outputs, activation=kind, scale=0.01, rngs=rngs)
        self.critic = Perceptron(spec.units, spec.hidden, 1, activation=kind, scale=1.0, rngs=rngs)
        self.discrete = isinstance(actions, Discrete)
        if not self.discrete:
            self.log_std = nnx.Param(jnp.full((outputs,), spec.log_std))

    def __call__(
        self, observations: Array, memory: PyTree, fresh: Array | None = None
    ) -> tuple[Categorical | Gaussian, Array, PyTree]:
        """Policy and value ``(B, T)`` of observations ``(B, T, features)``, and what is remembered after them.

        ``memory`` is one state ``(B, ...)`` for each reader; ``fresh`` ``(B, T)`` marks where an episode begins.
        """
        read, after = [], []
        for reader, before in zip(self.readers, memory, strict=True):
            initial = jax.tree.map(lambda leaf: leaf[None], before)  # of one layer
            out, last = reader(observations, initial=initial, fresh=fresh)
            read.append(out)
            after.append(jax.tree.map(lambda leaf: leaf[0], last))
        said = self.actor(read[0])
        policy = Categorical(said) if self.discrete else Gaussian(said, self.log_std[...])
        return policy, self.critic(read[1])[..., 0], tuple(after)


@dataclass(frozen=True)
class RecurrentPPO(PPO):
    """``PPO`` whose policy and value each read the episode so far with a recurrent layer of ``units``.

    For environments that hide a part of their state. A minibatch is made of whole runs of ``rollout`` steps, read
    again from what was remembered before them, so that ``minibatches`` has to divide ``environments``; gradients go
    back to the run's first step, or to the episode's.

    Source: Schulman et al. (2017); memory kept across rollouts as in Mnih et al. (2016), "Asynchronous methods for
    deep reinforcement learning", section 5.
    """

    cell: Literal["lstm", "gru"] = "lstm"
    units: int = 64
    hidden: tuple[int, ...] = (64,)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.cell, str) and self.cell not in _CELLS:
            raise ConfigError(f"cell={self.cell!r}: give 'lstm' or 'gru'")
        if isinstance(self.units, int) and self.units < 1:
            raise ConfigError(f"units={self.units}: give at least 1")
        if isinstance(self.minibatches, int) and self.environments % self.minibatches:
            raise ConfigError(
                f"{self.environments} environments do not part into {self.minibatches} equal minibatches of whole runs"
            )

    def blank(self, count: int) -> PyTree:
        """Zeros: a state of each recurrent layer, leaves ``(count, units)``."""
        zeros = jnp.zeros((count, self.units))
        return ((zeros, zeros),) * 2 if self.cell == "lstm" else (zeros,) * 2

    def chosen(self, model: PyTree, observations: Array) -> Array:
        """The policy's mode at the start of an episode."""
        return self.acted(model, observations, self.blank(len(observations)))[0]

    def acted(self, model: PyTree, observations: Array, memory: PyTree) -> tuple[Array, PyTree]:
        """The policy's mode after what is remembered, and what is remembered then."""
        seen = self._seen(model.get("observations"), observations)
        policy, _, memory = self._step(model["weights"], seen, memory)
        return self._played(policy.mode()), memory

    # Parts

    def _functional(self) -> Functional:
        return Functional(lambda rngs: RecurrentActorCritic(self, rngs))

    def _step(self, weights: Weights, observations: Array, memory: PyTree) -> tuple[Any, Array, PyTree]:
        leading = observations.shape[:-1]

        def shaped(tree: PyTree, shape: tuple[int, ...]) -> PyTree:
            return jax.tree.map(lambda leaf: leaf.reshape(*shape, leaf.shape[-1]), tree)

        found, _ = self._functional().apply(
            weights, observations.reshape(-1, 1, observations.shape[-1]), shaped(memory, (-1,)), train=False
        )
        policy, value, after = found
        said = policy[0].reshape(*leading, policy[0].shape[-1])
        return policy._replace(**{policy._fields[0]: said}), value.reshape(leading), shaped(after, leading)

    def _lessons(self, rows: PyTree, done: Array, memory: PyTree) -> PyTree:
        began = jnp.concatenate([jnp.zeros_like(done[:1]), done[:-1]])
        return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), (rows, began)), memory

    def _judged(self, weights: Weights, lessons: PyTree) -> dict[str, Array]:
        ((observations, *rest), began), memory = lessons
        found, _ = self._functional().apply(weights, observations, memory, began, train=False)
        policy, value, _ = found
        return self.loss(policy, value, *rest)
