"""Whole-channel dropout, stochastic depth and noise against their definitions."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit import nn
from manyfit.errors import ConfigError


@pytest.mark.parametrize("spatial", [(5,), (3, 4), (2, 3, 2)])
def test_channels_fall_together_and_the_mean_stays(spatial):
    x = jnp.ones((200, *spatial, 50))
    y = np.asarray(nn.SpatialDropout(0.3, rngs=nnx.Rngs(0))(x)).reshape(200, -1, 50)
    assert (y == y[:, :1]).all()
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.7], rtol=1e-6)
    # 10,000 draws: 5 standard deviations of a binomial
    assert abs((y[:, 0] == 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 10_000)


def test_rows_fall_whole_and_the_mean_stays():
    y = np.asarray(nn.StochasticDepth(0.2, rngs=nnx.Rngs(1))(jnp.ones((10_000, 3, 2)))).reshape(10_000, -1)
    assert (y == y[:, :1]).all()
    assert abs((y[:, 0] == 0).mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / 10_000)
    np.testing.assert_allclose(y[y != 0], 1.25, rtol=1e-6)


def test_noise_is_normal_with_its_deviation():
    y = np.asarray(nn.GaussianNoise(2.0, rngs=nnx.Rngs(0))(jnp.full(100_000, 3.0))) - 3
    assert abs(y.mean()) < 5 * 2 / np.sqrt(100_000)
    assert abs(y.std() - 2) < 5 * 2 / np.sqrt(200_000)
    for quantile, place in ((0.025, -1.959964), (0.5, 0.0), (0.975, 1.959964)):
        share = (y < 2 * place).mean()
        assert abs(share - quantile) < 5 * np.sqrt(quantile * (1 - quantile) / 100_000)


def test_static_zero_costs_nothing_and_evaluation_is_the_identity():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3, 2)), jnp.float32)
    for layer in (nn.SpatialDropout(0.0), nn.StochasticDepth(0.0)):
        np.testing.assert_array_equal(layer(x), x)
    for make in (nn.SpatialDropout, nn.StochasticDepth, nn.GaussianNoise):
        layer = make(0.9, rngs=nnx.Rngs(0))
        layer.eval()
        np.testing.assert_array_equal(layer(x), x)


def test_what_is_refused():
    with pytest.raises(ConfigError, match="spatial"):
        nn.SpatialDropout(0.5, rngs=nnx.Rngs(0))(jnp.ones((2, 3)))
    for sigma in (-1.0, float("nan")):
        with pytest.raises(ConfigError, match="at least 0"):
            nn.GaussianNoise(sigma, rngs=nnx.Rngs(0))
