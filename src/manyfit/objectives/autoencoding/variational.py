"""Variational autoencoders: a distribution of codes for each row, a prior over them, a bound on the likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.engine.objective import Array, Key, PyTree
from manyfit.errors import ConfigError
from manyfit.losses.likelihoods import gaussian_divergence
from manyfit.models.images import check_whole
from manyfit.objectives.autoencoding.base import Autoencoding, Likelihood, Lost, Net
from manyfit.optim.numbers import number
from manyfit.space import Numeric

STRANGE_SAMPLES = 16
"""Importance samples behind the strangeness of a row."""


@dataclass(frozen=True)
class Variational(Autoencoding):
    """What the variational kinds share: a normal posterior of each row's code, a standard normal prior."""

    samples: int = 1
    """Codes that are drawn for each row."""

    heads: ClassVar[int] = 2
    probabilistic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self, samples=self.samples)
        if self.likelihood == "squared":
            raise ConfigError(
                f"{type(self).__name__} bounds a log-likelihood: give likelihood='gaussian' or 'bernoulli'"
            )

    def posterior(self, net: Net, values: Array) -> tuple[Array, Array]:
        """Mean and logarithm of the variance of each row's code, ``(B, latent)`` both."""
        mean, log_variance = jnp.split(net.encode(values), 2, axis=-1)
        return mean, jnp.clip(log_variance, -20.0, 10.0)

    def codes(self, net: Net, values: Array) -> Array:
        """The posterior means."""
        return self.posterior(net, values)[0]

    def draw(self, mean: Array, log_variance: Array, key: Key, count: int, *, alike: bool = False) -> Array:
        """``count`` codes of each row, ``(count, B, latent)``, a differentiable function of the posterior.

        ``alike`` draws the same noise for every row.
        """
        noise = jax.random.normal(key, (count, 1 if alike else mean.shape[0], mean.shape[1]))
        return mean + jnp.exp(0.5 * log_variance) * noise

    def log_likelihoods(self, net: Net, codes: Array, values: Array, observed: Array) -> Array:
        """``log p(x | z)`` of codes ``(S, B, latent)``: ``(S, B)``."""
        count, rows = codes.shape[:2]
        outputs = net.decode(codes.reshape(count * rows, -1)).reshape(count, *values.shape)
        return -jax.vmap(lambda out: self.distance(net, out, values, observed))(outputs)

    def log_weights(
        self, net: Net, values: Array, observed: Array, key: Key, count: int, *, alike: bool = False
    ) -> Array:
        """``log p(x, z) - log q(z | x)`` of ``count`` codes drawn for each row: ``(count, B)``."""
        mean, log_variance = self.posterior(net, values)
        codes = self.draw(mean, log_variance, key, count, alike=alike)
        far = (codes - mean) ** 2 * jnp.exp(-log_variance)
        prior = -0.5 * jnp.sum(codes**2, axis=-1)
        drawn = -0.5 * jnp.sum(far + log_variance, axis=-1)  # log 2 pi is in both
        return self.log_likelihoods(net, codes, values, observed) + prior - drawn

    def importance_bound(
        self, net: Net, values: Array, observed: Array, key: Key, count: int, *, alike: bool = False
    ) -> Array:
        """The importance-weighted bound on ``log p(x)`` from ``count`` codes, ``(B,)`` (Burda et al., 2016, eq. 8)."""
        found = self.log_weights(net, values, observed, key, count, alike=alike)
        return jax.nn.logsumexp(found, axis=0) - math.log(count)

    def log_likelihood(self, model: PyTree, data: PyTree, key: Key, count: int, block: int = 50) -> Array:
        """An estimate of ``log p(x)`` of rows from ``count`` importance samples ``(B,)``, in nats.

        Low on average, by less the more samples. ``block`` samples are drawn at once and ``count`` is
        rounded up to whole blocks. With ``binarise`` the values are drawn once, from ``key``.
        """
        draw, key = jax.random.split(key)
        values, observed = self.seen(self.values(model["prepared"], data), draw)
        net = self.net(*model["weights"])
        blocks = -(-count // block)

        def add(total: Array, place: Array) -> tuple[Array, None]:
            here = self.log_weights(net, values, observed, jax.random.fold_in(key, place), block)
            return jnp.logaddexp(total, jax.nn.logsumexp(here, axis=0)), None

        total, _ = lax.scan(add, jnp.full(len(values), -jnp.inf), jnp.arange(blocks))
        return total - math.log(blocks * block)

    def sample(self, model: PyTree, key: Key, count: int) -> Array:
        """``count`` rows ``(count, ...)`` from the prior, float32 in the units of the data.

        They are what the decoder means; the noise that the likelihood puts around it is left out. Raises
        ``ConfigError`` for rows with categories.
        """
        found = self.restore(model, jax.random.normal(key, (count, self.latent)))
        if "pixels" in found:
            return found["pixels"]
        if found["category"].shape[1]:
            raise ConfigError(
                "rows with categories cannot be drawn: train on the columns of numbers (--drop)"
            )
        return found["numeric"]

    def strange(self, net: Net, values: Array, observed: Array, key: Key) -> Array:
        """The negative log-likelihood of each row, from importance samples."""
        return -self.importance_bound(net, values, observed, key, STRANGE_SAMPLES, alike=True)


@dataclass(frozen=True)
class VAE(Variational):
    """Maximise the evidence lower bound, ``E log p(x | z) - beta KL(q(z | x) || p(z))``, in nats a row.

    The divergence is exact (Kingma & Welling, 2014, appendix B). ``beta`` other than 1 weighs it (Higgins et
    al., 2017, "beta-VAE"); ``free_bits`` nats of each number of the code, averaged over the batch, cost nothing
    (Kingma et al., 2016). Epochs and trials are compared by the bound itself, beta 1. Without
    a likelihood of its own choice a table is ``gaussian``.
    """

    likelihood: Likelihood = "gaussian"
    beta: Numeric = 1.0
    free_bits: Numeric = 0.0

    def lost(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The negative bound, its divergence weighed."""
        mean, log_variance = self.posterior(net, values)
        codes = self.draw(mean, log_variance, key, self.samples)
        distance = -jnp.mean(self.log_likelihoods(net, codes, values, observed), axis=0)
        parts = gaussian_divergence(mean[..., None], log_variance[..., None])  # (B, latent)
        kl = jnp.sum(parts, axis=1)
        average = jnp.mean(parts, axis=0)
        excess = jnp.sum(jnp.maximum(number(self.free_bits) - average, 0.0))
        # where a number is below its allowance its gradient is taken away again
        paid = jnp.sum(jnp.where(average < number(self.free_bits), lax.stop_gradient(parts), parts), axis=1)
        return Lost(distance + number(self.beta) * (paid + lax.stop_gradient(excess)), {"kl": kl})

    def judged(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The negative bound at beta 1, and the divergence in it."""
        mean, log_variance = self.posterior(net, values)
        codes = self.draw(mean, log_variance, key, self.samples)
        distance = -jnp.mean(self.log_likelihoods(net, codes, values, observed), axis=0)
        kl = gaussian_divergence(mean, log_variance)
        return Lost(distance + kl, {"kl": kl})


@dataclass(frozen=True)
class IWAE(Variational):
    """Maximise the importance-weighted bound of ``samples`` codes a row, tighter the more there are.

    Source: Burda, Grosse & Salakhutdinov (2016), "Importance weighted autoencoders".
    """

    likelihood: Likelihood = "gaussian"
    samples: int = 5

    def lost(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The negative bound."""
        return Lost(-self.importance_bound(net, values, observed, key, self.samples), {})

    def judged(self, net: Net, values: Array, observed: Array, key: Key) -> Lost:
        """The negative bound, and the divergence of the posterior from the prior."""
        kl = gaussian_divergence(*self.posterior(net, values))
        return Lost(-self.importance_bound(net, values, observed, key, self.samples), {"kl": kl})
