"""Arrays that are larger than memory: they stay where they lie, and a step reads the rows that it asks for."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from manyfit.calls import called

Array = jax.Array


@jax.tree_util.register_static
class Stored:
    """An array on the host, as a rule a memory-mapped file, in the place of a leaf of a data set.

    A program reads rows of it with ``take`` and ``cut`` while it runs. What is read follows from the rows alone,
    so that nothing of the reading belongs into a checkpoint, and members, waves and restarts come out as they
    would with the array on the device.

    >>> squares = Stored(np.arange(5) ** 2)
    >>> jax.jit(lambda rows: take(squares, rows))(jnp.array([3, 1])).tolist()
    [9, 1]
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the whole array."""
        return self.array.shape

    @property
    def dtype(self) -> Any:
        """That of its entries."""
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.array, dtype=dtype, copy=copy)

    def _read(self, places: Array) -> Array:
        """``(..., *shape[1:])`` at ``places``; beyond either end lies the nearest entry."""
        last = len(self.array) - 1

        def read(places: np.ndarray) -> list[np.ndarray]:
            return [np.asarray(self.array[places.clip(0, last)])]

        shape = jax.ShapeDtypeStruct((*places.shape, *self.shape[1:]), self.dtype)
        return called(read, [shape], places, pure=True)[0]


def take(leaf: Array | Stored, rows: Array) -> Array:
    """The entries ``rows`` (any shape) of an array, wherever it lies: ``(*rows.shape, *leaf.shape[1:])``."""
    if isinstance(leaf, Stored):
        return leaf._read(rows)
    return jnp.take(leaf, rows, axis=0, mode="clip")


def cut(leaf: Array | Stored, first: Array, size: int) -> Array:
    """``(rows, size, ...)``: a run of ``size`` entries from each of ``first`` (``(rows,)``) on.

    The runs lie within the array. (One over the end of a stored array goes on with its last entry.)
    """
    if isinstance(leaf, Stored):
        return leaf._read(first[:, None] + jnp.arange(size))
    return jax.vmap(lambda one: lax.dynamic_slice_in_dim(leaf, one, size))(first)


def is_stored(leaf: Any) -> bool:
    """Whether an array stays on the host."""
    return isinstance(leaf, Stored)
