"""Sums over channels against NumPy, their gradients, and members apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.nn._reductions import add_bias, channel_sum


def draw(*shape, dtype=np.float32, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


@pytest.mark.parametrize("shape", [(7, 3), (2, 5, 4, 6), (1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16])
def test_sums_all_but_the_channels(shape, dtype):
    x = draw(*shape, dtype=dtype)
    total = channel_sum(x)
    assert total.dtype == dtype
    expected = np.asarray(x, np.float64).reshape(-1, shape[-1]).sum(0)
    # bfloat16 keeps eight bits
    np.testing.assert_allclose(
        np.asarray(total, np.float64), expected, rtol=0.02 if dtype != np.float32 else 1e-5, atol=0.05
    )


def test_members_stay_apart_and_gradients_are_exact():
    x, bias = draw(3, 2, 4, 5), draw(3, 5, seed=1)

    def value(x, bias):
        return jnp.sum(jnp.sin(channel_sum(jnp.tanh(add_bias(x, bias)))))

    def plain(x, bias):
        return jnp.sum(jnp.sin(jnp.tanh(x + bias).sum((0, 1))))

    got = jax.jit(jax.vmap(jax.value_and_grad(value, (0, 1))))(x, bias)
    expected = jax.vmap(jax.value_and_grad(plain, (0, 1)))(x, bias)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), got, expected)


def test_second_derivative():
    x, bias = draw(6, 3), draw(3, seed=1)

    def penalty(add):
        def slope(bias):
            return jnp.sum(jax.grad(lambda b: jnp.sum(jnp.tanh(add(x, b))))(bias) ** 2)

        return jax.grad(slope)(bias)

    np.testing.assert_allclose(penalty(add_bias), penalty(jnp.add), rtol=1e-4, atol=1e-5)
