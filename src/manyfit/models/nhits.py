"""N-HiTS: blocks that each read the series at one resolution and forecast at one, what is left going to the next."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.images import check_whole, resolved
from manyfit.models.linear_forecasters import Instance
from manyfit.nn.dropout import Dropout
from manyfit.nn.linear import Linear
from manyfit.space import Numeric


@dataclass(frozen=True)
class NHiTS:
    """Per block: maxima over ``pools`` steps, an MLP, coefficients a ``ratios``-th as many as steps, interpolated.

    A block takes what it can explain of the past off it and adds its part to the forecast; channels share all
    weights. What is ``known`` of past and future steps enters each MLP. ``horizon`` is set by the objective: outputs
    are interpolated within each ``horizon`` of them.

    Source: Challu et al. (2023), "N-HiTS: neural hierarchical interpolation for time series forecasting". With
    ``pools`` and ``ratios`` of 1 it is the generic N-BEATS of Oreshkin et al. (2020).
    """

    pools: tuple[int, ...] = (8, 4, 1)
    ratios: tuple[int, ...] = (8, 4, 1)
    hidden: tuple[int, ...] = (128, 128)
    dropout: Numeric = 0.0
    instance: Instance = "standard"
    horizon: int | None = None
    reads_known: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(self, pools=self.pools, ratios=self.ratios, hidden=self.hidden)
        if len(self.pools) != len(self.ratios):
            raise ConfigError(
                f"NHiTS: {len(self.pools)} pools and {len(self.ratios)} ratios; give each block one"
            )

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``past`` ``(B, L, C)`` to ``(B, C, outputs)``."""
        return NHiTSModule(self, inputs, outputs, rngs)


class NHiTSModule(nnx.Module):
    """The module that ``NHiTS`` describes."""

    def __init__(self, spec: NHiTS, inputs: Inputs, outputs: int, rngs: nnx.Rngs) -> None:
        lookback, self.outputs = inputs["past"].shape[1], outputs
        known = int(np.prod(inputs["known"].shape[1:])) if "known" in inputs else 0
        sizes = (lookback, spec.horizon or outputs, outputs)
        rate = resolved(spec, "dropout")
        self.blocks = nnx.List(
            [
                _Block(min(pool, lookback), ratio, sizes, known, spec.hidden, rate, rngs)
                for pool, ratio in zip(spec.pools, spec.ratios)
            ]
        )

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, C, outputs)``."""
        past = features["past"].swapaxes(1, 2)
        batch, channels, lookback = past.shape
        rest = past.reshape(-1, lookback)
        known = None
        if "known" in features:
            known = jnp.repeat(features["known"].reshape(batch, -1).astype(rest.dtype), channels, axis=0)
        forecast = jnp.zeros((len(rest), self.outputs), rest.dtype)
        for block in self.blocks:
            explained, more = block(rest, known)
            rest, forecast = rest - explained, forecast + more
        return forecast.reshape(batch, channels, self.outputs)


class _Block(nnx.Module):
    """``sizes``: steps seen, steps of a forecast, outputs."""

    def __init__(
        self,
        pool: int,
        ratio: int,
        sizes: tuple[int, int, int],
        known: int,
        hidden: tuple[int, ...],
        rate: Any,
        rngs: nnx.Rngs,
    ) -> None:
        lookback, horizon, outputs = sizes
        self.pool, self.parts, self.horizon, self.lookback = pool, outputs // horizon, horizon, lookback
        pooled, self.ahead = -(-lookback // pool), -(-horizon // ratio)
        widths = (pooled + known, *hidden)
        self.layers = nnx.List([Linear(a, b, rngs=rngs) for a, b in itertools.pairwise(widths)])
        self.dropout = Dropout(rate, rngs=rngs)
        self.back = Linear(widths[-1], pooled, rngs=rngs)
        self.forth = Linear(widths[-1], self.parts * self.ahead, rngs=rngs)

    def __call__(self, x: jax.Array, known: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """``(rows, L)`` -> what it explains of the past ``(rows, L)``, its part of the forecast ``(rows, outputs)``."""
        rows = len(x)
        over = -self.lookback % self.pool  # the oldest step is repeated
        h = jnp.pad(x, ((0, 0), (over, 0)), mode="edge").reshape(rows, -1, self.pool).max(axis=2)
        h = h if known is None else jnp.concatenate([h, known], axis=1)
        for layer in self.layers:
            h = self.dropout(jax.nn.relu(layer(h)))
        back, forth = self.back(h), self.forth(h).reshape(rows * self.parts, self.ahead)
        explained = back @ jnp.asarray(interpolation(back.shape[1], self.lookback), x.dtype)
        forecast = forth @ jnp.asarray(interpolation(self.ahead, self.horizon), x.dtype)
        return explained, forecast.reshape(rows, -1)


def interpolation(knots: int, steps: int) -> np.ndarray:
    """The matrix ``(knots, steps)`` that interpolates linearly between knots in the middle of equal parts.

    >>> interpolation(2, 4).tolist()
    [[1.0, 0.75, 0.25, 0.0], [0.0, 0.25, 0.75, 1.0]]
    """
    at = np.clip((np.arange(steps) + 0.5) * knots / steps - 0.5, 0, knots - 1)
    return np.maximum(0.0, 1.0 - np.abs(at - np.arange(knots)[:, None]))
