"""Environments of which an agent sees a part."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from manyfit.environments.environment import Array, Box, Discrete, Environment, Moved, PyTree
from manyfit.errors import ConfigError


@dataclass(frozen=True)
class PartlyObserved(Environment):
    """Another environment on the device, of whose observation the places ``kept`` are seen.

    What is hidden has to be told from what was seen before: a partially observable Markov decision process. With
    ``called`` it has a name.
    """

    whole: Environment
    kept: tuple[int, ...]
    called: str = ""

    def __post_init__(self) -> None:
        if self.whole.on_host:
            raise ConfigError(
                f"PartlyObserved({self.whole.name}): only an environment on the device can be seen in part"
            )
        if not self.kept or not all(0 <= place < self.whole.features for place in self.kept):
            raise ConfigError(
                f"PartlyObserved(kept={self.kept}): give places of {self.whole.name}'s {self.whole.features} features"
            )

    @property
    def name(self) -> str:
        """``called``, or what the whole is called."""
        return self.called or self.whole.name

    @property
    def horizon(self) -> int:
        """That of the whole."""
        return self.whole.horizon

    @property
    def features(self) -> int:
        """How many places are seen."""
        return len(self.kept)

    @property
    def actions(self) -> Discrete | Box:
        """Those of the whole."""
        return self.whole.actions

    def reset(self, key: Array) -> PyTree:
        """A state of the whole."""
        return self.whole.reset(key)

    def observe(self, state: PyTree) -> Array:
        """The places that are seen."""
        return self.whole.observe(state)[jnp.array(self.kept)]

    def step(self, state: PyTree, action: Array, key: Array) -> Moved:
        """That of the whole."""
        return self.whole.step(state, action, key)
