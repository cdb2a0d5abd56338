"""What a forecaster gives for each step to come, and how it is scored: points, quantiles, distributions.

A head is a frozen dataclass. ``width`` numbers stand for one step of one channel: outputs ``(..., width)``,
target ``(...)``, loss ``(...)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import jax.numpy as jnp
from jax.scipy.special import gammaln, ndtri

from manyfit.errors import ConfigError, nearest
from manyfit.losses._arrays import Array, wide
from manyfit.losses.likelihoods import gaussian

LEVELS = (0.1, 0.5, 0.9)


class ForecastHead(Protocol):
    """What the outputs of a forecaster mean."""

    @property
    def width(self) -> int: ...

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles that it tells, none for points."""
        ...

    def __call__(self, outputs: Array, target: Array) -> Array:
        """The loss of every step, ``(...)``."""
        ...

    def placed(self, outputs: Array, location: Array, scale: Array) -> Array:
        """The outputs of ``location + scale * x`` where ``outputs`` are those of ``x``."""
        ...

    def point(self, outputs: Array) -> Array:
        """One value for every step, ``(...)``."""
        ...

    def quantiles(self, outputs: Array) -> Array:
        """``(..., levels)``."""
        ...


@dataclass(frozen=True)
class PointForecast:
    """The mean (``squared``) or the median (``absolute``) of what is to come."""

    error: str = "squared"
    width = 1
    levels = ()

    def __call__(self, outputs: Array, target: Array) -> Array:
        residual = wide(outputs[..., 0]) - target
        return jnp.abs(residual) if self.error == "absolute" else jnp.square(residual)

    def placed(self, outputs: Array, location: Array, scale: Array) -> Array:
        """Moved and scaled."""
        return outputs * scale[..., None] + location[..., None]

    def point(self, outputs: Array) -> Array:
        """The value itself."""
        return wide(outputs[..., 0])

    def quantiles(self, outputs: Array) -> Array:
        """None, ``(..., 0)``."""
        return outputs[..., :0]


@dataclass(frozen=True)
class QuantileForecast:
    """Several quantiles by the pinball loss, averaged over the levels (Koenker & Bassett, 1978)."""

    levels: tuple[float, ...] = LEVELS

    def __post_init__(self) -> None:
        if not self.levels or any(not 0 < level < 1 for level in self.levels):
            raise ConfigError(f"QuantileForecast(levels={self.levels}): give levels between 0 and 1")
        if tuple(sorted(self.levels)) != tuple(self.levels):
            raise ConfigError(f"QuantileForecast(levels={self.levels}): give levels in rising order")

    @property
    def width(self) -> int:
        """An output a level."""
        return len(self.levels)

    def __call__(self, outputs: Array, target: Array) -> Array:
        residual = target[..., None] - wide(outputs)
        level = jnp.asarray(self.levels, residual.dtype)
        return jnp.mean(jnp.maximum(level * residual, (level - 1) * residual), axis=-1)

    def placed(self, outputs: Array, location: Array, scale: Array) -> Array:
        """Moved and scaled."""
        return outputs * scale[..., None] + location[..., None]

    def point(self, outputs: Array) -> Array:
        """The quantile nearest to the median."""
        middle = min(range(self.width), key=lambda i: abs(self.levels[i] - 0.5))
        return wide(outputs[..., middle])

    def quantiles(self, outputs: Array) -> Array:
        """In rising order, whatever the network gives."""
        return jnp.sort(wide(outputs), axis=-1)


@dataclass(frozen=True)
class GaussianForecast:
    """A normal distribution of each step: its mean and the logarithm of its variance."""

    levels: tuple[float, ...] = LEVELS
    width = 2

    def __call__(self, outputs: Array, target: Array) -> Array:
        return gaussian(outputs[..., 0], outputs[..., 1], target)

    def placed(self, outputs: Array, location: Array, scale: Array) -> Array:
        """The mean moved and scaled, the variance scaled."""
        mean = outputs[..., 0] * scale + location
        return jnp.stack([mean, outputs[..., 1] + 2 * jnp.log(scale)], axis=-1)

    def point(self, outputs: Array) -> Array:
        """The mean."""
        return wide(outputs[..., 0])

    def quantiles(self, outputs: Array) -> Array:
        """Those of the normal distribution."""
        mean, log_variance = wide(outputs[..., :1]), wide(outputs[..., 1:])
        return mean + jnp.exp(0.5 * log_variance) * ndtri(jnp.asarray(self.levels))


@dataclass(frozen=True)
class StudentTForecast:
    """Student's t of ``freedom`` degrees: a location and the logarithm of a scale; far values cost less."""

    freedom: float = 5.0
    levels: tuple[float, ...] = LEVELS
    width = 2

    def __call__(self, outputs: Array, target: Array) -> Array:
        location, log_scale = wide(outputs[..., 0]), jnp.maximum(wide(outputs[..., 1]), math.log(1e-3))
        n = self.freedom
        z = (target - location) * jnp.exp(-log_scale)
        constant = gammaln((n + 1) / 2) - gammaln(n / 2) - 0.5 * math.log(n * math.pi)
        return log_scale - constant + 0.5 * (n + 1) * jnp.log1p(z * z / n)

    def placed(self, outputs: Array, location: Array, scale: Array) -> Array:
        """Location moved and scaled, scale scaled."""
        centre = outputs[..., 0] * scale + location
        return jnp.stack([centre, outputs[..., 1] + jnp.log(scale)], axis=-1)

    def point(self, outputs: Array) -> Array:
        """The location."""
        return wide(outputs[..., 0])

    def quantiles(self, outputs: Array) -> Array:
        """Those of the t distribution."""
        from scipy.special import stdtrit

        factor = jnp.asarray([float(stdtrit(self.freedom, level)) for level in self.levels], jnp.float32)
        return wide(outputs[..., :1]) + jnp.exp(wide(outputs[..., 1:])) * factor


HEADS: dict[str, ForecastHead] = {
    "squared": PointForecast("squared"),
    "absolute": PointForecast("absolute"),
    "quantile": QuantileForecast(),
    "gaussian": GaussianForecast(),
    "student-t": StudentTForecast(),
}
"""Every head that a configuration may name."""

FORECAST_PARTS = (PointForecast, QuantileForecast, GaussianForecast, StudentTForecast)


def named_head(name: str) -> ForecastHead:
    """The head of that name; raises ``ConfigError`` with the nearest one."""
    if name not in HEADS:
        raise ConfigError(f"unknown loss of forecasts {name!r}: {nearest(name, HEADS)}")
    return HEADS[name]
