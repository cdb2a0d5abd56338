"""Linear forecasters: one matrix from the steps seen to the steps to come, shared by all channels or one each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.models.architecture import Inputs
from manyfit.models.images import check_whole

Instance = Literal["none", "last", "standard"]
"""How each window is normalised and the forecast moved back: not at all, by its last value, by mean and deviation."""


@dataclass(frozen=True)
class LinearForecaster:
    """``forecast = W past + b``, channel by channel; with a ``kernel`` trend and rest have a matrix each.

    ``kernel=25, instance="none"`` is DLinear and ``instance="last"`` NLinear of Zeng et al. (2023), "Are
    transformers effective for time series forecasting?"; ``instance="standard"`` is RLinear of Li et al. (2023),
    "Revisiting long-term time series forecasting", whose normalisation is RevIN (Kim et al., 2022) without its
    affine part. ``shared`` has one matrix for all channels.
    """

    kernel: int = 0
    instance: Instance = "none"
    shared: bool = True

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``past`` ``(B, L, C)`` to ``(B, C, outputs)``."""
        _, lookback, channels = inputs["past"].shape
        return LinearForecasterModule(self, lookback, channels, outputs, rngs)


class LinearForecasterModule(nnx.Module):
    """The module that ``LinearForecaster`` describes."""

    def __init__(
        self, spec: LinearForecaster, lookback: int, channels: int, outputs: int, rngs: nnx.Rngs
    ) -> None:
        self.kernel, self.shared = spec.kernel, spec.shared
        bound = 1 / math.sqrt(lookback)
        shape = (lookback, outputs) if spec.shared else (channels, lookback, outputs)

        def matrix() -> nnx.Param:
            return nnx.Param(jax.random.uniform(rngs.params(), shape, jnp.float32, -bound, bound))

        self.rest = matrix()
        self.trend = matrix() if spec.kernel > 1 else nnx.data(None)
        bias = (outputs,) if spec.shared else (channels, outputs)
        self.bias = nnx.Param(jnp.zeros(bias))

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, C, outputs)``."""
        x = features["past"].swapaxes(1, 2)
        bias = self.bias[...].astype(x.dtype)
        if self.trend is None:
            return self._product(x, self.rest) + bias
        smooth = moving_average(x, self.kernel)
        return self._product(x - smooth, self.rest) + self._product(smooth, self.trend) + bias

    def _product(self, x: jax.Array, matrix: nnx.Param) -> jax.Array:
        weights = matrix[...].astype(x.dtype)
        if not self.shared:
            return jnp.einsum("bcl,clo->bco", x, weights)
        rows = x.reshape(-1, x.shape[-1]) @ weights  # one product over all rows is XLA:CPU's fast one
        return rows.reshape(*x.shape[:2], -1)


def moving_average(x: jax.Array, kernel: int) -> jax.Array:
    """The mean of ``kernel`` steps around each, the ends repeated: ``(..., L)`` -> the same shape."""
    before = (kernel - 1) // 2
    edges = [(0, 0)] * (x.ndim - 1) + [(before, kernel - 1 - before)]
    padded = jnp.pad(x, edges, mode="edge")
    sums = jnp.cumsum(jnp.pad(padded, [(0, 0)] * (x.ndim - 1) + [(1, 0)]), axis=-1)
    return (sums[..., kernel:] - sums[..., :-kernel]) / kernel


@dataclass(frozen=True)
class SparseForecaster:
    """One small matrix from past periods to periods to come, shared by all phases of the period.

    The series is first smoothed over a period and added to itself. For a clear season it needs a few hundred
    weights. Source: Lin et al. (2024), "SparseTSF: modeling long-term time series forecasting with 1k parameters".
    """

    period: int = 24
    instance: Instance = "standard"

    def __post_init__(self) -> None:
        check_whole(self, period=self.period)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``past`` ``(B, L, C)`` to ``(B, C, outputs)``."""
        return SparseForecasterModule(self, inputs["past"].shape[1], outputs, rngs)


class SparseForecasterModule(nnx.Module):
    """The module that ``SparseForecaster`` describes."""

    def __init__(self, spec: SparseForecaster, lookback: int, outputs: int, rngs: nnx.Rngs) -> None:
        self.period, self.outputs = min(spec.period, lookback), outputs
        self.seen, self.ahead = lookback // self.period, -(-outputs // self.period)
        bound = 1 / math.sqrt(self.seen)
        self.matrix = nnx.Param(
            jax.random.uniform(rngs.params(), (self.seen, self.ahead), jnp.float32, -bound, bound)
        )
        window = 1 + 2 * (self.period // 2)
        start = jax.random.uniform(
            rngs.params(), (window,), jnp.float32, -1 / math.sqrt(window), 1 / math.sqrt(window)
        )
        self.smooth = nnx.Param(start)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, C, outputs)``."""
        x = features["past"].swapaxes(1, 2)
        weights, matrix = self.smooth[...].astype(x.dtype), self.matrix[...].astype(x.dtype)
        half, steps = self.period // 2, x.shape[-1]
        padded = jnp.pad(x, ((0, 0), (0, 0), (half, half)))
        x = x + sum(weights[i] * padded[..., i : i + steps] for i in range(len(weights)))
        x = x[..., steps - self.seen * self.period :]
        x = x.reshape(*x.shape[:2], self.seen, self.period)
        y = jnp.einsum("bcsp,sa->bcap", x, matrix)
        return y.reshape(*y.shape[:2], -1)[..., : self.outputs]
