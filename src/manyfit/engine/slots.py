"""What a program works on: slots with members in training, who takes them, and the structural part of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from manyfit.engine.objective import Array, PyTree

RUNNING, FINISHED, STOPPED, DIVERGED, EMPTY, PAUSED = range(6)
STATUS = ("running", "finished", "stopped", "diverged", "empty", "paused")
PRUNED = "pruned"
"""What becomes of a paused member that the host does not let go on."""


class Slots(NamedTuple):
    """A stack of members in training; every leaf has the slot as its leading axis."""

    state: PyTree
    best: PyTree
    """The exported model of the best epoch so far."""
    key: Array
    hyper: dict[str, Array]
    fold: Array
    status: Array
    epoch: Array
    best_epoch: Array
    best_value: Array


class Assignment(NamedTuple):
    """Who takes which slot: leaves ``(slots, ...)``; ``fresh`` marks the slots that start anew."""

    fresh: Any
    key: Any
    hyper: dict[str, Any]
    fold: Any


class Limits(NamedTuple):
    """When training ends: int32 scalars, traced, so that other limits never recompile."""

    epochs: Array
    patience: Array
    until: Array
    """A member that has trained so many epochs, and has not ended, waits for the host to decide."""


@dataclass(frozen=True)
class Shape:
    """The structural part of training."""

    batch_size: int
    steps_per_epoch: int | None = None
    """Updates in an epoch for an objective without rows; with rows it follows from them."""
    evaluation_batch: int = 512
    history: int = 32
    """The longest chunk, in epochs."""
    buckets: tuple[int, ...] | None = None
    """Lengths to which batches are cut, ascending, the last that of the longest row (``manyfit.engine.lengths``);
    none where empty, planned by the rows where None.

    Members that take their steps abreast share every step's shape: there batches are not cut.
    """
