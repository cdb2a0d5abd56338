"""Positions against their published formulas."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit import nn
from manyfit.errors import ConfigError


def test_sinusoidal_is_the_papers_formula():
    table = nn.sinusoidal(jnp.arange(50), 8)
    for place, i in ((0, 0), (3, 1), (49, 3)):
        angle = place / 10_000 ** (2 * i / 8)
        np.testing.assert_allclose(table[place, i], math.sin(angle), atol=1e-5)
        np.testing.assert_allclose(table[place, 4 + i], math.cos(angle), atol=1e-5)


@pytest.mark.parametrize(
    "layer", [nn.SinusoidalPositions(), nn.LearnedPositions(9, 4, rngs=nnx.Rngs(0))], ids=["sines", "learned"]
)
def test_a_start_is_a_place_in_the_whole(layer):
    x = jnp.zeros((2, 3, 4))
    whole = layer(jnp.zeros((1, 9, 4)))[0]
    parts = layer(x, start=jnp.array([0, 5]))
    np.testing.assert_allclose(parts, np.stack([whole[:3], whole[5:8]]), atol=1e-6)


def test_products_of_rotated_vectors_depend_on_distance_alone():
    q, k = jax.random.normal(jax.random.key(0), (2, 1, 1, 1, 8))

    def product(t, s):
        return float(jnp.vdot(nn.rotary(q, jnp.array([t])), nn.rotary(k, jnp.array([s]))))

    assert product(3, 1) == pytest.approx(product(12, 10), abs=1e-4)
    assert product(3, 1) != pytest.approx(product(3, 2), abs=1e-2)
    assert product(0, 0) == pytest.approx(float(jnp.vdot(q, k)), abs=1e-5)


def test_rotary_turns_each_pair_by_its_angle():
    x = jnp.zeros((1, 1, 1, 6)).at[..., 1].set(1.0)
    turned = nn.rotary(x, jnp.array([7]))[0, 0, 0]
    angle = 7 / 10_000 ** (2 / 6)
    np.testing.assert_allclose(turned, [0, math.cos(angle), 0, 0, math.sin(angle), 0], atol=1e-6)


def test_rotary_takes_positions_of_each_row():
    x = jax.random.normal(jax.random.key(1), (2, 3, 2, 4))
    rows = nn.rotary(x, jnp.array([[0, 1, 2], [4, 5, 6]]))
    np.testing.assert_allclose(rows[1:], nn.rotary(x[1:], jnp.arange(4, 7)), atol=1e-6)


def test_alibi_slopes_are_the_published_ones():
    np.testing.assert_allclose(nn.alibi_slopes(4), [2**-2, 2**-4, 2**-6, 2**-8])
    twelve = [*(2.0**-i for i in range(1, 9)), *(2.0 ** -(i + 0.5) for i in range(4))]
    np.testing.assert_allclose(nn.alibi_slopes(12), twelve, rtol=1e-6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="even"):
        nn.sinusoidal(jnp.arange(3), 5)
    with pytest.raises(ConfigError, match="even"):
        nn.rotary(jnp.ones((1, 2, 1, 3)), jnp.arange(2))
    with pytest.raises(ConfigError, match="9 places"):
        nn.LearnedPositions(9, 4, rngs=nnx.Rngs(0))(jnp.ones((1, 10, 4)))
