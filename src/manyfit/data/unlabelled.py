"""Rows without a target as one array of numbers each, for what learns to reproduce or to generate them.

A preprocessing here has the two methods of any other (``fit`` on training rows alone, ``apply``), gives
``{"values": (B, ...)}`` instead of features by kind, and has the way back, ``restore``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import jax
import jax.numpy as jnp

from manyfit.data.preprocess import TablePreprocess

Array: TypeAlias = jax.Array


@dataclass(frozen=True)
class Intensities:
    """Pixels as numbers in [0, 1]: uint8 over 255; others by the least and greatest of the training rows.

    >>> pixels = {"pixels": jnp.array([0, 51, 255], jnp.uint8).reshape(3, 1, 1, 1)}
    >>> shades = Intensities()
    >>> shades.apply(shades.fit(pixels, jnp.ones(3)), pixels)["values"].ravel().tolist()
    [0.0, 0.20000000298023224, 1.0]
    """

    def fit(self, inputs: Mapping[str, Array], weight: Array) -> dict[str, Array]:
        """The range of pixels that are no bytes, over the rows whose ``weight`` is above 0."""
        pixels = inputs["pixels"]
        if pixels.dtype == jnp.uint8:
            return {}
        used = (weight > 0).reshape(-1, *[1] * (pixels.ndim - 1))
        low = jnp.min(jnp.where(used, pixels, jnp.inf))
        high = jnp.max(jnp.where(used, pixels, -jnp.inf))
        wide = (low < high) & jnp.isfinite(high - low)
        return {"low": jnp.where(wide, low, 0.0), "span": jnp.where(wide, high - low, 1.0)}

    def apply(self, stats: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """``{"values": float32 (B, H, W, C)}`` in [0, 1]; what lies beyond the training range is held at its ends."""
        pixels = inputs["pixels"]
        if pixels.dtype == jnp.uint8:
            return {"values": pixels.astype(jnp.float32) / 255.0}
        return {"values": jnp.clip((pixels.astype(jnp.float32) - stats["low"]) / stats["span"], 0.0, 1.0)}

    def restore(self, stats: Mapping[str, Array], values: Array) -> dict[str, Array]:
        """``{"pixels": float32 (B, H, W, C)}`` in the units of the data (bytes: 0 to 255, not rounded)."""
        if not stats:
            return {"pixels": values * 255.0}
        return {"pixels": values * stats["span"] + stats["low"]}


@dataclass(frozen=True)
class Vectors:
    """Rows of a table as one vector: standardised numbers, then a place for each value of a category.

    Numbers are those of ``TablePreprocess("standard")``. A missing one is 0 and marked in
    ``observed``, which is there where ``gaps`` says that the data have any; a missing category is
    a value of its own, one that training did not hold is no value at all.
    """

    cardinalities: tuple[int, ...] = ()
    gaps: bool = False

    once: ClassVar[bool] = True
    """Whether rows are better turned into values once than in every batch."""

    @property
    def _table(self) -> TablePreprocess:
        return TablePreprocess("standard", cardinalities=self.cardinalities, gaps=())

    def fit(self, inputs: Mapping[str, Any], weight: Any) -> dict[str, Any]:
        """Centre and scale of every number, and the codes that are known."""
        return self._table.fit(inputs, weight)

    def apply(self, stats: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Array]:
        """``{"values": float32 (B, D)}``, and with ``gaps`` ``observed`` float32 ``(B, D)``, 0 where missing."""
        encoded = self._table.encode(dict(stats), inputs)
        numbers, codes = encoded["numeric"], encoded["category"]
        hot = [jax.nn.one_hot(codes[:, i] - 1, c + 1) for i, c in enumerate(self.cardinalities)]
        there = jnp.isfinite(inputs["numeric"]) if "numeric" in inputs else jnp.ones(numbers.shape, bool)
        numbers = jnp.where(there, numbers, 0.0)
        values = jnp.concatenate([numbers, *hot], axis=1)
        if not self.gaps:
            return {"values": values}
        rest = jnp.ones((len(values), values.shape[1] - numbers.shape[1]))
        return {"values": values, "observed": jnp.concatenate([there.astype(jnp.float32), rest], axis=1)}

    def restore(self, stats: Mapping[str, Any], values: Array) -> dict[str, Array]:
        """``numeric`` ``(B, Fn)`` in the data's units and ``category`` int32 ``(B, Fc)`` codes, -1 for missing."""
        linear = stats["linear"]
        count = linear["centre"].shape[0]
        codes, start = [], count
        for c in self.cardinalities:
            codes.append(jnp.argmax(values[:, start : start + c + 1], axis=1) - 1)
            start += c + 1
        found = jnp.stack(codes, axis=1) if codes else jnp.zeros((len(values), 0), jnp.int32)
        return {
            "numeric": values[:, :count] * linear["scale"] + linear["centre"],
            "category": found.astype(jnp.int32),
        }
