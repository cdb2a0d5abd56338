"""What one member learns, as pure functions: the contract between an objective and the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp

from manyfit.engine.stored import is_stored, take

Array: TypeAlias = jax.Array
PyTree: TypeAlias = Any
Key: TypeAlias = jax.Array
"""A typed PRNG key, shape ``()``."""

Hyper: TypeAlias = dict[str, Array]
"""Numeric hyper-parameters of one member: dotted name -> float32 scalar (traced).

The engine adds ``total_steps``, the number of updates if the member trains to
its last epoch, which schedules need.
"""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Metric:
    """A sum and the count it is over, so that partial batches add up exactly.

    Both are scalars; the engine adds them over the batches of a pass and
    divides once at its end.
    """

    total: Array
    count: Array

    @classmethod
    def mean(cls, values: Array, weight: Array) -> Metric:
        """The weighted mean of ``values`` (``(batch,)``) under ``weight`` (``(batch,)``).

        Rows of weight 0 are padding: whatever they hold, NaN included, is left out.
        """
        values = jnp.where(weight > 0, values, 0.0)
        return cls(jnp.sum(values * weight), jnp.sum(weight))

    @property
    def value(self) -> Array:
        """total / count (NaN when nothing was counted)."""
        return self.total / self.count


def taken(data: PyTree, rows: Array) -> PyTree:
    """The rows ``(batch,)`` of every leaf, leaves that are stored on the host included."""
    return jax.tree.map(lambda leaf: take(leaf, rows), data, is_leaf=is_stored)


class Batch(NamedTuple):
    """Rows of the data set, gathered for one member.

    ``data`` is the data set's pytree, transformed, every leaf cut to ``(batch, ...)``;
    ``weight`` is ``(batch,)`` float32, the row's weight, 0 for padding. For an
    objective without rows ``data`` is ``None`` and ``weight`` has shape ``(0,)``.
    """

    data: PyTree
    weight: Array


class Fold(NamedTuple):
    """The training rows of one fold: all that may be learned from.

    ``data`` is the whole data set's pytree, leaves ``(rows, ...)``; ``rows`` is
    ``(padded,)`` int32, indices into it; ``weight`` is ``(padded,)`` float32,
    0 where ``rows`` is padding.
    """

    data: PyTree
    rows: Array
    weight: Array

    def take(self) -> PyTree:
        """The training rows, leaves ``(padded, ...)``; ``weight`` says which are real."""
        return taken(self.data, self.rows)


@runtime_checkable
class Objective(Protocol):
    """What one member learns. Every method is pure and written for one member.

    No population, device or fold axis appears here: the engine adds them.
    ``state`` is any pytree of arrays. Randomness comes from the ``key`` handed
    in and nowhere else.
    """

    monitor: str
    """The metric of ``evaluate`` that decides the best epoch and early stopping; smaller is better."""

    def prepare(self, fold: Fold) -> PyTree:
        """All that is learned from rows before training, computed once per fold.

        It sees training rows only; every member of the fold shares the result.
        """
        ...

    def gather(self, data: PyTree, rows: Array) -> PyTree:
        """The rows ``(batch,)`` of the data set: what ``transform`` and ``predict`` are given.

        ``BaseObjective`` takes them from every leaf. Where rows overlap (the windows of a series, or of a
        text) an objective cuts them here instead, and the data set lies in memory once.
        """
        ...

    def transform(self, prepared: PyTree, data: PyTree) -> PyTree:
        """Rows as ``update`` and ``evaluate`` take them, by what was prepared; row by row.

        The engine does it once for all rows of a fold where that fits into
        memory, else for every batch.
        """
        ...

    def lengths(self, data: PyTree) -> Array | None:
        """How much of each row is real, int32 ``(rows,)``; None where rows are no padded sequences."""
        ...

    def shorten(self, data: PyTree, length: int) -> PyTree:
        """Transformed rows without what lies past ``length``: padding alone, of rows no longer than that."""
        ...

    def init(self, key: Key, hyper: Hyper, prepared: PyTree) -> PyTree:
        """A fresh state."""
        ...

    def update(self, state: PyTree, batch: Batch, key: Key, hyper: Hyper) -> tuple[PyTree, dict[str, Metric]]:
        """One step of training: the next state and what was measured on the way."""
        ...

    def over(self, state: PyTree) -> Array | bool:
        """Whether more training is of no use to this member, whatever its monitor says: a bool scalar.

        Asked after every epoch; a member that says so is ``stopped``, as one whose patience ended is.
        """
        ...

    def export(self, state: PyTree) -> PyTree:
        """The model: the part of the state that evaluates and predicts, kept for the best epoch and saved."""
        ...

    def evaluate(self, model: PyTree, batch: Batch) -> dict[str, Metric]:
        """Sums and counts over one batch of rows that are not trained on."""
        ...

    def predict(self, model: PyTree, data: PyTree) -> Array:
        """Outputs ``(batch, ...)`` for rows of the data set, leaves ``(batch, ...)``; a target may be absent."""
        ...


class BaseObjective:
    """Defaults for the parts of the protocol that many objectives do not need."""

    monitor = "loss"

    def prepare(self, fold: Fold) -> PyTree:
        """Nothing is learned from rows before training."""
        del fold
        return ()

    def gather(self, data: PyTree, rows: Array) -> PyTree:
        """The rows of every leaf."""
        return taken(data, rows)

    def transform(self, prepared: PyTree, data: PyTree) -> PyTree:
        """Rows are taken as they are."""
        del prepared
        return data

    def lengths(self, data: PyTree) -> Array | None:
        """Rows are no padded sequences."""
        del data
        return None

    def shorten(self, data: PyTree, length: int) -> PyTree:
        """Rows have no length."""
        del length
        return data

    def over(self, state: PyTree) -> Array | bool:
        """Training is over by its limits alone."""
        del state
        return False

    def export(self, state: PyTree) -> PyTree:
        """The whole state is the model."""
        return state

    def evaluate(self, model: PyTree, batch: Batch) -> dict[str, Metric]:
        """Nothing is measured: training runs to its last epoch."""
        del model, batch
        return {}

    def predict(self, model: PyTree, data: PyTree) -> Array:
        """An objective that is not asked for predictions need not have any."""
        raise TypeError(f"{type(self).__name__} makes no predictions")
