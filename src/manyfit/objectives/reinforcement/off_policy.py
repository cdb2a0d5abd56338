"""What agents share that learn from a memory of what was lived through, whoever acted then."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.engine.objective import Array, Batch, Hyper, Key, Metric
from manyfit.environments import Discrete
from manyfit.errors import ConfigError
from manyfit.objectives.learning import settled
from manyfit.objectives.reinforcement.agent import Agent, check_agent, finished
from manyfit.objectives.reinforcement.normalisation import Moments
from manyfit.objectives.reinforcement.policies import numbers_in
from manyfit.objectives.reinforcement.replay import Drawn, Replay, Transition
from manyfit.space import Numeric

PyTree: TypeAlias = Any
Learner: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class OffPolicy(Agent):
    """The base of agents with a replay buffer.

    A round plays ``rollout`` steps in each of ``environments`` environments and then takes
    ``gradient_steps`` lessons of ``batch`` rows; an update is ``rounds`` rounds, which is of no
    consequence to what is learned. The first ``learning_starts`` steps are random actions without lessons.
    """

    environments: int = 1
    rollout: int = 1
    gradient_steps: int = 1
    rounds: int = 32
    capacity: int = 10_000
    """Steps that are remembered, of all environments together."""
    batch: int = 64
    learning_starts: int = 1000
    gamma: Numeric = 0.99
    """Discount of a step."""
    tau: Numeric = 0.005
    """How far target networks follow at a time."""
    target_every: int = 1
    """Lessons between two times that target networks follow."""
    n_step: int = 1
    """Steps whose rewards are summed before a value is relied on."""
    prioritised: bool = False
    """Whether rows whose error was large are drawn more often (Schaul et al. 2016)."""
    priority_exponent: Numeric = 0.6
    importance_exponent: Numeric = 0.4
    """At the start; it rises to 1 over the training."""
    normalise_observations: bool = False

    def __post_init__(self) -> None:
        check_agent(self)
        counted = ("environments", "rollout", "gradient_steps", "rounds", "batch", "n_step", "target_every")
        for name in counted:
            value = getattr(self, name)
            if isinstance(value, int) and value < 1:
                raise ConfigError(f"{name}={value}: give at least 1")
        sizes = (self.capacity, self.environments, self.n_step, self.batch)
        if not all(isinstance(size, int) for size in sizes):
            return  # searched: looked at again when it is settled
        if self.slots < self.n_step + 1:
            raise ConfigError(
                f"capacity={self.capacity}: {self.environments} environments with n_step={self.n_step} need "
                f"at least {self.environments * (self.n_step + 1)}"
            )
        if self.learning_starts < self.environments * self.n_step:
            raise ConfigError(
                f"learning_starts={self.learning_starts}: nothing can be drawn before "
                f"{self.environments * self.n_step} steps ({self.environments} environments, n_step={self.n_step})"
            )

    @property
    def steps_per_update(self) -> int:
        """Environment steps of one update."""
        return self.environments * self.rollout * self.rounds

    @property
    def slots(self) -> int:
        """Steps of each environment that are remembered."""
        return self.capacity // self.environments

    # What each algorithm says

    @abstractmethod
    def begin(self, key: Key) -> Learner:
        """Networks, their optimizers and target networks."""

    @abstractmethod
    def act(self, learner: Learner, observation: Array, key: Key, progress: Array) -> Array:
        """Actions while learning, for ``(environments, features)``; ``progress`` in [0, 1] of the training."""

    @abstractmethod
    def lesson(
        self, learner: Learner, drawn: Drawn, key: Key, total: Array
    ) -> tuple[Learner, Array, dict[str, Array]]:
        """One step of the optimizers: the learner, each row's error ``(batch,)``, and means that were measured.

        ``total`` is how many lessons there are if the training goes on to its end.
        """

    @abstractmethod
    def kept(self, learner: Learner) -> PyTree:
        """The part of the learner that acts when all is learned."""

    # The protocol

    def init(self, key: Key, hyper: Hyper, prepared: PyTree) -> PyTree:
        """A learner, an empty memory, and environments at their starts."""
        here = settled(self, hyper)
        learning, playing = jax.random.split(key)
        state = {
            "learner": here.begin(learning),
            "replay": Replay.start(
                self.slots,
                self.environments,
                self.environment.features,
                numbers_in(self.environment.actions),
                prioritised=self.prioritised,
            ),
            "playing": self.environment.start(playing, self.environments),
            "rounds": jnp.int32(0),
        }
        if self.normalise_observations:
            state["observations"] = Moments.start((self.environment.features,))
        return state

    def update(self, state: PyTree, batch: Batch, key: Key, hyper: Hyper) -> tuple[PyTree, dict[str, Metric]]:
        """``rounds`` rounds of playing and learning."""
        del batch
        here = settled(self, hyper)
        total = hyper["total_steps"] * self.rounds
        state = {**state, "playing": self.environment.ready(state["playing"])}
        state, found = lax.scan(
            lambda state, key: here._round(state, key, total), state, jax.random.split(key, self.rounds)
        )
        return state, jax.tree.map(jnp.sum, found)

    def export(self, state: PyTree) -> PyTree:
        """What acts, and what observations are normalised by."""
        model = {"learner": self.kept(state["learner"])}
        if self.normalise_observations:
            model["observations"] = state["observations"]
        return model

    # A round

    def _round(self, state: PyTree, key: Key, total: Array) -> tuple[PyTree, dict[str, Metric]]:
        playing, learning = jax.random.split(key)
        progress = state["rounds"].astype(jnp.float32) / total
        state, played = self._play(state, playing, progress)
        before = state["rounds"] * (self.environments * self.rollout)
        ready = before + self.environments * self.rollout >= self.learning_starts
        state, learned = self._learn(state, learning, progress, total * self.gradient_steps, ready)
        return {**state, "rounds": state["rounds"] + 1}, played | learned

    def _play(self, state: PyTree, key: Key, progress: Array) -> tuple[PyTree, dict[str, Metric]]:
        """``rollout`` steps of each environment, into the memory."""
        normaliser = state.get("observations")
        begun = state["rounds"] * (self.environments * self.rollout)

        def step(carry: tuple[Any, Replay], given: tuple[Array, Key]) -> tuple[tuple[Any, Replay], Any]:
            (playing, replay), (t, key) = carry, given
            choosing, wandering, moving = jax.random.split(key, 3)
            own = self.act(state["learner"], self._seen(normaliser, playing.observation), choosing, progress)
            random = self.random_actions(wandering)
            action = jnp.where(begun + t * self.environments < self.learning_starts, random, own)
            after, outcome = self.environment.advance(playing, self._played(action), moving)
            seen = Transition(
                playing.observation,
                action.reshape(self.environments, -1),
                outcome.reward,
                outcome.observation,
                outcome.terminated,
                outcome.done,
            )
            ended = finished(outcome.total, outcome.length, outcome.done)
            return (after, replay.added(seen, self.n_step)), (ended, playing.observation)

        carry = (state["playing"], state["replay"])
        steps = (jnp.arange(self.rollout), jax.random.split(key, self.rollout))
        (playing, replay), (ended, observations) = lax.scan(step, carry, steps)
        state = {**state, "playing": playing, "replay": replay}
        if normaliser is not None:
            state["observations"] = normaliser.seen(observations)
        return state, jax.tree.map(jnp.sum, ended)

    def _learn(
        self, state: PyTree, key: Key, progress: Array, total: Array, ready: Array
    ) -> tuple[PyTree, dict[str, Metric]]:
        """``gradient_steps`` lessons, none as long as it is not ``ready``."""
        normaliser = state.get("observations")
        start: Any = self.importance_exponent
        importance = start + (1.0 - start) * progress

        def lesson(learner: Learner, priorities: Any, key: Key) -> tuple[Learner, Any, dict[str, Array]]:
            drawing, learning = jax.random.split(key)
            replay = state["replay"]._replace(priorities=priorities)
            features = self.environment.features
            drawn = replay.draw(drawing, self.batch, self.n_step, features, self.gamma, importance)
            drawn = drawn._replace(
                observation=self._seen(normaliser, drawn.observation),
                led_to=self._seen(normaliser, drawn.led_to),
            )
            learner, error, found = self.lesson(learner, drawn, learning, total)
            replay = replay.learned(drawn.place, error, self.priority_exponent)
            return learner, replay.priorities, found

        learner, priorities = state["learner"], state["replay"].priorities
        names = jax.eval_shape(lesson, learner, priorities, key)[2]
        zero = {name: jnp.float32(0.0) for name in names}

        # the rows of the memory are not in the carry: they stand still, and members abreast would select among them
        def step(
            t: Array, carry: tuple[Learner, Any, dict[str, Array]]
        ) -> tuple[Learner, Any, dict[str, Array]]:
            learner, priorities, sums = carry
            learner, priorities, found = lesson(learner, priorities, jax.random.fold_in(key, t))
            return learner, priorities, {name: sums[name] + found[name] for name in sums}

        lessons = jnp.where(ready, self.gradient_steps, 0)
        learner, priorities, sums = lax.fori_loop(0, lessons, step, (learner, priorities, zero))
        state = {**state, "learner": learner, "replay": state["replay"]._replace(priorities=priorities)}
        count = lessons.astype(jnp.float32)
        return state, {name: Metric(value, count) for name, value in sums.items()}

    def random_actions(self, key: Key) -> Array:
        """Actions drawn evenly, one of each environment."""
        actions = self.environment.actions
        if isinstance(actions, Discrete):
            return jax.random.randint(key, (self.environments,), 0, actions.count)
        return jax.random.uniform(key, (self.environments, len(actions.low)), minval=-1.0, maxval=1.0)
