"""Proximal policy optimisation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from manyfit.engine.objective import Array, Batch, Hyper, Key, Metric
from manyfit.environments import Discrete
from manyfit.errors import ConfigError
from manyfit.objectives.learning import settled
from manyfit.objectives.module import Functional, Weights
from manyfit.objectives.reinforcement.agent import Agent, check_agent, finished, one
from manyfit.objectives.reinforcement.networks import Perceptron
from manyfit.objectives.reinforcement.normalisation import Moments, RewardScale
from manyfit.objectives.reinforcement.policies import Categorical, Gaussian, outputs_for
from manyfit.objectives.reinforcement.returns import generalized_advantages
from manyfit.optim import Adam, Linear, Optimizer, evaluated, start, step
from manyfit.space import Numeric

PyTree: TypeAlias = Any


class Seen(NamedTuple):
    """What a rollout remembers of each step, leaves ``(steps, environments, ...)``."""

    observation: Array
    action: Array
    log_probability: Array
    value: Array
    reward: Array
    led_to: Array
    terminated: Array
    done: Array
    total: Array
    length: Array
    memory: PyTree
    """What the agent remembered after it, before an ended episode is forgotten."""


class ActorCritic(nnx.Module):
    """Two perceptrons, one for the policy and one for the value of a state."""

    def __init__(self, spec: PPO, rngs: nnx.Rngs) -> None:
        inputs, actions = spec.environment.features, spec.environment.actions
        outputs = outputs_for(actions)
        kind = spec.activation
        self.actor = Perceptron(inputs, spec.hidden, outputs, activation=kind, scale=0.01, rngs=rngs)
        self.critic = Perceptron(inputs, spec.hidden, 1, activation=kind, scale=1.0, rngs=rngs)
        self.discrete = isinstance(actions, Discrete)
        if not self.discrete:
            self.log_std = nnx.Param(jnp.full((outputs,), spec.log_std))

    def policy(self, observation: Array) -> Categorical | Gaussian:
        """The distribution over actions."""
        out = self.actor(observation)
        return Categorical(out) if self.discrete else Gaussian(out, self.log_std[...])

    def __call__(self, observation: Array) -> tuple[Categorical | Gaussian, Array]:
        return self.policy(observation), self.critic(observation)[..., 0]


@dataclass(frozen=True)
class PPO(Agent):
    """Proximal policy optimisation with a clipped surrogate (Schulman et al. 2017).

    An update plays ``rollout`` steps in each of ``environments`` environments, estimates advantages, and takes
    ``passes * minibatches`` steps of the optimizer on what was seen. An episode that the time limit cut is
    bootstrapped from its last state.
    """

    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"
    optimizer: Optimizer = field(
        default_factory=lambda: Adam(learning_rate=1e-3, clip=0.5, schedule=Linear(), eps=1e-5)
    )
    environments: int = 8
    rollout: int = 32
    passes: int = 20
    minibatches: int = 1
    gamma: Numeric = 0.98
    """Discount of a step."""
    gae_lambda: Numeric = 0.8
    clip_range: Numeric = 0.2
    entropy_weight: Numeric = 0.0
    value_weight: Numeric = 0.5
    clip_values: bool = False
    """Whether the value may not move by more than ``clip_range`` in an update either."""
    normalise_advantages: bool = True
    normalise_observations: bool = False
    normalise_rewards: bool = False
    log_std: float = 0.0
    """Continuous actions: the logarithm of the deviation at the start, in half widths of the box."""

    def __post_init__(self) -> None:
        check_agent(self)
        for name in ("environments", "rollout", "passes", "minibatches"):
            value = getattr(self, name)
            if isinstance(value, int) and value < 1:
                raise ConfigError(f"{name}={value}: give at least 1")
        if isinstance(self.minibatches, int) and self.environments * self.rollout % self.minibatches:
            raise ConfigError(
                f"{self.environments} environments * {self.rollout} steps do not part into {self.minibatches} "
                "equal minibatches"
            )

    @property
    def steps_per_update(self) -> int:
        """Environment steps of one update."""
        return self.environments * self.rollout

    # The protocol

    def init(self, key: Key, hyper: Hyper, prepared: PyTree) -> PyTree:
        """Weights, moments, environments at their starts, and running statistics."""
        here = settled(self, hyper)
        weights, playing = jax.random.split(key)
        fresh = here.fresh(weights)
        state = {
            "weights": fresh,
            "optimizer": start(here.optimizer, fresh.params, fresh.rest),
            "playing": self.environment.start(playing, self.environments),
            "memory": self.blank(self.environments),
        }
        if self.normalise_observations:
            state["observations"] = Moments.start((self.environment.features,))
        if self.normalise_rewards:
            state["rewards"] = RewardScale.start(self.environments)
        return state

    def update(self, state: PyTree, batch: Batch, key: Key, hyper: Hyper) -> tuple[PyTree, dict[str, Metric]]:
        """One rollout and what is learned from it."""
        del batch
        here = settled(self, hyper)
        playing_key, learning_key = jax.random.split(key)
        remembered = state["memory"]
        state, seen = here._rollout(state, playing_key)
        rewards = seen.reward
        if self.normalise_rewards:
            state["rewards"] = state["rewards"].seen(rewards, seen.done, here.gamma)
            rewards = state["rewards"].scaled(rewards)
        normaliser = state.get("observations")
        _, next_values, _ = here._step(state["weights"], here._seen(normaliser, seen.led_to), seen.memory)
        advantages = generalized_advantages(
            rewards, seen.value, next_values, seen.terminated, seen.done, here.gamma, here.gae_lambda
        )
        rows = (
            here._seen(normaliser, seen.observation),
            seen.action,
            seen.log_probability,
            seen.value,
            advantages,
            advantages + seen.value,
        )
        lessons = here._lessons(rows, seen.done, remembered)
        weights, optimizer, learned = here._learn(state, lessons, learning_key, hyper)
        # the statistics change after the update only: within it, a ratio of probabilities begins at 1
        if self.normalise_observations:
            state["observations"] = normaliser.seen(seen.observation)
        state = {**state, "weights": weights, "optimizer": optimizer}
        spread = jnp.var(advantages + seen.value)
        explained = 1.0 - jnp.var(advantages) / jnp.maximum(spread, 1e-8)
        metrics = {name: one(value) for name, value in learned.items()}
        metrics |= {"explained_variance": one(jnp.clip(explained, -1.0, 1.0))}
        return state, metrics | finished(seen.total, seen.length, seen.done)

    def export(self, state: PyTree) -> PyTree:
        """The weights to act with, and what observations are normalised by."""
        weights = Weights(*evaluated(self.optimizer, state["optimizer"], *state["weights"]))
        model = {"weights": weights}
        if self.normalise_observations:
            model["observations"] = state["observations"]
        return model

    def chosen(self, model: PyTree, observations: Array) -> Array:
        """The policy's mode."""
        seen = self._seen(model.get("observations"), observations)
        policy, _ = self._apply(model["weights"], seen)
        return self._played(policy.mode())

    # Parts

    def fresh(self, key: Key) -> Weights:
        """Weights to begin with."""
        return self._functional().init(key)

    def _functional(self) -> Functional:
        return Functional(lambda rngs: ActorCritic(self, rngs))

    def _apply(self, weights: Weights, observations: Array) -> tuple[Any, Array]:
        return self._functional().apply(weights, observations, train=False)[0]

    def _step(self, weights: Weights, observations: Array, memory: PyTree) -> tuple[Any, Array, PyTree]:
        """Policy and value of observations ``(..., features)`` after what is remembered, and what is then."""
        return *self._apply(weights, observations), memory

    def _lessons(self, rows: PyTree, done: Array, memory: PyTree) -> PyTree:
        """What minibatches are drawn from, leaves ``(lessons, ...)``, of rows ``(steps, environments, ...)``.

        ``memory`` is what was remembered before the first step.
        """
        del done, memory
        return jax.tree.map(lambda leaf: leaf.reshape(self.steps_per_update, *leaf.shape[2:]), rows)

    def _judged(self, weights: Weights, lessons: PyTree) -> dict[str, Array]:
        """The loss of some lessons, and its parts."""
        observations, *rest = lessons
        return self.loss(*self._apply(weights, observations), *rest)

    def _rollout(self, state: PyTree, key: Key) -> tuple[PyTree, Seen]:
        """The state with its environments ``rollout`` steps on, and what was seen on the way."""
        weights, normaliser = state["weights"], state.get("observations")

        def act(carry: tuple[Any, PyTree], key: Array) -> tuple[tuple[Any, PyTree], Seen]:
            playing, memory = carry
            choosing, moving = jax.random.split(key)
            policy, value, memory = self._step(weights, self._seen(normaliser, playing.observation), memory)
            action = policy.sample(choosing)
            after, outcome = self.environment.advance(playing, self._played(action), moving)
            kept = jax.tree.map(lambda leaf: jnp.where(outcome.done[:, None], 0, leaf), memory)
            return (after, kept), Seen(
                observation=playing.observation,
                action=action,
                log_probability=policy.log_probability(action),
                value=value,
                reward=outcome.reward,
                led_to=outcome.observation,
                terminated=outcome.terminated,
                done=outcome.done,
                total=outcome.total,
                length=outcome.length,
                memory=memory,
            )

        playing = self.environment.ready(state["playing"])
        keys = jax.random.split(key, self.rollout)
        (playing, memory), seen = lax.scan(act, (playing, state["memory"]), keys)
        return {**state, "playing": playing, "memory": memory}, seen

    def _learn(
        self, state: PyTree, rows: PyTree, key: Key, hyper: Hyper
    ) -> tuple[Weights, Any, dict[str, Array]]:
        """``passes`` times over the lessons in shuffled minibatches."""
        count, parts = jax.tree.leaves(rows)[0].shape[0], self.minibatches
        total = hyper["total_steps"] * self.passes * parts

        def one_pass(carry: tuple[Weights, Any], key: Key) -> tuple[tuple[Weights, Any], dict[str, Array]]:
            shuffled = rows
            if parts > 1:
                order = jax.random.permutation(key, count)
                shuffled = jax.tree.map(lambda leaf: leaf[order], rows)
            batches = jax.tree.map(
                lambda leaf: leaf.reshape(parts, count // parts, *leaf.shape[1:]), shuffled
            )

            def minibatch(carry: tuple[Weights, Any], batch: PyTree) -> tuple[tuple[Weights, Any], PyTree]:
                weights, optimizer = carry

                def loss(params: PyTree) -> tuple[Array, tuple[PyTree, dict[str, Array]]]:
                    found = self._judged(Weights(params, weights.rest), batch)
                    return found["loss"], (weights.rest, found)

                taken = step(self.optimizer, loss, weights.params, optimizer, total)
                return (Weights(taken.params, taken.rest), taken.state), taken.found

            return lax.scan(minibatch, carry, batches)

        carry = (state["weights"], state["optimizer"])
        (weights, optimizer), found = lax.scan(one_pass, carry, jax.random.split(key, self.passes))
        return weights, optimizer, jax.tree.map(jnp.mean, found)

    def loss(
        self,
        policy: Categorical | Gaussian,
        value: Array,
        action: Array,
        log_probability: Array,
        old_value: Array,
        advantage: Array,
        target: Array,
    ) -> dict[str, Array]:
        """The loss of a minibatch, arrays of one shape, and its parts.

        Source: Schulman et al. (2017), "Proximal policy optimization algorithms", equations 7 and 9.
        """
        if self.normalise_advantages:
            advantage = (advantage - jnp.mean(advantage)) / (jnp.std(advantage) + 1e-8)
        change = policy.log_probability(action) - log_probability
        ratio = jnp.exp(change)
        clip: Any = self.clip_range
        surrogate = jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)
        error = (value - target) ** 2
        if self.clip_values:
            near = old_value + jnp.clip(value - old_value, -clip, clip)
            error = jnp.maximum(error, (near - target) ** 2)
        actor, critic = -jnp.mean(surrogate), 0.5 * jnp.mean(error)
        entropy = jnp.mean(policy.entropy())
        value_weight: Any = self.value_weight
        entropy_weight: Any = self.entropy_weight
        return {
            "loss": actor + value_weight * critic - entropy_weight * entropy,
            "policy_loss": actor,
            "value_loss": critic,
            "entropy": entropy,
            # Schulman's estimator of the divergence from the policy that played
            "kl": jnp.mean(ratio - 1.0 - change),
            "clipped": jnp.mean((jnp.abs(ratio - 1.0) > clip).astype(jnp.float32)),
        }
