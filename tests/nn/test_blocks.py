"""Blocks against their formulas in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.special import erf, expit

from manyfit import nn
from manyfit.errors import ConfigError


def draw(*shape):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def test_residual_and_its_shortcut():
    x = draw(4, 3)
    np.testing.assert_allclose(nn.Residual(lambda x: x**2)(x), x + x**2, rtol=1e-6)
    np.testing.assert_allclose(nn.Residual(lambda x: x[:, :2], lambda x: x[:, 1:])(x), x[:, :2] + x[:, 1:])
    with pytest.raises(ConfigError, match=r"\(4, 2\), the shortcut \(4, 3\)"):
        nn.Residual(lambda x: x[:, :2])(x)


def test_a_dropped_branch_leaves_the_row_as_it_was():
    x = draw(200, 3)
    y = np.asarray(nn.Residual(lambda x: x, drop_rate=0.5, rngs=nnx.Rngs(0))(x))
    kept = np.isclose(y, 3 * x, rtol=1e-6).all(1)
    np.testing.assert_array_equal(y[~kept], x[~kept])
    assert 60 < kept.sum() < 140


def test_gated_residual_begins_as_the_identity():
    x = draw(4, 3)
    np.testing.assert_array_equal(nn.GatedResidual(jnp.exp)(x), x)
    np.testing.assert_allclose(nn.GatedResidual(jnp.exp, 0.5)(x), x + 0.5 * np.exp(x), rtol=1e-6)


def test_squeeze_and_excite():
    x, layer = draw(2, 3, 5, 4), nn.SqueezeExcite(4, 2, rngs=nnx.Rngs(0))
    means = np.asarray(x).mean((1, 2))
    hidden = np.maximum(means @ layer.squeeze.kernel[...] + layer.squeeze.bias[...], 0)
    weights = expit(hidden @ layer.excite.kernel[...] + layer.excite.bias[...])
    np.testing.assert_allclose(layer(x), x * weights[:, None, None], rtol=1e-5)
    with pytest.raises(ConfigError, match="spatial"):
        layer(jnp.ones((2, 4)))


@pytest.mark.parametrize(
    ("name", "gate"),
    [
        ("silu", lambda b: b * expit(b)),
        ("sigmoid", expit),
        # JAX's is the tanh approximation, within 5e-4 of this
        ("gelu", lambda b: b * (1 + erf(b / np.sqrt(2))) / 2),
    ],
)
def test_gated_linear_units(name, gate):
    x = np.asarray(draw(3, 6))
    np.testing.assert_allclose(nn.glu(x, name), x[:, :3] * gate(x[:, 3:]), atol=2e-3)
    layer = nn.GatedFeedForward(6, 4, activation=name, rngs=nnx.Rngs(0))
    both = x @ layer.gate_and_value.kernel[...]
    expected = (gate(both[:, :4]) * both[:, 4:]) @ layer.output.kernel[...]
    np.testing.assert_allclose(layer(x), expected, atol=2e-3)
    with pytest.raises(ConfigError, match="even"):
        nn.glu(x[:, :3])


def test_an_unknown_activation_is_named():
    with pytest.raises(ConfigError, match="relu"):
        nn.activation("rleu")
