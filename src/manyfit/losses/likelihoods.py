"""Negative log-likelihoods: the model gives a distribution of the target, not a point."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, xlogy

from manyfit.losses._arrays import Array, alike, wide
from manyfit.losses.loss import Regression

_FLOOR = 1e-6
"""The least variance: what a model that is sure of everything is held to, in squared units of the target."""


def gaussian(mean: Array, log_variance: Array, target: Array) -> Array:
    """``(log 2 pi + log v + (t - m)^2 / v) / 2`` in nats, all of one shape, with ``v`` at least 1e-6.

    Source: Nix & Weigend (1994), "Estimating the mean and variance of the target distribution".
    """
    mean, target = alike(mean, target)
    log_variance = jnp.maximum(wide(log_variance), math.log(_FLOOR))
    return 0.5 * (math.log(2 * math.pi) + log_variance + jnp.square(target - mean) * jnp.exp(-log_variance))


def poisson(log_rate: Array, target: Array) -> Array:
    """``r - t log r + log t!`` in nats for counts ``t``; the model gives ``log r``.

    Above a rate of 1e17 the exponential goes on as a straight line, so that a wild output stays finite.
    """
    log_rate, target = alike(log_rate, target)
    return _exp(log_rate) - target * log_rate + gammaln(target + 1.0)


def negative_binomial(log_mean: Array, log_dispersion: Array, target: Array) -> Array:
    """The negative log-likelihood of counts of mean ``m`` and variance ``m + a m^2``, in nats.

    The model gives ``log m`` and ``log a`` (taken within 30 of 0); as ``a`` goes to 0 it becomes Poisson's.
    Source: Hilbe (2011), "Negative binomial regression", NB2.
    """
    log_mean, target = alike(log_mean, target)
    log_shape = jnp.clip(-wide(log_dispersion), -30.0, 30.0)  # r = 1 / a
    shape = jnp.exp(log_shape)
    log_total = jnp.logaddexp(log_shape, log_mean)  # log(r + m)
    rising = _rising(shape, target)  # log Gamma(r + t) / Gamma(r) - t log(r + t)
    success = target * (log_mean - log_total + jnp.log(shape + target))
    return shape * jax.nn.softplus(log_mean - log_shape) - success - rising + gammaln(target + 1.0)


def _rising(shape: Array, count: Array) -> Array:
    """``log(Gamma(r + t) / Gamma(r)) - t log(r + t)``; Stirling's series for large ``r``, where both cancel."""
    large = jnp.maximum(shape, 8.0)
    ahead = 1.0 / (large + count) - 1.0 / large
    cubes = (large + count) ** -3 - large**-3
    series = (large - 0.5) * jnp.log1p(count / large) - count + ahead / 12.0 - cubes / 360.0
    small = jnp.minimum(shape, 8.0)
    direct = gammaln(small + count) - gammaln(small) - count * jnp.log(small + count)
    return jnp.where(shape > 8.0, series, direct)


def _exp(x: Array) -> Array:
    """The exponential up to 40, then the straight line that continues it."""
    return jnp.exp(jnp.minimum(x, 40.0)) * (1.0 + jnp.maximum(x - 40.0, 0.0))


@dataclass(frozen=True)
class Gaussian(Regression):
    """A mean and a variance for every row (``gaussian``); predictions are the mean."""

    width = 2
    judges = True

    def __call__(self, outputs: Array, target: Array) -> Array:
        return gaussian(outputs[..., 0], outputs[..., 1], target)

    def predict(self, outputs: Array) -> Array:
        """The mean, ``(batch,)``."""
        return outputs[..., 0]


@dataclass(frozen=True)
class Poisson(Regression):
    """Counts whose variance is their mean (``poisson``); predictions are that mean."""

    standardised = False
    judges = True

    def __call__(self, outputs: Array, target: Array) -> Array:
        return poisson(outputs, target)

    def predict(self, outputs: Array) -> Array:
        """The rate, ``(batch,)``."""
        return _exp(wide(outputs[..., 0]))


@dataclass(frozen=True)
class NegativeBinomial(Regression):
    """Counts that vary more than their mean (``negative_binomial``); predictions are the mean."""

    width = 2
    standardised = False
    judges = True

    def __call__(self, outputs: Array, target: Array) -> Array:
        return negative_binomial(outputs[..., 0], outputs[..., 1], target)

    def predict(self, outputs: Array) -> Array:
        """The mean, ``(batch,)``."""
        return _exp(wide(outputs[..., 0]))


def gaussian_divergence(mean: Array, log_variance: Array) -> Array:
    """``KL(N(m, v) || N(0, 1))`` in nats, summed over the last axis (Kingma & Welling, 2014, appendix B)."""
    mean, log_variance = wide(mean), wide(log_variance)
    return 0.5 * jnp.sum(jnp.square(mean) + jnp.exp(log_variance) - 1.0 - log_variance, axis=-1)


def bernoulli_divergence(probability: Array, prior: Array) -> Array:
    """``KL(Bernoulli(p) || Bernoulli(q))`` in nats, element by element; the penalty of a sparse code."""
    p, q = wide(probability), jnp.asarray(prior, wide(probability).dtype)
    return (
        xlogy(p, p)
        - xlogy(p, q)
        + jax.scipy.special.xlog1py(1 - p, -p)
        - jax.scipy.special.xlog1py(1 - p, -q)
    )
