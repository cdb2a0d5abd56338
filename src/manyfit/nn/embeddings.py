"""Embeddings of a table's columns: numbers and categories as vectors, without one operation a column.

Gorishniy, Rubachev, Babenko (2022), "On Embeddings for Numerical Features in Tabular Deep Learning".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


class PiecewiseLinearEmbedding(nnx.Module):
    """A learned piecewise-linear function of each number, of ``width`` outputs.

    It takes the scaled numbers ``(batch, features)`` and their piecewise-linear
    encoding ``(batch, features, bins)`` (see ``manyfit.data.TablePreprocess``)
    and gives ``(batch, features, width)``; each feature has weights of its own.

    The scaled number enters beside its encoding, so that a straight line need
    not be put together from bins: where rows are few, it never would be.

    >>> layer = PiecewiseLinearEmbedding(3, 16, 8, rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((4, 3)), jnp.ones((4, 3, 16))).shape
    (4, 3, 8)
    """

    def __init__(self, features: int, bins: int, width: int, *, rngs: nnx.Rngs) -> None:
        _positive("PiecewiseLinearEmbedding", features=features, bins=bins, width=width)
        # The encoding is cumulative: its ones and zeros are not centred, each bin adds to the one before.
        start = nnx.initializers.variance_scaling(
            1.0, "fan_in", "normal", in_axis=1, out_axis=2, batch_axis=0
        )
        self.kernel = nnx.Param(start(rngs.params(), (features, bins, width)))
        self.slope = nnx.Param(0.5 * jax.random.normal(rngs.params(), (features, width)))
        self.bias = nnx.Param(jnp.zeros((features, width)))

    def __call__(self, numbers: jax.Array, encoded: jax.Array) -> jax.Array:
        """``(batch, features, width)``."""
        bent = jnp.einsum("bfk,fkw->bfw", encoded, self.kernel[...])
        return numbers[:, :, None] * self.slope[...] + self.bias[...] + bent


class PeriodicEmbedding(nnx.Module):
    """PLR: sines and cosines of each number at learned frequencies, a linear layer, a ReLU.

    ``(batch, features)`` -> ``(batch, features, width)``. The frequencies (in
    cycles per unit) of each feature start as normal draws of deviation
    ``sigma``; each feature has weights of its own.

    >>> layer = PeriodicEmbedding(3, 16, 8, sigma=0.1, rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((4, 3))).shape
    (4, 3, 8)
    """

    def __init__(
        self, features: int, frequencies: int, width: int, sigma: float | jax.Array = 0.1, *, rngs: nnx.Rngs
    ) -> None:
        _positive("PeriodicEmbedding", features=features, frequencies=frequencies, width=width)
        self.frequencies = nnx.Param(jax.random.normal(rngs.params(), (features, frequencies)) * sigma)
        # A cosine and its sine together have mean square 1: He's rule with a fan-in of `frequencies`.
        draws = jax.random.normal(rngs.params(), (features, 2 * frequencies, width))
        self.kernel = nnx.Param(draws * math.sqrt(2 / frequencies))
        self.bias = nnx.Param(jnp.zeros((features, width)))

    def __call__(self, numbers: jax.Array) -> jax.Array:
        """``(batch, features, width)``."""
        angle = 2 * math.pi * numbers[:, :, None] * self.frequencies[...]
        waves = jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], axis=2)
        return nnx.relu(jnp.einsum("bfk,fkw->bfw", waves, self.kernel[...]) + self.bias[...])


class CategoryEmbedding(nnx.Module):
    """Categories as one row of numbers: small columns one-hot, larger ones through learned vectors.

    ``cardinalities`` counts each column's codes with 0 (unknown) and 1
    (missing), as ``TablePreprocess.apply`` gives them. Columns of at most
    ``one_hot`` codes enter as indicators of the codes 1, 2, ...; the others
    get vectors of one common ``width``, drawn with deviation ``scale``.
    Unknown is the zero vector in both: nothing that could be learned of it
    would have come from training rows.

    ``(batch, columns)`` int32 -> ``(batch, self.width)``: the indicators, then
    the vectors, each in the order of the columns. ``width=None`` takes
    ``1.6 n**0.56`` for the largest column's ``n`` codes, at most 32.

    All larger columns are looked up at once. Up to ``dense`` table rows (padding to the largest
    column counted) that is a product with a one-hot matrix, whose gradient is a product too;
    beyond, rows are gathered, whose gradient is a scatter. On CPU the two cost the same near
    100 rows; at 400 the product takes twice as long.

    >>> layer = CategoryEmbedding((4, 100), width=8, rngs=nnx.Rngs(0))
    >>> layer(jnp.zeros((5, 2), jnp.int32)).shape, layer.width
    ((5, 11), 11)
    """

    def __init__(
        self,
        cardinalities: Sequence[int],
        width: int | None = None,
        *,
        one_hot: int = 10,
        scale: float = 1.0,
        dense: int = 128,
        rngs: nnx.Rngs,
    ) -> None:
        sizes = tuple(int(c) for c in cardinalities)
        if any(c < 2 for c in sizes):
            raise ValueError(f"CategoryEmbedding{sizes}: a column has at least the codes unknown and missing")
        self.small = tuple(i for i, c in enumerate(sizes) if c <= one_hot)
        self.large = tuple(i for i, c in enumerate(sizes) if c > one_hot)
        self.sizes = sizes
        rows = max((sizes[i] - 1 for i in self.large), default=0)
        each = min(32, math.ceil(1.6 * (rows + 1) ** 0.56)) if width is None else width
        self.dense = rows * len(self.large) <= dense
        _positive("CategoryEmbedding", width=each)
        draws = (
            jax.random.normal(rngs.params(), (len(self.large), rows, each)) * scale if self.large else None
        )
        self.table = nnx.data(None if draws is None else nnx.Param(draws))
        self.width = sum(sizes[i] - 1 for i in self.small) + len(self.large) * each

    def __call__(self, codes: jax.Array) -> jax.Array:
        """``(batch, self.width)`` float32."""
        parts = [jnp.zeros((codes.shape[0], 0))]
        if self.small:
            columns = np.repeat(self.small, [self.sizes[i] - 1 for i in self.small])
            values = np.concatenate([np.arange(1, self.sizes[i]) for i in self.small]).astype(np.int32)
            parts.append((codes[:, columns] == values).astype(jnp.float32))
        if self.table is not None:
            vectors = self._vectors(codes[:, np.array(self.large)] - 1, self.table[...])
            parts.append(vectors.reshape(codes.shape[0], -1))
        return jnp.concatenate(parts, axis=1)

    def _vectors(self, places: jax.Array, table: jax.Array) -> jax.Array:
        """``(batch, columns, width)``: rows of the table, zero where a place is -1."""
        columns, rows, width = table.shape
        if self.dense:
            hot = (places[:, :, None] == np.arange(rows, dtype=np.int32)).astype(table.dtype)
            return jnp.einsum("bcr,crw->bcw", hot, table)
        flat = jnp.maximum(places, 0) + np.arange(columns, dtype=np.int32) * rows
        found = jnp.take(table.reshape(columns * rows, width), flat, axis=0, mode="clip")
        return jnp.where(places[:, :, None] >= 0, found, 0.0)


def _positive(name: str, **sizes: int) -> None:
    for argument, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name}({argument}={value}): give a whole number of at least 1")
