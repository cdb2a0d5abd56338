"""A walk over slippery ice with holes in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.environments.environment import Array, Discrete, Environment, Moved
from manyfit.errors import ConfigError

SMALL = ("SFFF", "FHFH", "FFFH", "HFFG")
LARGE = ("SFFFFFFF", "FFFFFFFF", "FFFHFFFF", "FFFFFHFF", "FFFHFFFF", "FHHFFFHF", "FHFFHFHF", "FFFHFFFG")


@dataclass(frozen=True)
class FrozenLake(Environment):
    """``FrozenLake-v1``: left, down, right or up over a lake; a point for reaching the goal, none for a hole.

    ``ice`` has a letter for each field: Start, Frozen, Hole, Goal. Where it is ``slippery`` a step goes
    where it should in a third of cases, and to either side in the others. The observation is the field,
    one of ``rows * columns``, as a one-hot vector.
    """

    name: ClassVar[str] = "FrozenLake-v1"
    ice: tuple[str, ...] = SMALL
    slippery: bool = True

    def __post_init__(self) -> None:
        fields = "".join(self.ice)
        if len({len(row) for row in self.ice}) != 1 or set(fields) - set("SFHG") or fields.count("S") != 1:
            raise ConfigError("ice: give rows of one length, of the letters S (once), F, H and G")

    @property
    def horizon(self) -> int:
        """100 steps, on larger lakes 200."""
        return 100 if len(self.ice) <= 4 else 200

    @property
    def features(self) -> int:
        """The number of fields."""
        return len(self.ice) * len(self.ice[0])

    @property
    def actions(self) -> Discrete:
        """Left, down, right, up."""
        return Discrete(4)

    def reset(self, key: Array) -> Array:
        """At the start."""
        del key
        return jnp.int32("".join(self.ice).index("S"))

    def observe(self, state: Array) -> Array:
        """One-hot."""
        return jax.nn.one_hot(state, self.features)

    def step(self, state: Array, action: Array, key: Array) -> Moved:
        """One field on, if the edge allows."""
        slip = jax.random.randint(key, (), -1, 2) if self.slippery else 0
        after = jnp.asarray(self.moves())[state, (action + slip) % 4]
        goal, end = (jnp.asarray([c in letters for c in "".join(self.ice)]) for letters in ("G", "GH"))
        # an episode that has ended stays where it is, and pays nothing more
        reward = jnp.where(goal[after] & ~end[state], 1.0, 0.0)
        return Moved(after, reward, end[after])

    def moves(self) -> np.ndarray:
        """Where each move leads from each field, ``(fields, 4)`` int32; holes and goals hold."""
        rows, columns = len(self.ice), len(self.ice[0])
        table = np.zeros((rows * columns, 4), np.int32)
        for field in range(rows * columns):
            row, column = divmod(field, columns)
            there = [
                (row, max(column - 1, 0)),
                (min(row + 1, rows - 1), column),
                (row, min(column + 1, columns - 1)),
                (max(row - 1, 0), column),
            ]
            stuck = self.ice[row][column] in "GH"
            table[field] = [field if stuck else r * columns + c for r, c in there]
        return table
