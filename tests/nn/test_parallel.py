"""The parallel scan is the loop, and so is its gradient; a minimal GRU by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit import nn
from manyfit.errors import ConfigError


def loop(a, b):
    """The recurrence as its definition has it."""
    h, out = jnp.zeros_like(b[0]), []
    for t in range(len(a)):
        h = a[t] * h + b[t]
        out.append(h)
    return jnp.stack(out)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_it_is_the_loop_and_so_is_its_gradient(steps):
    with jax.enable_x64(True):
        a, b, g = np.random.default_rng(0).normal(size=(3, steps, 2, 3))
        np.testing.assert_allclose(nn.linear_scan(a, b), loop(a, b), rtol=1e-12)
        for here, there in zip(jax.vjp(nn.linear_scan, a, b)[1](g), jax.vjp(loop, a, b)[1](g), strict=True):
            np.testing.assert_allclose(here, there, rtol=1e-10, atol=1e-12)


def test_a_minimal_gru_by_hand():
    layer = nn.MinGRU(1, 1, rngs=nnx.Rngs(0))
    layer.weight[0][...], layer.bias[0][...] = jnp.array([[0.0, 2.0]]), jnp.array([0.0, 1.0])
    outputs, state = layer(jnp.array([[[1.0], [0.0]]]))
    np.testing.assert_allclose(outputs[0, :, 0], [0.5 * 3, 0.5 * 1.5 + 0.5 * 1])
    assert state[0, 0, 0] == outputs[0, 1, 0]


def test_errors():
    with pytest.raises(ConfigError, match="at least 1"):
        nn.MinGRU(0, 3, rngs=nnx.Rngs(0))
    with pytest.raises(ConfigError, match="takes sequences"):
        nn.MinGRU(2, 3, rngs=nnx.Rngs(0))(jnp.ones((2, 3)))
    with pytest.raises(ConfigError, match="initial state"):
        nn.MinGRU(2, 3, rngs=nnx.Rngs(0))(jnp.ones((1, 2, 2)), initial=jnp.ones((1, 2, 2)))
