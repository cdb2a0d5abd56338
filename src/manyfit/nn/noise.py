"""Relatives of dropout: whole channels, whole branches, and noise; their strengths may be traced."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.nn.dropout import Dropout, HyperParam, random_bits


class SpatialDropout(nnx.Module):
    """Dropout of whole channels: ``(B, *spatial, C)``, one draw for each row and channel.

    Neighbouring places carry the same information, so that dropping single ones changes little. Everything
    else is as in ``Dropout``. PyTorch calls it Dropout1d, 2d and 3d. Source: Tompson et al. (2015),
    "Efficient object localization using convolutional networks".

    >>> y = SpatialDropout(0.5, rngs=nnx.Rngs(0))(jnp.ones((4, 5, 5, 8)))
    >>> bool((y == y[:, :1, :1]).all())
    True
    """

    def __init__(self, rate: float | jax.Array | HyperParam, *, rngs: nnx.Rngs | None = None) -> None:
        self.dropout = Dropout(rate, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The same shape and dtype."""
        if x.ndim < 3:
            raise ConfigError(f"SpatialDropout takes (B, *spatial, C), got {x.shape}")
        shape = (x.shape[0], *[1] * (x.ndim - 2), x.shape[-1])
        return x * self.dropout(jnp.ones(shape, x.dtype))


class StochasticDepth(nnx.Module):
    """Leaves out a residual branch for some rows of a batch: ``x + StochasticDepth(rate)(branch(x))``.

    Each row ``(B, …)`` is set to 0 with probability ``rate`` and else scaled by ``1 / (1 - rate)``; in
    evaluation it is the identity. ``rate`` as in ``Dropout``. Also called drop path. Source: Huang et al.
    (2016), "Deep networks with stochastic depth"; a row each as in Larsson et al. (2017), "FractalNet".

    >>> y = StochasticDepth(0.5, rngs=nnx.Rngs(0))(jnp.ones((4, 8)))  # rows of zeros and of twos
    """

    def __init__(self, rate: float | jax.Array | HyperParam, *, rngs: nnx.Rngs | None = None) -> None:
        self.dropout = Dropout(rate, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The same shape and dtype."""
        return x * self.dropout(jnp.ones((x.shape[0], *[1] * (x.ndim - 1)), x.dtype))


class GaussianNoise(nnx.Module):
    """Adds normal noise of standard deviation ``sigma`` in training; the identity in evaluation.

    ``sigma``, in the input's units, may be a traced scalar, one a member. Source: Bishop (1995), "Training
    with noise is equivalent to Tikhonov regularization". Raises ``ConfigError`` for a negative ``sigma``.

    >>> layer = GaussianNoise(0.1, rngs=nnx.Rngs(0))
    >>> layer.eval()
    >>> layer(jnp.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        sigma: float | jax.Array | HyperParam,
        *,
        deterministic: bool | None = False,
        rng_collection: str = "dropout",
        rngs: nnx.Rngs,
    ) -> None:
        if isinstance(sigma, (int, float)) and not sigma >= 0:
            raise ConfigError(f"GaussianNoise(sigma={sigma}): a standard deviation is at least 0")
        self.sigma = sigma if isinstance(sigma, HyperParam) else HyperParam(jnp.asarray(sigma, jnp.float32))
        self.deterministic = deterministic
        self.rngs = rngs[rng_collection].fork()

    def __call__(self, x: jax.Array, *, deterministic: bool | None = None) -> jax.Array:
        """The same shape and dtype."""
        if self.deterministic if deterministic is None else deterministic:
            return x
        wide = jnp.promote_types(x.dtype, jnp.float32)
        # 23 bits and a half, so that the uniform never reaches 0 or 1
        uniform = ((random_bits(self.rngs(), x.shape) >> 9).astype(jnp.float32) + 0.5) * 2.0**-23
        noise = jax.scipy.special.ndtri(uniform).astype(wide)
        return (x.astype(wide) + self.sigma[...].astype(wide) * noise).astype(x.dtype)

    def set_view(self, deterministic: bool | None = None) -> None:
        """What ``nnx.view`` may change."""
        if deterministic is not None:
            self.deterministic = deterministic
