"""What an environment is: a Markov decision process as pure functions, and how many of them are played side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

Array: TypeAlias = jax.Array
PyTree: TypeAlias = Any


@dataclass(frozen=True)
class Discrete:
    """Actions ``0 ... count - 1``, int32."""

    count: int


@dataclass(frozen=True)
class Box:
    """Actions ``(len(low),)`` float32 between ``low`` and ``high``."""

    low: tuple[float, ...]
    high: tuple[float, ...]


class Moved(NamedTuple):
    """What a step of one environment brings."""

    state: PyTree
    reward: Array
    terminated: Array
    """Whether the state is terminal: nothing is to be had from here on. A time limit is not in it."""


class Playing(NamedTuple):
    """Environments under way, leaves ``(environments, ...)``."""

    state: PyTree
    observation: Array
    """``(environments, features)`` float32."""
    length: Array
    """Steps of the episode so far, int32."""
    total: Array
    """Rewards of the episode so far."""


class Outcome(NamedTuple):
    """What a step of environments side by side brings, leaves ``(environments, ...)``.

    ``observation`` is what the step led to, *before* an ended episode began anew: a value is bootstrapped
    from it where the episode was ``truncated`` by the time limit and not ``terminated``. ``total`` and
    ``length`` are those of the episode, the step included.
    """

    observation: Array
    reward: Array
    terminated: Array
    truncated: Array
    total: Array
    length: Array

    @property
    def done(self) -> Array:
        """Whether the episode ended, either way."""
        return self.terminated | self.truncated


@dataclass(frozen=True)
class Environment(ABC):
    """A Markov decision process on the device, written for one."""

    @property
    def name(self) -> str:
        """What it is called; empty for one without a name."""
        return ""

    @property
    @abstractmethod
    def horizon(self) -> int:
        """The time limit in steps."""

    @property
    @abstractmethod
    def features(self) -> int:
        """The length of an observation."""

    @property
    @abstractmethod
    def actions(self) -> Discrete | Box:
        """What may be done."""

    @abstractmethod
    def reset(self, key: Array) -> PyTree:
        """A state to begin with."""

    @abstractmethod
    def observe(self, state: PyTree) -> Array:
        """What is seen of a state, ``(features,)`` float32."""

    @abstractmethod
    def step(self, state: PyTree, action: Array, key: Array) -> Moved:
        """What an action does; ``key`` is for environments that draw lots."""

    # Many side by side

    @property
    def on_host(self) -> bool:
        """Whether its steps are calls to the host, of which each member makes its own."""
        return False

    def start(self, key: Array, count: int) -> Playing:
        """``count`` environments at their start."""
        return self.begin(jax.random.split(key, count))

    def begin(self, keys: Array, whose: Array | None = None) -> Playing:
        """Environments at the starts that ``keys`` (``(environments,)``) draw.

        ``whose`` is any number of the member that plays: of what is on the host each then has its own.
        """
        del whose
        state = jax.vmap(self.reset)(keys)
        zero = jnp.zeros(keys.shape[0])
        return Playing(state, jax.vmap(self.observe)(state), zero.astype(jnp.int32), zero)

    def ready(self, playing: Playing) -> Playing:
        """The same environments, at hand: asked before each run of steps, for those that live on the host."""
        return playing

    def move(self, playing: Playing, actions: Array, key: Array) -> tuple[Playing, Outcome]:
        """A step of each, an ended episode going no further: ``advance`` without the new start."""
        keys = jax.random.split(key, playing.length.shape[0])
        moved = jax.vmap(self.step)(playing.state, actions, keys)
        observation = jax.vmap(self.observe)(moved.state)
        length, total = playing.length + 1, playing.total + moved.reward
        truncated = (length >= self.horizon) & ~moved.terminated
        outcome = Outcome(observation, moved.reward, moved.terminated, truncated, total, length)
        return Playing(moved.state, observation, length, total), outcome

    def advance(self, playing: Playing, actions: Array, key: Array) -> tuple[Playing, Outcome]:
        """A step of each; where an episode ended, the next one begins within the same step."""
        moving, starting = jax.random.split(key)
        after, outcome = self.move(playing, actions, moving)
        fresh = self.start(starting, playing.length.shape[0])
        return jax.tree.map(lambda new, old: _where(outcome.done, new, old), fresh, after), outcome


def _where(flag: Array, new: Array, old: Array) -> Array:
    return jnp.where(flag.reshape(flag.shape + (1,) * (new.ndim - 1)), new, old)
