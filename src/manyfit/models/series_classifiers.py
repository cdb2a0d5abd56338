"""Networks over labelled series: a residual network of one-dimensional convolutions, and an LSTM."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.models.architecture import Inputs
from manyfit.models.images import batch_norm, check_whole
from manyfit.nn.conv import Conv1d
from manyfit.nn.linear import Linear


@dataclass(frozen=True)
class SeriesResNet:
    """Three residual blocks of convolutions of 7, 5 and 3 steps, then the mean over time.

    Source: Wang, Yan, Oates (2017), "Time series classification from scratch with deep neural networks".
    """

    widths: tuple[int, ...] = (32, 64, 64)

    def __post_init__(self) -> None:
        check_whole(self, widths=self.widths)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``steps`` ``(B, T, C)`` to ``(B, outputs)``."""
        return SeriesResNetModule(self, inputs["steps"].shape[2], outputs, rngs)


class SeriesResNetModule(nnx.Module):
    """The module that ``SeriesResNet`` describes."""

    def __init__(self, spec: SeriesResNet, channels: int, outputs: int, rngs: nnx.Rngs) -> None:
        widths = (2 * channels, *spec.widths)
        self.blocks = nnx.List([_Block(a, b, rngs) for a, b in itertools.pairwise(widths)])
        self.head = Linear(widths[-1], outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x = features["steps"]
        there = ~jnp.isnan(x)
        x = jnp.concatenate([jnp.where(there, x, 0), there.astype(x.dtype)], axis=-1)
        for block in self.blocks:
            x = block(x)
        return self.head(jnp.mean(x, axis=1))


class _Block(nnx.Module):
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

    def __call__(self, x: jax.Array) -> jax.Array:
        y = x
        for place, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
            y = norm(convolution(y))
            y = jax.nn.relu(y) if place < 2 else y
        return jax.nn.relu(y + self.shortcut(x))
