"""The parallel scan is the loop, and so is its gradient; a minimal GRU by hand, linear recurrent units by a loop."""

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


def test_linear_recurrent_units_are_their_definition_in_a_loop():
    layer = nn.LRU(2, 3, rngs=nnx.Rngs(0))
    x = np.random.default_rng(1).normal(size=(2, 5, 2)).astype(np.float32)
    decay, phase, gain, into, out, skip = (
        np.asarray(getattr(layer, name)[0][...], np.float64)
        for name in ("decay", "phase", "gain", "input_weight", "output_weight", "skip")
    )
    turn = np.exp(-np.exp(decay) + 1j * np.exp(phase))
    read_in, read_out = into[:, :3] + 1j * into[:, 3:], out[:3] + 1j * out[3:]
    h, expected = np.zeros((2, 3), complex), []
    for t in range(5):
        h = turn * h + np.exp(gain) * (x[:, t] @ read_in)
        expected.append((h @ read_out).real + x[:, t] @ skip)
    outputs, state = layer(x)
    np.testing.assert_allclose(outputs, np.stack(expected, axis=1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state[0], np.concatenate([h.real, h.imag], axis=-1), rtol=1e-4, atol=1e-5)


def test_linear_recurrent_units_keep_inputs_at_their_size_and_never_grow():
    layer = nn.LRU(16, 64, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(2), (8, 2000, 16))
    _, state = layer(x)
    assert 0.7 < jnp.sqrt(jnp.mean(jnp.sum(state.reshape(8, 2, 64) ** 2, axis=1))) < 1.4  # gamma's purpose
    layer.decay[0][...] = jnp.full(64, -30.0)  # whatever is learned
    turn, _ = layer._step(0, x[:1, :1])
    assert (jnp.abs(turn) <= 1 + 1e-6).all()


def test_errors():
    with pytest.raises(ConfigError, match="at least 1"):
        nn.MinGRU(0, 3, rngs=nnx.Rngs(0))
    with pytest.raises(ConfigError, match="takes sequences"):
        nn.MinGRU(2, 3, rngs=nnx.Rngs(0))(jnp.ones((2, 3)))
    with pytest.raises(ConfigError, match="initial state"):
        nn.MinGRU(2, 3, rngs=nnx.Rngs(0))(jnp.ones((1, 2, 2)), initial=jnp.ones((1, 2, 2)))
    with pytest.raises(ConfigError, match="one direction"):
        nn.MinGRU(2, 3, bidirectional=True, rngs=nnx.Rngs(0))(
            jnp.ones((1, 2, 2)), fresh=jnp.ones((1, 2), bool)
        )
    with pytest.raises(ConfigError, match="longest"):
        nn.LRU(2, 3, longest=1.0, rngs=nnx.Rngs(0))
