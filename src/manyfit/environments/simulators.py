"""Gymnasium's simulators, which live on the host: who owns which, and what a step of several brings.

A member of a population is on a device and knows its simulators by a name in its state, so that they are
its own whoever trains beside it. Nothing of a simulator is in a checkpoint: a run that is resumed begins
new episodes.
"""

from __future__ import annotations

import itertools
import math
import sys
import threading
from typing import Any, NamedTuple

import numpy as np

from manyfit.errors import ConfigError, DataError

MOST_FLEETS = 256
"""Members whose simulators are kept; those that were not stepped for longest are taken for new ones."""


class Brought(NamedTuple):
    """What a step of simulators side by side brings, leaves ``(simulators, ...)``."""

    led_to: np.ndarray
    """``(simulators, features)`` float32, before an ended episode began anew."""
    observation: np.ndarray
    """Where they stand now."""
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


class Simulators:
    """All simulators of one environment in this process."""

    def __init__(self, name: str, options: tuple[tuple[str, Any], ...], features: int) -> None:
        self.name, self.options, self.features = name, dict(options), features
        self.problem: str | None = None
        """What went wrong first, for who reads the error that comes of it."""
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._fleets: dict[tuple[int, int], Fleet] = {}
        self._tickets = itertools.count(1)

    def look(self, identity: np.ndarray, steps: int) -> tuple[np.ndarray, bool]:
        """Observations ``(n, features)`` of the fleet of that name after ``steps`` steps, and whether it is new.

        A fleet that is not known, or stands elsewhere, begins anew: so it is after a resumed run.
        """
        name = (int(identity[0, 0]), int(identity[0, 1]))
        with self._lock:
            fleet = self._fleets.pop(name, None)
            if fleet is not None:
                self._fleets[name] = fleet  # the latest asked for stands last
        if fleet is not None and fleet.steps == steps and len(fleet.simulators) == len(identity):
            return fleet.observation, False
        fleet = self._manned(name, len(identity), fleet)
        fleet.begin([_seed(row, steps) for row in identity.tolist()], steps)
        return fleet.observation, True

    def step(self, identity: np.ndarray, actions: np.ndarray) -> Brought:
        """A step of the fleet, which ``look`` has to have seen; where an episode ended the next one begins."""
        with self._lock:
            fleet = self._fleets[int(identity[0, 0]), int(identity[0, 1])]
        return self._guarded(fleet, actions, anew=identity.tolist())

    def open(self, seeds: np.ndarray) -> tuple[int, np.ndarray]:
        """A fleet for one episode from each of ``seeds`` ``(n, 2)``: its ticket, and observations."""
        ticket = next(self._tickets)
        fleet = self._manned((-1, ticket), len(seeds), None)
        fleet.begin([_seed(row, 0) for row in seeds.tolist()], 0)
        return ticket, fleet.observation

    def play(self, ticket: int, actions: np.ndarray, last: bool) -> Brought:
        """A step of those whose episode goes on; the fleet is given back where none does, or after the ``last``."""
        with self._lock:
            fleet = self._fleets.get((-1, ticket))
        if fleet is None:  # others still play: nothing is looked at any more
            none = np.zeros(len(actions), np.float32)
            over = np.ones(len(actions), bool)
            blank = np.zeros((len(actions), self.features), np.float32)
            return Brought(blank, blank, none, over, over)
        brought = self._guarded(fleet, actions, anew=None)
        if last or fleet.over.all():
            with self._lock:
                self._idle += self._fleets.pop((-1, ticket)).simulators
        return brought

    def close(self) -> None:
        """End every simulator."""
        with self._lock:
            for fleet in self._fleets.values():
                self._idle += fleet.simulators
            self._fleets.clear()
            for simulator in self._idle:
                simulator.close()
            self._idle.clear()

    # Parts

    def _manned(self, name: tuple[int, int], count: int, known: Fleet | None) -> Fleet:
        if known is not None and len(known.simulators) == count:
            return known
        with self._lock:
            if known is not None:
                self._idle += known.simulators
            if len(self._fleets) >= MOST_FLEETS:
                self._idle += self._fleets.pop(next(iter(self._fleets))).simulators
            taken = [self._idle.pop() if self._idle else None for _ in range(count)]
        try:
            fleet = Fleet([one if one is not None else made(self.name, self.options) for one in taken])
        except Exception as error:
            raise self._said(error) from error
        with self._lock:
            self._fleets[name] = fleet
        return fleet

    def _guarded(self, fleet: Fleet, actions: np.ndarray, anew: list[list[int]] | None) -> Brought:
        try:
            brought = fleet.step(actions, anew)
        except Exception as error:
            raise self._said(error) from error
        if not np.isfinite(brought.reward).all() and self.problem is None:
            self.problem = (
                f"{self.name} gave a reward that is no number, at step {fleet.steps} of a simulator"
            )
        return brought

    def _said(self, error: Exception) -> DataError:
        if self.problem is None:
            self.problem = f"{self.name} broke off: {type(error).__name__}: {error}"
        return DataError(self.problem)


class Fleet:
    """Simulators that are stepped together."""

    def __init__(self, simulators: list[Any]) -> None:
        self.simulators = simulators
        self.steps = 0
        self.observation = np.zeros((len(simulators), 0), np.float32)
        self.over = np.zeros(len(simulators), bool)

    def begin(self, seeds: list[int], steps: int) -> None:
        """New episodes."""
        self.observation = np.stack(
            [flat(one, one.reset(seed=seed)[0]) for one, seed in zip(self.simulators, seeds, strict=True)]
        )
        self.steps, self.over = steps, np.zeros(len(seeds), bool)

    def step(self, actions: np.ndarray, anew: list[list[int]] | None) -> Brought:
        """A step of each; ``anew`` are the names from which seeds of next episodes derive, None for none."""
        self.steps += 1
        count = len(self.simulators)
        led_to, now = self.observation.copy(), self.observation.copy()
        reward = np.zeros(count, np.float32)
        terminated, truncated = self.over.copy(), np.zeros(count, bool)
        for i, one in enumerate(self.simulators):
            if self.over[i]:
                continue
            seen, reward[i], terminated[i], truncated[i], _ = one.step(acted(one, actions[i]))
            truncated[i] &= ~terminated[i]
            led_to[i] = now[i] = flat(one, seen)
            if (terminated[i] or truncated[i]) and anew is not None:
                now[i] = flat(one, one.reset(seed=_seed(anew[i], self.steps))[0])
        if anew is None:
            self.over = self.over | terminated | truncated
        self.observation = now
        return Brought(led_to, now, reward, terminated, truncated)


_trusted = {"gymnasium", "gymnax"}
"""Modules that may be imported to make an environment."""


def check_trusted(name: str) -> None:
    """Refuse to import the module of ``MODULE:NAME`` where nobody has said that it may.

    To import is to run code. What a user names himself may be imported; what a run folder names, which may come from
    a stranger, may not, unless it is there already or trusted. Raises ``ConfigError``.
    """
    module, colon, _ = name.partition(":")
    if colon and module not in (sys.modules.keys() | _trusted):
        raise ConfigError(
            f"the run's environment {name} would import the module {module!r}, which runs its code: say --trust "
            f"where you know both, or import {module} first"
        )


def trust(name: str) -> None:
    """Let the module of ``MODULE:NAME`` be imported in this process."""
    _trusted.add(name.partition(":")[0])


def made(name: str, options: dict[str, Any], **more: Any) -> Any:
    """A simulator by Gymnasium's name for it.

    Raises ``ConfigError`` where that would import a module that nobody has trusted.
    """
    check_trusted(name)
    import gymnasium

    return gymnasium.make(name, **{**options, **more})


def flat(simulator: Any, observation: Any) -> np.ndarray:
    """An observation as ``(features,)`` float32: an index as a one-hot vector, an array as its numbers."""
    space = simulator.observation_space
    count = getattr(space, "n", None)
    if count is not None:
        hot = np.zeros(int(count), np.float32)
        hot[int(observation) - int(space.start)] = 1.0
        return hot
    return np.asarray(observation, np.float32).reshape(math.prod(space.shape))


def acted(simulator: Any, action: np.ndarray) -> Any:
    """An action as the simulator takes it."""
    space = simulator.action_space
    if getattr(space, "n", None) is not None:
        return int(action) + int(space.start)
    return np.asarray(action, space.dtype).reshape(space.shape)


def _seed(name: list[int], steps: int) -> int:
    """A seed of 31 bits that no neighbour shares."""
    return int(np.random.SeedSequence([*name, steps]).generate_state(1)[0] >> 1)
