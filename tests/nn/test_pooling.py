"""Pooling against lax.reduce_window, whose values, gradients and ties it must have."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn.pooling import avg_pool, global_avg_pool, max_pool

CASES = [
    ((2, 6, 8, 3), 2, None, "VALID"),
    ((2, 7, 9, 3), 2, None, "VALID"),  # a remainder is dropped
    ((2, 6, 6, 3), (3, 2), None, "VALID"),
    ((2, 7, 7, 3), 3, 2, "SAME"),
    ((2, 8, 8, 3), 3, 2, "SAME"),
    ((2, 8, 8, 3), 3, 2, 1),
    ((2, 5, 5, 3), 2, 1, "VALID"),
    ((2, 6, 6, 3), 2, 3, "VALID"),  # pixels between the windows are never seen
    ((2, 5, 5, 1), 3, 1, ((2, 0), (0, 1))),
]


def windows(x, window, stride, padding, start, reduce):
    size = (window, window) if isinstance(window, int) else window
    strides = size if stride is None else (stride, stride)
    if isinstance(padding, int):
        padding = ((padding, padding),) * 2
    pads = padding if isinstance(padding, str) else ((0, 0), *padding, (0, 0))
    return lax.reduce_window(x, start, reduce, (1, *size, 1), (1, *strides, 1), pads)


def slow_max(x, *shape):
    return windows(x, *shape, -jnp.inf, lax.max)


def slow_avg(x, *shape):
    return windows(x, *shape, 0.0, lax.add) / windows(jnp.ones_like(x), *shape, 0.0, lax.add)


def check(ours, theirs, x, shape):
    expected, vjp = jax.vjp(lambda x: theirs(x, *shape), x)
    value, own = jax.vjp(lambda x: ours(x, *shape), x)
    g = jnp.asarray(np.random.default_rng(1).integers(-8, 8, expected.shape), x.dtype)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(own(g)[0], vjp(g)[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("image", "window", "stride", "padding"), CASES)
@pytest.mark.parametrize("pool", [(max_pool, slow_max), (avg_pool, slow_avg)], ids=["max", "avg"])
def test_equals_reduce_window(pool, image, window, stride, padding):
    x = jnp.asarray(np.random.default_rng(0).normal(size=image), jnp.float32)
    check(*pool, x, (window, stride, padding))


@pytest.mark.parametrize(("image", "window", "stride", "padding"), CASES)
def test_ties_go_to_the_first_as_in_reduce_window(image, window, stride, padding):
    x = jnp.asarray(np.random.default_rng(0).integers(0, 2, image), jnp.float32)
    check(max_pool, slow_max, x, (window, stride, padding))
    check(max_pool, slow_max, jnp.zeros(image), (window, stride, padding))


def test_vmap_equals_loop_and_keeps_members_apart():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2, 6, 6, 2)), jnp.float32).at[1].set(jnp.nan)
    gradient = jax.grad(lambda x: jnp.sum(max_pool(x) ** 2))
    together = jax.vmap(gradient)(x)
    for i in (0, 2):
        np.testing.assert_array_equal(together[i], gradient(x[i]))
    assert np.isnan(max_pool(x[1])).all()


def test_low_precision_and_global():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 6, 3)), jnp.bfloat16)
    assert max_pool(x).dtype == avg_pool(x).dtype == global_avg_pool(x).dtype == jnp.bfloat16
    y = np.asarray(x, np.float64)
    np.testing.assert_allclose(
        np.asarray(global_avg_pool(x), np.float64), y.reshape(2, 24, 3).mean(1), rtol=0.02, atol=0.01
    )


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: max_pool(jnp.ones((4, 4, 1))), "B, H, W, C"),
        (lambda: global_avg_pool(jnp.ones((4, 4, 1))), "B, H, W, C"),
        (lambda: max_pool(jnp.ones((1, 4, 4, 1), jnp.uint8)), "floating-point"),
        (lambda: max_pool(jnp.ones((1, 4, 4, 1)), 5), "does not fit"),
        (lambda: avg_pool(jnp.ones((1, 4, 4, 1)), 2, 1, 2), "not smaller than the window"),
        (lambda: max_pool(jnp.ones((1, 4, 4, 1)), 0), "window=0"),
    ],
)
def test_errors_name_the_fault(call, text):
    with pytest.raises(ConfigError, match=text):
        call()
