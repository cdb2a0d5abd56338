"""Rows in the units that a generator writes: vectors standardised, images from -1 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from manyfit.engine.objective import Array, PyTree
from manyfit.errors import DataError


def sample_of(inputs: PyTree) -> Any:
    """The array of a task's inputs that is to be imitated; raises ``DataError`` where there is none, or several."""
    if not isinstance(inputs, Mapping):
        return inputs
    found = [name for name in ("pixels", "numeric") if name in inputs and _columns(inputs[name])]
    if not found and len(inputs) == 1:
        found = [name for name, leaf in inputs.items() if _columns(leaf)]
    if len(found) != 1:
        shapes = ", ".join(f"{name} {tuple(leaf.shape)}" for name, leaf in inputs.items())
        raise DataError(
            f"a generator imitates images or columns of numbers, and these data have {shapes or 'nothing'}: "
            "give a table with numeric columns, or images"
        )
    return inputs[found[0]]


def fitted(rows: Array, weight: Array) -> dict[str, Array]:
    """``shift`` and ``scale`` of rows ``(rows, ...)`` whose weight is above 0.

    Images of bytes lie in [0, 255], other images between their least and greatest value; vectors get mean
    0 and variance 1 a column.
    """
    if rows.ndim == 4:
        low, high = jnp.float32(0), jnp.float32(255)
        if rows.dtype != jnp.uint8:
            there = weight.reshape(-1, 1, 1, 1) > 0
            low = jnp.min(rows, where=there, initial=jnp.inf)
            high = jnp.max(rows, where=there, initial=-jnp.inf)
        half = (high - low) / 2
        return {"shift": low + half, "scale": jnp.where(half > 0, half, 1.0)}
    share = (weight > 0).astype(jnp.float32)[:, None]
    total = jnp.maximum(jnp.sum(share), 1.0)
    mean = jnp.sum(jnp.where(share > 0, rows, 0.0), axis=0) / total
    variance = jnp.sum(jnp.where(share > 0, (rows - mean) ** 2, 0.0), axis=0) / total
    return {"shift": mean, "scale": jnp.where(variance > 0, jnp.sqrt(variance), 1.0)}


def scaled(stats: PyTree, rows: Array) -> Array:
    """Rows in the generator's units, float32."""
    return (rows.astype(jnp.float32) - stats["shift"]) / stats["scale"]


def unscaled(stats: PyTree, samples: Array) -> Array:
    """Samples in the units of the data, float32."""
    return samples * stats["scale"] + stats["shift"]


def _columns(leaf: Any) -> bool:
    return len(leaf.shape) > 1 and leaf.shape[-1] > 0
