"""Every layer: gradients, members, traced hyper-parameters, dtypes, modes, state and loops."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import draw, gradient_equals_finite_differences, member_equals_solo, traced_once, widen
from flax import nnx
from jax import lax
from layer_rows import NOT_LAYERS, ROWS_OF_LAYERS, Row

from manyfit import nn
from manyfit.engine.keys import key_of, wrap
from manyfit.objectives.module import Functional

every = pytest.mark.parametrize("row", ROWS_OF_LAYERS, ids=lambda row: row.name)
KEY = key_of(5)


def inputs_of(row: Row, dtype=jnp.float32, seed=1):
    shapes = tuple(
        jax.ShapeDtypeStruct(each, dtype) if isinstance(each, tuple) else jnp.asarray(each)
        for each in row.inputs
    )
    return draw(shapes, seed)


def layer_of(row: Row, **traced):
    return Functional(lambda rngs: row.make(rngs, **traced))


LAYERS = {row.name: layer_of(row) for row in ROWS_OF_LAYERS}


@cache
def weights_of(name: str):
    """Fresh weights of a row's layer; compiled as a whole, which is quicker than operation by operation."""
    return jax.jit(LAYERS[name].init)(KEY)


@cache
def forward_of(name: str):
    """``(weights, inputs, key, train=...)`` of a row's layer, compiled once for all tests."""
    layer = LAYERS[name]

    @partial(jax.jit, static_argnames="train")
    def forward(weights, inputs, key, train=True):
        return layer.apply(weights, *inputs, train=train, key=key)

    return forward


def paths(tree):
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    return sorted("/".join(str(part.key) for part in path) for path, _ in flat)


def test_every_public_layer_has_its_row():
    rows = [row.name for row in ROWS_OF_LAYERS]
    assert len(set(rows)) == len(rows)
    assert set(rows) | NOT_LAYERS == set(nn.__all__)


@every
def test_gradients_of_weights_and_inputs(row):
    layer, weights = LAYERS[row.name], weights_of(row.name)
    with jax.enable_x64(True):
        params, inputs = draw(widen(weights.params), 2), inputs_of(row, jnp.float64)

        def value(point):
            params, inputs = point
            return layer.apply(weights._replace(params=params), *inputs, train=True, key=KEY)[0]

        gradient_equals_finite_differences(value, (params, inputs))


@every
def test_member_equals_solo(row):
    layer, init = LAYERS[row.name], jax.jit(LAYERS[row.name].init)
    keys = jax.random.split(KEY, 2)
    members = [(init(key), inputs_of(row, seed=seed)) for seed, key in enumerate(keys)]

    def step(key_data, weights, inputs):
        key = wrap(key_data)

        def loss(params, inputs):
            y, rest = layer.apply(weights._replace(params=params), *inputs, train=True, key=key)
            return jnp.sum(jnp.sin(y)), (y, rest)

        return jax.grad(loss, has_aux=True)(weights.params, inputs)

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    member_equals_solo(step, (jax.random.key_data(keys), *stacked))


@pytest.mark.parametrize("row", [r for r in ROWS_OF_LAYERS if r.traced], ids=lambda row: row.name)
def test_another_value_is_not_traced_again(row):
    inputs = inputs_of(row)
    for name, values in row.traced.items():

        def train(value, name=name):
            layer = layer_of(row, **{name: value})
            return layer.apply(layer.init(KEY), *inputs, train=True, key=KEY)[0]

        traced_once(train, *[(jnp.float32(value),) for value in values])


@every
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16], ids=lambda d: d.__name__)
def test_shape_and_dtype(row, dtype):
    if not row.low and dtype != jnp.float32:
        pytest.skip("takes whole numbers")
    weights, forward = weights_of(row.name), forward_of(row.name)
    y, rest = forward(weights, inputs_of(row, dtype), KEY)
    assert y.shape == row.output
    assert y.dtype == (dtype if row.dtype == "input" else jnp.float32)
    assert np.isfinite(np.asarray(y, np.float32)).all()
    assert jax.tree.map(lambda leaf: leaf.dtype, rest) == jax.tree.map(lambda leaf: leaf.dtype, weights.rest)
    exact = forward(weights, inputs_of(row), KEY)[0]
    # inputs are rounded to 8 or 11 bits, and sums of tens of them follow
    tolerance = {jnp.float32: 1e-5, jnp.bfloat16: 0.06, jnp.float16: 0.01}[dtype]
    np.testing.assert_allclose(np.asarray(y, np.float32), exact, rtol=tolerance, atol=2 * tolerance)


@every
def test_training_and_evaluation(row):
    inputs, weights, forward = inputs_of(row), weights_of(row.name), forward_of(row.name)
    trained, rest = forward(weights, inputs, KEY)
    again, _ = forward(weights, inputs, key_of(6))
    evaluated, kept = forward(weights, inputs, None, train=False)
    assert (not np.array_equal(trained, again)) == (row.mode == "random")
    assert (not np.allclose(trained, evaluated, atol=1e-5)) == (row.mode != "same")
    assert paths(kept) == paths(rest) == paths(weights.rest)
    moved = any(
        not np.array_equal(a, b) for a, b in zip(jax.tree.leaves(rest), jax.tree.leaves(weights.rest))
    )
    assert moved == (row.mode == "statistics")


@every
def test_names_of_the_state(row):
    """What a saved model is found by."""
    weights = weights_of(row.name)
    assert sorted(paths(weights.params) + paths(weights.rest)) == list(row.state)


@every
def test_inside_a_loop(row):
    layer, inputs, weights = LAYERS[row.name], inputs_of(row), weights_of(row.name)

    def step(rest, key):
        y, rest = layer.apply(weights._replace(rest=rest), *inputs, train=True, key=key)
        return rest, y

    keys = jax.random.split(KEY, 3)
    last, together = jax.jit(lambda rest: lax.scan(step, rest, keys))(weights.rest)
    rest, alone = weights.rest, []
    for key in keys:
        y, rest = forward_of(row.name)(weights._replace(rest=rest), inputs, key)
        alone.append(y)
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-5, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), last, rest)


def test_a_traced_momentum_moves_the_running_statistics_by_its_share():
    x = inputs_of(Row("", None, ((8, 3),), ()))[0]

    def after(momentum):
        layer = nn.BatchNorm(3, momentum=momentum, rngs=nnx.Rngs(0))
        layer(x)
        return layer.mean[...]

    traced_once(after, (jnp.float32(0.0),), (jnp.float32(0.9),))
    np.testing.assert_allclose(jax.jit(after)(jnp.float32(0.75)), 0.25 * x.mean(0), rtol=1e-5, atol=1e-6)
