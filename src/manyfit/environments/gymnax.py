"""The environments of gymnax, which run on the device: MinAtar's games, bsuite's tests of one ability."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.environments.environment import Array, Box, Discrete, Environment, Moved
from manyfit.errors import ConfigError, nearest

PREFIX = "gymnax:"


@dataclass(frozen=True)
class Gymnax(Environment):
    """An environment of gymnax, of version 1 on, by its name (``gymnax:Breakout-MinAtar``).

    Its time limit is ours: gymnax says apart what is terminal and what is merely cut off. Observations of
    several axes are read as one row of numbers. ``manyfit.environments.gymnax_environment`` makes it.
    Source: Lange (2022), gymnax; MinAtar after Young and Tian (2019), bsuite after Osband et al. (2020).
    """

    name: str = ""
    features: int = 0
    actions: Discrete | Box = field(default=Discrete(1))
    horizon: int = 0
    shape: tuple[int, ...] = ()
    """Of what gymnax shows, before it becomes a row."""

    def reset(self, key: Array) -> Any:
        """What is seen at the start, and the state that gymnax keeps."""
        simulator, parameters = _made(self.name)
        observation, state = simulator.reset_env(key, parameters)
        return _row(observation), _arrays(state)

    def observe(self, state: Any) -> Array:
        """What gymnax showed of the state."""
        return state[0]

    def step(self, state: Any, action: Array, key: Array) -> Moved:
        """gymnax's step without its new start, which begins in ours."""
        simulator, parameters = _made(self.name)
        observation, after, reward, terminated, _ = simulator.step_env(key, state[1], action, parameters)
        # of the kinds that the loop carries: gymnax counts some states in Python's numbers
        after = jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), after, state[1])
        return Moved((_row(observation), after), jnp.float32(reward), jnp.asarray(terminated, bool))


def gymnax_environment(name: str) -> Gymnax:
    """The environment of ``gymnax:NAME``.

    Raises ``ConfigError`` where gymnax is not there or older than 1.0, for a name it has not, and for spaces that
    agents here cannot read.
    """
    simulator, parameters = _made(name)
    seen = simulator.observation_space(parameters)
    if getattr(seen, "shape", None) is None or isinstance(getattr(seen, "spaces", None), Mapping):
        raise ConfigError(f"{name} shows {type(seen).__name__}: agents read one array of numbers")
    horizon = getattr(parameters, "max_steps_in_episode", None)
    if horizon is None:
        raise ConfigError(
            f"{name} has no max_steps_in_episode: without a time limit its evaluation never ends"
        )
    shape = tuple(int(length) for length in seen.shape)
    actions = _actions(name, simulator, parameters)
    return Gymnax(name, max(1, math.prod(shape)), actions, int(horizon), shape)


def _actions(name: str, simulator: Any, parameters: Any) -> Discrete | Box:
    space = simulator.action_space(parameters)
    if hasattr(space, "n"):
        return Discrete(int(space.n))
    if not hasattr(space, "low"):
        raise ConfigError(
            f"{name} takes {type(space).__name__} as actions: agents choose one of several, or numbers"
        )
    low, high = (
        np.broadcast_to(np.asarray(end, float), space.shape).ravel() for end in (space.low, space.high)
    )
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ConfigError(f"{name} takes actions without bounds: agents need finite ones")
    return Box(tuple(low.tolist()), tuple(high.tolist()))


@functools.cache
def _made(name: str) -> tuple[Any, Any]:
    """gymnax's object and its parameters."""
    try:
        import gymnax
    except ImportError as error:
        raise ConfigError(
            f"{name} needs gymnax, and importing it failed ({error}): pip install 'gymnax>=1'"
        ) from error
    wanted = name.removeprefix(PREFIX)
    if wanted not in gymnax.registered_envs:
        raise ConfigError(f"gymnax has no environment {wanted!r}: {nearest(wanted, gymnax.registered_envs)}")
    simulator, parameters = gymnax.make(wanted)
    if not hasattr(simulator, "is_truncated"):  # before 1.0 a step did not tell the end from the time limit
        raise ConfigError(f"{name}: this gymnax mixes time limits with ends; install version 1.0 or later")
    return simulator, parameters


def _row(observation: Any) -> Array:
    return jnp.ravel(jnp.asarray(observation, jnp.float32))


def _arrays(state: Any) -> Any:
    return jax.tree.map(jnp.asarray, state)
