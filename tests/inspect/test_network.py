"""Networks looked into: gradients as by hand, dead units found, the verdicts on deep networks."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from manyfit import nn
from manyfit.errors import ConfigError
from manyfit.inspect import inspect_network
from manyfit.inspect.verdict import flow

X = jax.random.normal(jax.random.key(0), (64, 16))


class Deep(nnx.Module):
    """Many dense layers, one behind the other."""

    def __init__(self, rngs, depth=30, function=jax.nn.relu, scale=2.0, residual=False):
        start = nnx.initializers.variance_scaling(scale, "fan_in", "normal")
        self.layers = nnx.List([nnx.Linear(16, 16, kernel_init=start, rngs=rngs) for _ in range(depth)])
        self.norms = nnx.List([nnx.LayerNorm(16, rngs=rngs) for _ in range(depth if residual else 0)])
        self.head = nnx.Linear(16, 3, rngs=rngs)
        self.function, self.residual = function, residual

    def __call__(self, x):
        for i, layer in enumerate(self.layers):
            x = x + self.function(layer(self.norms[i](x))) if self.residual else self.function(layer(x))
        return self.head(x)


def arrays(network):
    """Everything that a network holds, its keys as numbers."""
    leaves = jax.tree.leaves(nnx.to_pure_dict(nnx.state(network)))
    return [jax.random.key_data(a) if jnp.issubdtype(a.dtype, jax.dtypes.prng_key) else a for a in leaves]


def kinds(network):
    return {verdict.kind for verdict in inspect_network(network, X).verdicts}


def test_a_deep_sigmoid_network_vanishes():
    assert "vanishing" in kinds(Deep(nnx.Rngs(0), function=jax.nn.sigmoid, scale=1.0))


def test_a_badly_scaled_network_explodes():
    assert "exploding" in kinds(Deep(nnx.Rngs(0), scale=30.0))


def test_a_residual_network_is_healthy():
    network = Deep(nnx.Rngs(0), depth=12, function=jax.nn.gelu, scale=1.0, residual=True)
    assert inspect_network(network, X).verdicts == []
    assert "gradients reach every layer" in inspect_network(network, X).text()


def test_a_head_of_zeros_blocks_the_gradient():
    network = Deep(nnx.Rngs(0), depth=3)
    network.head.kernel[...] = jnp.zeros((16, 3))
    (verdict,) = (
        v for v in inspect_network(network, X, loss=lambda y: jnp.sum(y + 1)).verdicts if v.kind == "blocked"
    )
    assert "layers.2" in verdict.text


def test_gradients_that_are_not_finite_explode():
    assert flow([1.0, float("nan"), 1.0]) == "exploding"
    assert flow([float("inf"), 1.0]) == "exploding"


def test_dead_units_are_counted():
    network = Deep(nnx.Rngs(1), depth=2)
    bias = np.zeros(16, np.float32)
    bias[:5] = -1e3
    network.layers[0].bias[...] = jnp.asarray(bias)
    report = inspect_network(network, X)
    found = np.asarray(jax.nn.relu(network.layers[0](X))).max(axis=0) == 0
    assert found[:5].all()
    assert report["layers.0:relu"].dead.tolist() == [found.sum()]
    assert any(v.kind == "dead" and v.path == "layers.0:relu" for v in report.verdicts)


def test_saturated_units_are_counted():
    network = Deep(nnx.Rngs(1), depth=1, function=jnp.tanh, scale=1.0)
    network.layers[0].bias[...] = jnp.asarray([20.0] * 4 + [0.0] * 12)
    report = inspect_network(network, X)
    assert report["layers.0:tanh"].saturated.tolist() == [4]
    assert "saturated" in {v.kind for v in report.verdicts}


def test_gradients_and_statistics_are_those_by_hand():
    network = Deep(nnx.Rngs(2), depth=2)
    graph, params, rest = nnx.split(network, nnx.Param, ...)

    def loss(params):
        return jnp.mean(nnx.merge(graph, params, rest)(X) ** 2)

    report = inspect_network(network, X, loss=lambda y: jnp.mean(y**2), optimizer=optax.sgd(0.1))
    gradient = nnx.to_pure_dict(jax.grad(loss)(params))
    for path, part in (("layers.0", gradient["layers"][0]), ("head", gradient["head"])):
        by_hand = np.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(part)))
        assert report[path].weight_gradient[0] == pytest.approx(by_hand, rel=1e-5)
        assert report[path].update_ratio[0] == pytest.approx(
            0.1 * by_hand / report[path].weight_norm[0], rel=1e-5
        )

    def rest_of(a):  # from the first layer's output on
        return jnp.mean(network.head(jax.nn.relu(network.layers[1](jax.nn.relu(a)))) ** 2)

    at = network.layers[0](X)
    assert report["layers.0"].gradient[0] == pytest.approx(
        float(jnp.linalg.norm(jax.grad(rest_of)(at))), rel=1e-5
    )
    assert report["layers.0"].mean[0] == pytest.approx(float(at.mean()), abs=1e-6)
    assert report["layers.0"].std[0] == pytest.approx(float(at.std()), rel=1e-4)
    assert report["layers.0"].norm[0] == pytest.approx(float(jnp.linalg.norm(at, axis=1).mean()), rel=1e-5)
    assert report["layers.0:relu"].zeros[0] == pytest.approx(float((at <= 0).mean()), abs=1e-6)
    assert report.loss[0] == pytest.approx(float(loss(params)), rel=1e-5)


def test_sizes_and_costs_are_those_by_hand():
    report = inspect_network(Deep(nnx.Rngs(0), depth=2), X)
    dense, last = 16 * 16 + 16, 16 * 3 + 3
    assert (report.parameters, report["layers.0"].parameters) == (2 * dense + last, dense)
    assert report["layers.0"].forward_flops == 2 * 16 * 16 + 16
    # dW and db, and for a layer that is not the first the gradient by its input
    assert report["layers.0"].backward_flops == pytest.approx(2 * 16 * 16 + 16, rel=0.01)
    assert report["layers.1"].backward_flops == pytest.approx(2 * 2 * 16 * 16 + 16, rel=0.01)
    assert report.forward_flops >= 2 * (2 * 256 + 16) + 2 * 48 + 3 + 2 * 16


def test_stacked_members_are_those_alone():
    @nnx.vmap
    def make(key):
        return Deep(nnx.Rngs(key), depth=2)

    keys = jax.random.split(jax.random.key(3), 3)
    together = inspect_network(make(keys), X, stacked=True)
    assert together.members == 3
    for i, key in enumerate(keys):
        alone = inspect_network(Deep(nnx.Rngs(key), depth=2), X)
        for layer in alone.layers:
            for name in ("mean", "norm", "gradient", "weight_gradient"):
                here = getattr(together[layer.path], name)[i]
                np.testing.assert_allclose(here, getattr(layer, name)[0], rtol=1e-4, atol=1e-6)
    assert "±" in together.text()


def test_batch_statistics_and_dropout_are_left_alone():
    class Network(nnx.Module):
        def __init__(self, rngs):
            self.norm = nnx.BatchNorm(16, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

        def __call__(self, x):
            return self.dropout(self.norm(x))

    network = Network(nnx.Rngs(0))
    before = arrays(network)
    report = inspect_network(network, X)
    jax.tree.map(np.testing.assert_array_equal, before, arrays(network))
    assert 0.3 < report["dropout"].zeros[0] < 0.7
    assert inspect_network(network, X, train=False)["dropout"].zeros[0] == 0


@pytest.mark.parametrize("layer", [nn.GRU, nn.LSTM])
def test_of_a_recurrent_layer_its_outputs_are_looked_at_and_not_its_last_state(layer):
    class Reader(nnx.Module):
        def __init__(self, rngs):
            self.embed = nnx.Linear(16, 8, rngs=rngs)
            self.recurrent = layer(8, 5, bidirectional=True, rngs=rngs)
            self.head = nnx.Linear(10, 3, rngs=rngs)

        def __call__(self, x):
            outputs, _ = self.recurrent(self.embed(x))
            return self.head(outputs.max(axis=1))

    report = inspect_network(Reader(nnx.Rngs(0)), jax.random.normal(jax.random.key(0), (12, 7, 16)))
    assert tuple(report["recurrent"].shape) == (12, 7, 10)
    assert report["recurrent"].gradient[0] > 0
    assert not [verdict for verdict in report.verdicts if verdict.kind == "blocked"]


def test_exports_hold_the_graph():
    report = inspect_network(Deep(nnx.Rngs(0), depth=2, residual=True), X)
    content = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert len(content["graph"]["nodes"]) == len(report.graph.nodes)
    dot = report.dot()
    assert dot.count("->") == len(report.graph.edges)
    drawing = ElementTree.fromstring(report.svg())
    names = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"layers.0", "layers.1:relu", "add 1"} <= set(names)
    page = report.html()
    assert "<script" not in page and "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match=r"nnx\.Module"):
        inspect_network(lambda x: x, X)
    with pytest.raises(ConfigError, match="cannot be called"):
        inspect_network(nnx.Linear(3, 4, rngs=nnx.Rngs(0)), X)
