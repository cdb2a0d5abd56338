"""Pooling against lax.reduce_window, whose values, gradients and ties it must have."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn.pooling import (
    adaptive_avg_pool,
    adaptive_max_pool,
    avg_pool,
    global_avg_pool,
    global_max_pool,
    max_pool,
)

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
    ((2, 9, 3), 3, 2, "SAME"),
    ((2, 8, 3), 2, None, "VALID"),
    ((1, 4, 6, 4, 2), 2, None, "VALID"),
    ((1, 5, 4, 5, 2), 3, 2, 1),
]


def windows(x, window, stride, padding, start, reduce):
    dims = x.ndim - 2
    size = (window,) * dims if isinstance(window, int) else window
    strides = size if stride is None else (stride,) * dims
    if isinstance(padding, int):
        padding = ((padding, padding),) * dims
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


def test_dilation_equals_reduce_window():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 9, 3)), jnp.float32)
    expected = lax.reduce_window(
        x, -jnp.inf, lax.max, (1, 3, 2, 1), (1, 2, 1, 1), "VALID", window_dilation=(1, 2, 3, 1)
    )
    np.testing.assert_array_equal(max_pool(x, (3, 2), (2, 1), dilation=(2, 3)), expected)


def test_padding_may_count_as_zeros():
    x = jnp.ones((1, 4, 1))
    np.testing.assert_allclose(avg_pool(x, 3, 2, 1)[0, :, 0], [1, 1])
    np.testing.assert_allclose(avg_pool(x, 3, 2, 1, count_include_pad=True)[0, :, 0], [2 / 3, 1])


@pytest.mark.parametrize(
    ("shape", "output"), [((2, 7, 3), 3), ((2, 7, 5, 2), (3, 2)), ((1, 6, 5, 4, 2), (3, 3, 1))]
)
def test_adaptive_bins_one_by_one(shape, output):
    x = np.random.default_rng(0).integers(0, 5, shape).astype(np.float32)  # with ties
    counts = (output,) if isinstance(output, int) else output
    means, greatest = np.empty((shape[0], *counts, shape[-1])), np.empty((shape[0], *counts, shape[-1]))
    gradient = np.zeros_like(x)
    for bins in np.ndindex(*counts):
        box = [
            slice(int(np.floor(i * n / m)), int(np.ceil((i + 1) * n / m)))
            for i, n, m in zip(bins, shape[1:-1], counts)
        ]
        means[(slice(None), *bins)] = x[(slice(None), *box)].mean(axis=tuple(range(1, len(box) + 1)))
        for b, c in np.ndindex(shape[0], shape[-1]):
            inside = x[(b, *box, c)]
            first = np.unravel_index(np.argmax(inside), inside.shape)
            greatest[(b, *bins, c)] = inside[first]
            gradient[(b, *(s.start + i for s, i in zip(box, first)), c)] += 1
    np.testing.assert_allclose(adaptive_avg_pool(x, output), means, rtol=1e-6)
    np.testing.assert_array_equal(adaptive_max_pool(x, output), greatest)
    total = jax.grad(lambda x: adaptive_max_pool(x, output).sum())(jnp.asarray(x))
    np.testing.assert_array_equal(total, gradient)


def test_the_global_maximum_gives_its_gradient_to_the_first_of_equals():
    x = jnp.asarray([[3.0, 1.0], [3.0, jnp.nan]]).reshape(1, 2, 2, 1).transpose(0, 1, 3, 2)
    y, pull = jax.vjp(global_max_pool, x)
    np.testing.assert_array_equal(y, [[3.0, jnp.nan]])
    np.testing.assert_array_equal(pull(jnp.ones_like(y))[0].reshape(2, 2), [[1, 0], [0, 0]])


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
        (lambda: max_pool(jnp.ones((4, 1))), "B, H, W, C"),
        (lambda: global_avg_pool(jnp.ones((4, 1))), "B, H, W, C"),
        (lambda: max_pool(jnp.ones((1, 4, 4, 1), jnp.uint8)), "floating-point"),
        (lambda: max_pool(jnp.ones((1, 4, 4, 1)), 5), "does not fit"),
        (lambda: avg_pool(jnp.ones((1, 4, 4, 1)), 2, 1, 2), "not smaller than the window"),
        (lambda: max_pool(jnp.ones((1, 4, 4, 1)), 0), "window=0"),
        (lambda: adaptive_avg_pool(jnp.ones((1, 4, 4, 1)), (2, 2, 2)), "output="),
    ],
)
def test_errors_name_the_fault(call, text):
    with pytest.raises(ConfigError, match=text):
        call()
