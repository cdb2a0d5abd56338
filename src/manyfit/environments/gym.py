"""Any environment of Gymnasium, also one's own, stepped on the host."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.calls import called
from manyfit.environments.environment import Array, Box, Discrete, Environment, Moved, Outcome, Playing
from manyfit.environments.simulators import Brought, Simulators, acted, flat, made, trust
from manyfit.errors import ConfigError, DataError

LONGEST = 10_000
"""Steps after which an evaluation episode of an environment without a time limit ends."""


@dataclass(frozen=True)
class Gymnasium(Environment):
    """An environment that Gymnasium makes, by its name (``module:Name-v0`` imports the module first).

    Its simulators live on the host, and a compiled program calls them: one call steps all environments of a
    member. ``manyfit.environments.gymnasium_environment`` makes it and looks at its spaces; all that a trained
    agent needs of them stands in the fields, so that opening one makes no simulator.
    """

    name: str = ""
    features: int = 0
    actions: Discrete | Box = field(default=Discrete(1))
    horizon: int = LONGEST
    options: tuple[tuple[str, Any], ...] = ()

    def simulators(self) -> Simulators:
        """Those of this process."""
        return _simulators(self.name, self.options, self.features)

    # One at a time there are none: simulators are begun and stepped together

    def reset(self, key: Array) -> Any:
        """Refused: see ``start`` and ``begin``."""
        raise TypeError("Gymnasium's simulators begin side by side: start() or begin()")

    def observe(self, state: Any) -> Array:
        """Refused: what is seen comes with each step."""
        raise TypeError("what Gymnasium's simulators see comes with advance() and move()")

    def step(self, state: Any, action: Array, key: Array) -> Moved:
        """Refused: see ``advance`` and ``move``."""
        raise TypeError("Gymnasium's simulators are stepped side by side: advance() or move()")

    # Side by side: the state is a name ``(environments, 2)`` and the steps so far, both uint32

    def start(self, key: Array, count: int) -> Playing:
        """Names, and no simulator yet: who is never played has none (see ``ready``)."""
        names = jax.random.bits(key, (count, 2), jnp.uint32)
        zero = jnp.zeros(count)
        state = (names, jnp.zeros(count, jnp.uint32))
        return Playing(state, jnp.zeros((count, self.features)), zero.astype(jnp.int32), zero)

    def ready(self, playing: Playing) -> Playing:
        """The simulators as they stand, or new episodes where there are none of that name and age."""

        def look(names: np.ndarray, steps: np.ndarray) -> list[np.ndarray]:
            there, begun = self.simulators().look(names, int(steps[0]))
            return [there, np.array(begun)]

        count = playing.length.shape[0]
        shapes = (_floats(count, self.features), jax.ShapeDtypeStruct((), jnp.bool_))
        seen, new = called(look, shapes, *playing.state)
        length, total = (
            jnp.where(new, 0, leaf).astype(leaf.dtype) for leaf in (playing.length, playing.total)
        )
        return Playing(playing.state, seen, length, total)

    def advance(self, playing: Playing, actions: Array, key: Array) -> tuple[Playing, Outcome]:
        """A step of each simulator; where an episode ended, the next one begins within the same step."""
        del key
        names, steps = playing.state

        def step(names: np.ndarray, actions: np.ndarray) -> Brought:
            return self.simulators().step(names, actions)

        brought = self._brought(step, names, actions)
        outcome = _outcome(playing, brought)
        length, total = (
            jnp.where(outcome.done, jnp.zeros_like(leaf), leaf) for leaf in (outcome.length, outcome.total)
        )
        now: Any = brought.observation
        return Playing((names, steps + 1), now, length, total), outcome

    @property
    def on_host(self) -> bool:
        """It is."""
        return True

    def begin(self, keys: Array, whose: Array | None = None) -> Playing:
        """Simulators for one episode from each key, given back when all are over."""
        count = keys.shape[0]

        def opened(seeds: np.ndarray, whose: np.ndarray) -> list[np.ndarray]:
            del whose  # members who play by the same keys make a call each all the same
            ticket, there = self.simulators().open(seeds)
            return [np.full(count, ticket, np.uint32), there]

        shapes = (jax.ShapeDtypeStruct((count,), jnp.uint32), _floats(count, self.features))
        mine = jnp.float32(0.0) if whose is None else whose
        tickets, seen = called(opened, shapes, jax.random.key_data(keys), mine)
        zero = jnp.zeros(count)
        state = (jnp.stack([tickets, tickets], axis=1), jnp.zeros(count, jnp.uint32))
        return Playing(state, seen, zero.astype(jnp.int32), zero)

    def move(self, playing: Playing, actions: Array, key: Array) -> tuple[Playing, Outcome]:
        """A step of those whose episode goes on."""
        del key
        names, steps = playing.state

        def step(names: np.ndarray, steps: np.ndarray, actions: np.ndarray) -> Brought:
            last = int(steps[0]) + 1 >= self.horizon
            return self.simulators().play(int(names[0, 0]), actions, last)

        brought = self._brought(step, names, steps, actions)
        outcome = _outcome(playing, brought)
        now: Any = brought.observation
        return Playing((names, steps + 1), now, outcome.length, outcome.total), outcome

    def _brought(self, step: Callable[..., Brought], names: Array, *more: Array) -> Brought:
        count = names.shape[0]
        numbers, flags = _floats(count), jax.ShapeDtypeStruct((count,), jnp.bool_)
        seen = _floats(count, self.features)
        found: Any = called(step, [seen, seen, numbers, flags, flags], names, *more)
        return Brought(*found)


def filmed(
    environment: Gymnasium, act: Callable[[np.ndarray], np.ndarray], seed: int
) -> tuple[float, list[Any]]:
    """The return of one episode by ``act`` (observation to action), and its pictures ``(H, W, 3)`` uint8.

    Raises ``ConfigError`` where the environment has no pictures.
    """
    total, pictures = 0.0, list[Any]()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            simulator = made(environment.name, dict(environment.options), render_mode="rgb_array")
            seen, _ = simulator.reset(seed=seed)
            for _ in range(environment.horizon):
                pictures.append(simulator.render())
                action = act(flat(simulator, seen))
                seen, reward, terminated, truncated, _ = simulator.step(acted(simulator, action))
                total += float(reward)
                if terminated or truncated:
                    break
            simulator.close()
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{environment.name} has no pictures (render_mode 'rgb_array'): {error}") from error
    if not isinstance(pictures[0], np.ndarray):
        raise ConfigError(f"{environment.name} has no pictures: it renders {type(pictures[0]).__name__}")
    return total, pictures


def gymnasium_environment(name: str, options: Mapping[str, Any] | None = None) -> Gymnasium:
    """The environment of that name, looked at and tried for one step.

    ``MODULE:NAME`` imports the module: the name has to be the user's own. Raises ``ConfigError`` where Gymnasium or the
    environment is missing, or its spaces are none that an
    agent here can learn in; ``DataError`` where a step brings what cannot be learned from.
    """
    given = tuple(sorted((options or {}).items()))
    trust(name)
    try:
        simulator = made(name, dict(given))
    except ImportError as error:
        raise ConfigError(
            f"{name}: {error} (pip install 'manyfit[rl]', or what the environment needs)"
        ) from error
    except Exception as error:  # of Gymnasium's many kinds, or of the user's own code
        raise ConfigError(f"{name}: Gymnasium cannot make it: {error}") from error
    try:
        features = _features(name, simulator.observation_space)
        actions = _actions(name, simulator.action_space)
        limit = getattr(simulator.spec, "max_episode_steps", None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Gymnasium warns of what is an error here
            _tried(name, simulator, features)
    finally:
        simulator.close()
    return Gymnasium(name, features, actions, limit or LONGEST, given)


def _features(name: str, space: Any) -> int:
    kind = type(space).__name__
    if kind == "Discrete":
        return int(space.n)
    if kind != "Box":
        raise ConfigError(
            f"{name} is observed as a {kind}, and agents here read one row of numbers: wrap it in "
            "gymnasium.wrappers.FlattenObservation and register that"
        )
    if len(space.shape) > 1:
        what = "images" if space.dtype == np.uint8 else f"arrays of shape {space.shape}"
        raise ConfigError(
            f"{name} is observed as {what} {space.shape}, and agents here read one row of numbers: reduce it to "
            "features in a wrapper (gymnasium.ObservationWrapper) and register that"
        )
    return math.prod(space.shape)


def _actions(name: str, space: Any) -> Discrete | Box:
    kind = type(space).__name__
    if kind == "Discrete":
        return Discrete(int(space.n))
    if kind != "Box" or len(space.shape) > 1:
        raise ConfigError(
            f"{name} takes actions of {kind} {getattr(space, 'shape', '')}: agents here choose one of several "
            "(Discrete), or a row of numbers (Box); wrap it in a gymnasium.ActionWrapper and register that"
        )
    low, high = np.asarray(space.low, float).ravel(), np.asarray(space.high, float).ravel()
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ConfigError(
            f"{name} takes actions without bounds: put it in gymnasium.wrappers.RescaleAction or give its "
            "action_space finite ones"
        )
    return Box(tuple(low.tolist()), tuple(high.tolist()))


def _tried(name: str, simulator: Any, features: int) -> None:
    """One step, so that what is wrong is said before anything is compiled."""
    try:
        seen = [simulator.reset(seed=0)[0]]
        space = simulator.action_space
        space.seed(0)
        action = space.sample()
        action = np.asarray(action - getattr(space, "start", 0))
        after, reward, *_ = simulator.step(acted(simulator, action))
        rows = [flat(simulator, one) for one in (*seen, after)]
    except Exception as error:
        raise DataError(f"{name} broke off at its first step: {type(error).__name__}: {error}") from error
    if any(row.shape != (features,) or not np.isfinite(row).all() for row in rows):
        raise DataError(
            f"{name} gave an observation that is not {features} finite numbers, as its space says"
        )
    if not np.isfinite(float(reward)):
        raise DataError(
            f"{name} gave the reward {reward} at its first step: rewards have to be finite numbers"
        )


def _outcome(playing: Playing, brought: Brought) -> Outcome:
    reward: Any = brought.reward
    led_to: Any = brought.led_to
    terminated: Any = brought.terminated
    truncated: Any = brought.truncated
    length, total = playing.length + 1, playing.total + reward
    return Outcome(led_to, reward, terminated, truncated, total, length)


def _floats(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


@functools.cache
def _simulators(name: str, options: tuple[tuple[str, Any], ...], features: int) -> Simulators:
    return Simulators(name, options, features)
