"""Losses of values: how far an output lies from its target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from manyfit.losses._arrays import Array, alike, check, over_outputs
from manyfit.losses.loss import Regression
from manyfit.space import Numeric


def squared_error(outputs: Array, target: Array) -> Array:
    """``(outputs - target)^2``, averaged over the outputs of an example."""
    return over_outputs(jnp.square(_residual(outputs, target)))


def absolute_error(outputs: Array, target: Array) -> Array:
    """``|outputs - target|``, averaged over the outputs of an example."""
    return over_outputs(jnp.abs(_residual(outputs, target)))


def huber(outputs: Array, target: Array, delta: Any = 1.0) -> Array:
    """``r^2 / 2`` where ``|r| <= delta``, else ``delta (|r| - delta / 2)``, averaged over the outputs.

    ``delta`` is in the units of the target as the model sees it (standardised, usually).

    Source: Huber (1964), "Robust estimation of a location parameter".
    """
    residual = jnp.abs(_residual(outputs, target))
    delta = jnp.asarray(delta, residual.dtype)
    near = jnp.minimum(residual, delta)
    return over_outputs(0.5 * near * near + delta * (residual - near))


def log_cosh(outputs: Array, target: Array) -> Array:
    """``log cosh(r)``: ``r^2 / 2`` near 0, ``|r| - log 2`` far from it, smooth; averaged over the outputs."""
    residual = _residual(outputs, target)
    # log cosh r = |r| + log(1 + e^(-2|r|)) - log 2, by even halves: no overflow, exact slope at 0
    halves = jnp.logaddexp(residual, -residual) - math.log(2.0)
    return over_outputs(halves)


def quantile(outputs: Array, target: Array, level: Any = 0.5) -> Array:
    """The pinball loss ``max(level r, (level - 1) r)`` with ``r = target - output``.

    Its minimiser is the quantile of ``level`` in (0, 1). Several levels at once: ``outputs``
    ``(B, levels)``, ``target`` ``(B,)`` and ``level`` an array ``(levels,)``. Averaged over the outputs.

    Source: Koenker & Bassett (1978), "Regression quantiles".
    """
    level = jnp.asarray(level)
    if level.ndim == 1:
        target = jnp.broadcast_to(target[..., None], outputs.shape)
    residual = -_residual(outputs, target)
    level = level.astype(residual.dtype)
    return over_outputs(jnp.maximum(level * residual, (level - 1.0) * residual))


@dataclass(frozen=True)
class SquaredError(Regression):
    """Squared error; its minimiser is the mean."""

    def __call__(self, outputs: Array, target: Array) -> Array:
        return squared_error(outputs, target)


@dataclass(frozen=True)
class AbsoluteError(Regression):
    """Absolute error; its minimiser is the median."""

    def __call__(self, outputs: Array, target: Array) -> Array:
        return absolute_error(outputs, target)


@dataclass(frozen=True)
class Huber(Regression):
    """Huber's loss: squared near 0, absolute beyond ``delta``; see ``huber``."""

    delta: Numeric = 1.0

    def __post_init__(self) -> None:
        check(self, "delta", 1e-12, float("inf"))

    def __call__(self, outputs: Array, target: Array) -> Array:
        return huber(outputs, target, self.delta)


@dataclass(frozen=True)
class LogCosh(Regression):
    """A smooth absolute error; see ``log_cosh``."""

    def __call__(self, outputs: Array, target: Array) -> Array:
        return log_cosh(outputs, target)


@dataclass(frozen=True)
class Quantile(Regression):
    """The pinball loss of one quantile; predictions are that quantile. See ``quantile``."""

    level: Numeric = 0.5
    judges = True

    def __post_init__(self) -> None:
        check(self, "level", 0.0, 1.0, above=True)

    def __call__(self, outputs: Array, target: Array) -> Array:
        return quantile(outputs, target, self.level)


def _residual(outputs: Array, target: Array) -> Array:
    outputs, target = alike(outputs, target)
    return outputs - target
