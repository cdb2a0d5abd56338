"""A network traced layer by layer: its taps, its graph, and operations counted by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit.nn import Conv2d
from manyfit.trace import Naming, count_flops, trace

ROWS = 4


class Residual(nnx.Module):
    """x + f(x), with the function called in whatever way."""

    def __init__(self, width, function, rngs):
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.dense = nnx.Linear(width, width, rngs=rngs)
        self.function = function

    def __call__(self, x):
        return x + self.function(self.dense(self.norm(x)))


def program(module, x):
    graph, params, rest = nnx.split(module, nnx.Param, ...)
    kept = nnx.to_pure_dict(params), nnx.to_pure_dict(rest)

    def call(naming, weights, x):
        states = nnx.clone(params), nnx.clone(rest)
        for state, values in zip(states, weights):
            nnx.replace_by_pure_dict(state, values)
        module = nnx.merge(graph, *states, copy=True)
        with naming(module):
            return module(x)

    return trace(call, kept, x), call, kept


def flops(module, x, *, whole=False):
    """Operations by layer, of the network or of its gradient by the parameters."""
    found, call, kept = program(module, x)

    def loss(params):
        return jnp.sum(call(Naming(), (params, kept[1]), x))

    counted = count_flops(jax.make_jaxpr(jax.grad(loss))(kept[0]) if whole else found.jaxpr)
    return {found.layers[place].path: count for place, count in counted.items()}


def test_our_convolution_by_hand():
    """On CPU it stands inside a custom vmap, whose program counts as well."""
    layer = Conv2d(16, 32, 3, rngs=nnx.Rngs(0))
    x = jnp.ones((ROWS, 8, 8, 16))
    product = 2 * ROWS * 8 * 8 * 9 * 16 * 32
    bias = ROWS * 8 * 8 * 32
    assert flops(layer, x) == {"": product + bias}
    assert flops(layer, x, whole=True)[""] >= 2 * product + bias


def test_dense_by_hand():
    layer = nnx.Linear(5, 7, rngs=nnx.Rngs(0))
    x = jnp.ones((ROWS, 5))
    assert flops(layer, x) == {"": 2 * ROWS * 5 * 7 + ROWS * 7}
    # the gradient adds dW = x'g; of the sum itself there is nothing to multiply, of the bias a sum
    assert flops(layer, x, whole=True)[""] - flops(layer, x)[""] >= 2 * ROWS * 5 * 7 + ROWS * 7


def test_convolution_by_hand():
    layer = Conv2d(3, 8, 3, rngs=nnx.Rngs(0))
    x = jnp.ones((ROWS, 6, 6, 3))
    pixels = ROWS * 6 * 6 * 8
    assert flops(layer, x) == {"": 2 * pixels * 9 * 3 + pixels}


def test_attention_by_hand():
    width, heads, length = 8, 2, 5
    layer = nnx.MultiHeadAttention(heads, width, decode=False, rngs=nnx.Rngs(0))
    counted = flops(layer, jnp.ones((ROWS, length, width)))
    projection = 2 * ROWS * length * width * width + ROWS * length * width
    assert {counted[name] for name in ("query", "key", "value", "out")} == {projection}
    products = 2 * 2 * ROWS * length * length * width  # scores, and their mean of the values
    scores = ROWS * heads * length * length
    assert products < counted[""] < products + 10 * scores  # a softmax and a scale beside it


def test_a_loop_counts_as_often_as_it_runs():
    length = 9
    cell = nnx.RNN(nnx.SimpleCell(3, 6, rngs=nnx.Rngs(0)))
    once, often = (sum(flops(cell, jnp.ones((ROWS, n, 3))).values()) for n in (1, length))
    assert often == length * once
    assert once >= 2 * ROWS * 6 * (3 + 6)

    def body(c, _):
        return c @ jnp.ones((3, 3)), None

    jaxpr = jax.make_jaxpr(lambda c: jax.lax.scan(body, c, None, length=7)[0])(jnp.ones((2, 3)))
    assert count_flops(jaxpr)[0] == 7 * 2 * 2 * 3 * 3


@pytest.mark.parametrize("whole", [False, True])
def test_counts_are_those_of_the_compiler(whole):
    class Network(nnx.Module):
        def __init__(self, rngs):
            self.conv = nnx.Conv(3, 8, (3, 3), padding="VALID", rngs=rngs)
            self.dense = nnx.Linear(8 * 36, 10, rngs=rngs)

        def __call__(self, x):
            return self.dense(jax.nn.relu(self.conv(x)).reshape(x.shape[0], -1))

    x = jnp.ones((ROWS, 8, 8, 3))
    found, call, kept = program(Network(nnx.Rngs(0)), x)

    def forward(params, x):
        return call(Naming(), (params, kept[1]), x)

    def gradient(params, x):
        return jax.grad(lambda params: jnp.sum(forward(params, x) ** 2))(params)

    function = gradient if whole else forward
    compiled = jax.jit(function).lower(kept[0], x).compile().cost_analysis()
    ours = sum(count_flops(jax.make_jaxpr(function)(kept[0], x)).values())
    # element-wise work is fused, doubled or dropped by the compiler: it is the small part
    assert ours == pytest.approx(compiled["flops"], rel=0.05)
    assert found.jaxpr is not None


FUNCTIONS = {
    "relu": [jax.nn.relu, nnx.relu, lambda x: jnp.maximum(x, 0)],
    "gelu": [jax.nn.gelu, lambda x: nnx.gelu(x, approximate=False)],
    "silu": [jax.nn.silu, nnx.swish],
    "tanh": [jnp.tanh, jax.nn.tanh],
    "sigmoid": [jax.nn.sigmoid, jax.lax.logistic],
    "elu": [jax.nn.elu],
    "softplus": [jax.nn.softplus],
    "leaky_relu": [nnx.leaky_relu],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_activation_function_is_known_however_it_is_called(name):
    for function in FUNCTIONS[name]:
        x = jax.random.normal(jax.random.key(0), (ROWS, 6))
        found, _, kept = program(Residual(6, function, nnx.Rngs(0)), x)
        taps = [tap for tap in found.taps if tap.activation]
        assert [(tap.path, tap.kind) for tap in taps] == [(f"dense:{name}", name)]
        _, values = found.run(kept, x)
        places = {tap.path: i for i, tap in enumerate(found.taps)}
        dense, after = values[places["dense"]], values[places[f"dense:{name}"]]
        np.testing.assert_allclose(after, function(dense), rtol=1e-6)


def test_the_graph_shows_where_branches_meet():
    found, _, _ = program(Residual(6, jax.nn.relu, nnx.Rngs(0)), jnp.ones((ROWS, 6)))
    nodes = [node.name for node in found.graph.nodes]
    assert nodes == ["input", "norm", "dense", "dense:relu", "add 1", "output"]
    edges = {(nodes[e.source], nodes[e.target]) for e in found.graph.edges}
    assert edges == {
        ("input", "norm"),
        ("norm", "dense"),
        ("dense", "dense:relu"),
        ("input", "add 1"),
        ("dense:relu", "add 1"),
        ("add 1", "output"),
    }
    assert {e.shape for e in found.graph.edges} == {(ROWS, 6)}


def test_a_program_computes_what_the_network_computes_and_a_push_is_added():
    module = Residual(6, jax.nn.gelu, nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(1), (ROWS, 6))
    found, _, kept = program(module, x)
    np.testing.assert_array_equal(found.run(kept, x)[0], module(x))
    push = found.zeros()
    push[[tap.path for tap in found.taps].index("dense:gelu")] += 1.0
    np.testing.assert_allclose(found.run(kept, x, push=push)[0], module(x) + 1.0, rtol=1e-5)


def test_classes_are_left_as_they_were():
    before = nnx.Linear.__call__, vars(Residual).get("__call__")
    program(Residual(6, jax.nn.gelu, nnx.Rngs(0)), jnp.ones((ROWS, 6)))
    assert (nnx.Linear.__call__, vars(Residual).get("__call__")) == before
    with pytest.raises(ZeroDivisionError), Naming()(Residual(6, jax.nn.gelu, nnx.Rngs(0))):
        _ = 1 / 0
    assert (nnx.Linear.__call__, vars(Residual).get("__call__")) == before


def test_a_layer_that_is_used_twice_has_two_calls():
    class Twice(nnx.Module):
        def __init__(self, rngs):
            self.dense = nnx.Linear(3, 3, rngs=rngs)

        def __call__(self, x):
            return self.dense(self.dense(x))

    found, _, _ = program(Twice(nnx.Rngs(0)), jnp.ones((ROWS, 3)))
    assert [(tap.path, tap.call) for tap in found.taps] == [("dense", 0), ("dense", 1), ("", 0)]
    assert flops(Twice(nnx.Rngs(0)), jnp.ones((ROWS, 3))) == {"dense": 2 * (2 * ROWS * 9 + ROWS * 3)}
