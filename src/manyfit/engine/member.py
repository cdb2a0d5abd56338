"""Who trains: the identity of a member, its key, and the rows of its fold."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.engine.keys import key_of


@dataclass(frozen=True)
class Member:
    """One model in training: a trial's hyper-parameters, a seed and a fold."""

    trial: int
    seed: int
    fold: int
    hyper: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"trial {self.trial}, seed {self.seed}, fold {self.fold}"


@dataclass(frozen=True)
class Rows:
    """The rows of one fold, as indices into the data set. Empty parts are allowed."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def member_keys(experiment_seed: int, members: Sequence[Member]) -> np.ndarray:
    """Key data ``(members, 2)`` uint32, one key a member.

    A key derives from who the member is, never from its place in the
    population: who else trains beside it must not matter.
    """
    names = np.array([(m.trial, m.seed, m.fold) for m in members], np.uint32).reshape(-1, 3)
    return np.asarray(_derive(key_of(experiment_seed), names))


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, 0))
def _derive(key: jax.Array, name: jax.Array) -> jax.Array:
    for part in range(3):
        key = jax.random.fold_in(key, name[part])
    return jax.random.key_data(key)


class FoldTable(NamedTuple):
    """Every fold's rows, padded to one length, and what was prepared from its training rows.

    ``train``, ``validation`` and ``test`` are ``(folds, padded)`` int32; the
    ``*_count`` ``(folds,)`` say how many are real; ``prepared`` has leaves
    ``(folds, ...)``. ``rows`` holds the transformed data set of every fold,
    leaves ``(folds, rows, ...)``, or None where rows are transformed batch by batch.
    """

    train: Any
    train_count: Any
    validation: Any
    validation_count: Any
    test: Any
    test_count: Any
    prepared: Any
    rows: Any

    @classmethod
    def of(cls, folds: Sequence[Rows]) -> FoldTable:
        """The table before anything is prepared."""
        parts = [_pad([getattr(f, name) for f in folds]) for name in ("train", "validation", "test")]
        (a, na), (b, nb), (c, nc) = parts
        return cls(a, na, b, nb, c, nc, (), None)


def _pad(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    longest = max((len(r) for r in rows), default=0)
    table = np.zeros((len(rows), longest), np.int32)
    for i, r in enumerate(rows):
        table[i, : len(r)] = r
    return table, np.array([len(r) for r in rows], np.int32)


def fold_weight(count: jax.Array, padded: int) -> jax.Array:
    """``(padded,)`` float32: 1 for the first ``count`` entries, 0 for the padding."""
    return (jnp.arange(padded) < count).astype(jnp.float32)
