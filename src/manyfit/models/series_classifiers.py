"""Networks over labelled series: residual and inception networks of one-dimensional convolutions, recurrent ones.

All read ``steps`` ``(B, T, C)`` with zeros after each series' end and ``lengths`` ``(B,)``. What lies after the end is
set to zero before every convolution, has no part in the statistics of normalisation and none in the mean over time, so
that a series padded further gives the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.cells import CELLS, Cell, check_cell
from manyfit.models.images import batch_norm, check_whole, resolved
from manyfit.models.textrnn import Reader
from manyfit.models.texts import Pool, check_pool, pooled, real
from manyfit.nn.conv import Conv1d
from manyfit.nn.dropout import Dropout
from manyfit.nn.linear import Linear
from manyfit.nn.normalisation import BatchNorm
from manyfit.nn.pooling import max_pool
from manyfit.space import Numeric


def channels_of(inputs: Inputs, architecture: object) -> int:
    """How many channels there are; raises ``ConfigError`` for features without series."""
    if "steps" not in inputs or len(inputs["steps"].shape) != 3:
        found = ", ".join(f"{name} {spec.shape}" for name, spec in inputs.shapes.items()) or "none"
        raise ConfigError(
            f"{type(architecture).__name__} takes series, steps of shape (B, T, C); the features are: {found}"
        )
    return inputs["steps"].shape[2]


@dataclass(frozen=True)
class SeriesResNet:
    """Three residual blocks of convolutions of 7, 5 and 3 steps, then the mean over time.

    Source: Wang, Yan, Oates (2017), "Time series classification from scratch with deep neural networks", whose
    widths are 64, 128 and 128.
    """

    widths: tuple[int, ...] = (16, 32, 32)
    dropout: Numeric = 0.0

    def __post_init__(self) -> None:
        check_whole(self, widths=self.widths)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``steps`` ``(B, T, C)`` and ``lengths`` ``(B,)`` to ``(B, outputs)``."""
        widths = (channels_of(inputs, self), *self.widths)
        blocks = [_Residual(a, b, rngs) for a, b in itertools.pairwise(widths)]
        return Convolutional(blocks, widths[-1], outputs, resolved(self, "dropout"), rngs)


@dataclass(frozen=True)
class InceptionTime:
    """Convolutions of three lengths side by side behind a bottleneck, a residual connection over every third module.

    One network; the published classifier averages five. Source: Ismail Fawaz et al. (2020), "InceptionTime: finding
    AlexNet for time series classification", whose ``width`` is 32.
    """

    width: int = 16
    depth: int = 6
    sizes: tuple[int, ...] = (39, 19, 9)
    dropout: Numeric = 0.0

    def __post_init__(self) -> None:
        check_whole(self, width=self.width, depth=self.depth, sizes=self.sizes)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``steps`` ``(B, T, C)`` and ``lengths`` ``(B,)`` to ``(B, outputs)``."""
        out = self.width * (len(self.sizes) + 1)
        into = channels_of(inputs, self)
        blocks: list[nnx.Module] = []
        for first in range(0, self.depth, 3):
            blocks.append(_Inceptions(into, self.width, self.sizes, min(3, self.depth - first), rngs))
            into = out
        return Convolutional(blocks, out, outputs, resolved(self, "dropout"), rngs)


class Convolutional(nnx.Module):
    """Blocks over masked steps, the mean over the real ones, a linear layer."""

    def __init__(
        self, blocks: Sequence[nnx.Module], features: int, outputs: int, rate: Any, rngs: nnx.Rngs
    ) -> None:
        self.blocks = nnx.List(blocks)
        self.dropout = Dropout(rate, rngs=rngs)
        self.head = Linear(features, outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x, lengths = features["steps"], features["lengths"]
        there = real(x[..., 0], lengths)
        x = jnp.where(there[..., None], x, 0)
        for block in self.blocks:
            x = block(x, there)
        return self.head(self.dropout(pooled(x, lengths, "mean")))


def masked_norm(norm: BatchNorm, x: jax.Array, there: jax.Array) -> jax.Array:
    """Batch normalisation ``(B, T, C)`` by the real steps, zeros at the others."""
    rows = norm(x.reshape(-1, x.shape[2]), weight=there.reshape(-1).astype(x.dtype))
    return jnp.where(there[..., None], rows.reshape(x.shape), 0)


class _Residual(nnx.Module):
    def __init__(self, into: int, out: int, rngs: nnx.Rngs) -> None:
        widths = (into, out, out, out)
        self.convolutions = nnx.List(
            [
                Conv1d(a, b, size, use_bias=False, rngs=rngs)
                for (a, b), size in zip(itertools.pairwise(widths), (7, 5, 3))
            ]
        )
        self.norms = nnx.List([batch_norm(out, rngs) for _ in range(3)])
        self.shortcut = Linear(into, out, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array, there: jax.Array) -> jax.Array:
        y = x
        for place, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
            y = masked_norm(norm, convolution(y), there)
            y = jax.nn.relu(y) if place < 2 else y
        return jax.nn.relu(y + self.shortcut(x))


class _Inceptions(nnx.Module):
    """Some inception modules and the connection around them."""

    def __init__(self, into: int, width: int, sizes: tuple[int, ...], count: int, rngs: nnx.Rngs) -> None:
        out = width * (len(sizes) + 1)
        widths = [into, *[out] * (count - 1)]
        self.narrow = nnx.List([Linear(a, width, use_bias=False, rngs=rngs) for a in widths])
        self.convolutions = nnx.List(
            [
                nnx.List([Conv1d(width, width, size, use_bias=False, rngs=rngs) for size in sizes])
                for _ in widths
            ]
        )
        self.beside = nnx.List([Linear(a, width, use_bias=False, rngs=rngs) for a in widths])
        self.norms = nnx.List([batch_norm(out, rngs) for _ in widths])
        self.shortcut = Linear(into, out, use_bias=False, rngs=rngs)
        self.shortcut_norm = batch_norm(out, rngs)

    def __call__(self, x: jax.Array, there: jax.Array) -> jax.Array:
        y = x
        for narrow, convolutions, beside, norm in zip(
            self.narrow, self.convolutions, self.beside, self.norms
        ):
            parts = [convolution(narrow(y)) for convolution in convolutions]
            # a maximum that padding's zeros cannot win
            low = jnp.where(there[..., None], y, jnp.finfo(y.dtype).min)
            greatest = jnp.where(there[..., None], max_pool(low, 3, stride=1, padding=1), 0)
            y = jnp.concatenate([*parts, beside(greatest)], axis=-1)
            y = jax.nn.relu(masked_norm(norm, y, there))
        return jax.nn.relu(y + masked_norm(self.shortcut_norm, self.shortcut(x), there))


@dataclass(frozen=True)
class SeriesRNN:
    """A recurrent layer over the steps, in both directions, its outputs pooled over time, a linear layer."""

    cell: Cell = "lstm"
    hidden: int = 64
    layers: int = 1
    bidirectional: bool = True
    pool: Pool = "mean-max"
    dropout: Numeric = 0.2

    def __post_init__(self) -> None:
        check_whole(self, hidden=self.hidden, layers=self.layers)
        check_pool(self, self.pool)
        check_cell(self, self.cell)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``steps`` ``(B, T, C)`` and ``lengths`` ``(B,)`` to ``(B, outputs)``."""
        return SeriesRNNModule(self, channels_of(inputs, self), outputs, rngs)


class SeriesRNNModule(Reader):
    """The module that ``SeriesRNN`` describes."""

    def __init__(self, spec: SeriesRNN, channels: int, outputs: int, rngs: nnx.Rngs) -> None:
        super().__init__(spec, CELLS[spec.cell], channels, outputs, rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        return self.read(features["steps"], features["lengths"])
