"""Normalisation against its formula in float64: large means, weights, blocks, second derivatives, modes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit import nn
from manyfit.errors import ConfigError
from manyfit.nn import _moments
from manyfit.objectives.module import Functional


@pytest.fixture(params=["whole", "blocks"])
def blocks(request, monkeypatch):
    """Arrays of tests are small: a small cache cuts them into blocks."""
    if request.param == "blocks":
        monkeypatch.setattr(_moments, "_BLOCK_BYTES", 256)


def draw(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def formula(x, weight, scale, bias, epsilon):
    share = jnp.repeat(weight, x[0].size // x.shape[-1]).reshape(*x.shape[:-1], 1)
    share = share / share.sum()
    axes = tuple(range(x.ndim - 1))
    mean = (x * share).sum(axes)
    var = ((x - mean) ** 2 * share).sum(axes)
    return (x - mean) / jnp.sqrt(var + epsilon) * scale + bias


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("mean", [0.0, 1e2, 1e4])
def test_a_large_mean_costs_only_the_digits_that_the_input_has_lost(mean):
    x = (draw(8, 4, 4, 3) + np.float32(mean)).astype(np.float32)
    exact = np.asarray(x, np.float64)
    exact = (exact - exact.mean((0, 1, 2))) / np.sqrt(exact.var((0, 1, 2)) + 1e-5)
    y = nn.BatchNorm(3, rngs=nnx.Rngs(0))(x)
    # a mean is known to half a unit in the last place
    np.testing.assert_allclose(y, exact, atol=1e-5 + 2 * np.spacing(np.float32(mean)))
    rows = (draw(5, 64) + np.float32(mean)).astype(np.float32)
    exact = np.asarray(rows, np.float64)
    exact = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-5)
    y = nn.LayerNorm(64, rngs=nnx.Rngs(0))(rows)
    np.testing.assert_allclose(y, exact, atol=1e-5 + 4 * np.spacing(np.float32(mean)))


@pytest.mark.usefixtures("blocks")
def test_rows_without_weight_leave_no_trace():
    x = draw(6, 4, 3)
    weight = jnp.asarray([1.0, 1, 1, 1, 0, 0])
    all_rows, real = nn.BatchNorm(3, rngs=nnx.Rngs(0)), nn.BatchNorm(3, rngs=nnx.Rngs(0))
    y = all_rows(jnp.asarray(x), weight=weight)
    np.testing.assert_allclose(y[:4], real(jnp.asarray(x[:4])), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(all_rows.mean[...], real.mean[...], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(all_rows.var[...], real.var[...], rtol=1e-5)
    before = np.asarray(all_rows.mean[...])
    assert np.isfinite(all_rows(jnp.asarray(x), weight=jnp.zeros(6))).all()
    np.testing.assert_array_equal(all_rows.mean[...], before)


@pytest.mark.usefixtures("blocks")
def test_first_and_second_derivatives_equal_those_of_the_formula():
    with jax.enable_x64(True):
        x, g = jnp.asarray(draw(16, 4, 3, dtype=np.float64)), jnp.asarray(draw(16, 4, 3, seed=1))
        weight = jnp.asarray(np.random.default_rng(2).integers(0, 3, 16), jnp.float64)
        point = (x, jnp.asarray(draw(3, seed=3)) * 1.0, jnp.asarray(draw(3, seed=4)) * 1.0, jnp.asarray(0.1))
        point = tuple(p.astype(jnp.float64) for p in point)

        def ours(x, scale, bias, epsilon):
            layer = nn.BatchNorm(
                3,
                epsilon=nn.HyperParam(epsilon),
                scale_init=lambda *_: scale,
                bias_init=lambda *_: bias,
                rngs=nnx.Rngs(0),
            )
            return layer(x, weight=weight)

        def slow(x, scale, bias, epsilon):
            return formula(x, weight, scale, bias, epsilon)

        def first(f):
            return jax.grad(lambda *a: jnp.sum(jnp.sin(f(*a)) * g), (0, 1, 2, 3))

        def second(f):
            return jax.grad(lambda *a: sum(jnp.sum(jnp.cos(t)) for t in first(f)(*a)), (0, 1, 2, 3))

        for order in (first, second):
            for a, b in zip(order(ours)(*point), order(slow)(*point), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_running_statistics_serve_evaluation_and_no_gradient_flows_to_them():
    x = jnp.asarray(draw(32, 3) * 2 + 1)
    layer = Functional(lambda rngs: nn.BatchNorm(3, momentum=0.0, rngs=rngs))
    weights = layer.init(jax.random.key(0))
    trained, rest = layer.apply(weights, x, train=True, key=jax.random.key(0))
    evaluated, _ = layer.apply(weights._replace(rest=rest), x, train=False)
    np.testing.assert_allclose(trained, evaluated, rtol=1e-5, atol=1e-5)
    gradient = jax.grad(lambda x: layer.apply(weights, x, train=True, key=jax.random.key(0))[1]["mean"].sum())
    np.testing.assert_array_equal(gradient(x), np.zeros_like(x))


def test_one_member_without_finite_values_touches_no_other():
    x = jnp.asarray(draw(2, 8, 3)).at[0].set(jnp.nan)
    layer = nn.BatchNorm(3, rngs=nnx.Rngs(0))
    graph, state = nnx.split(layer)
    y = jax.vmap(lambda x: nnx.merge(graph, state, copy=True)(x))(x)
    np.testing.assert_allclose(y[1], layer(x[1]), rtol=1e-5, atol=1e-6)


def test_without_scale_and_bias():
    assert not jax.tree.leaves(
        nnx.state(nn.BatchNorm(3, use_scale=False, use_bias=False, rngs=nnx.Rngs(0)), nnx.Param)
    )


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: nn.BatchNorm(0, rngs=nnx.Rngs(0)), "at least 1"),
        (lambda: nn.BatchNorm(3, rngs=nnx.Rngs(0))(jnp.ones((2, 4))), r"takes \(B, …, 3\)"),
        (lambda: nn.BatchNorm(3, rngs=nnx.Rngs(0))(jnp.ones((2, 3)), weight=jnp.ones(3)), "one number a row"),
    ],
)
def test_errors_name_the_fault(call, text):
    with pytest.raises(ConfigError, match=text):
        call()
