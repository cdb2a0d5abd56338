"""The CNN against Flax's own layers, in a population, and on a problem it has to solve."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.cnn import CNN
from manyfit.space import numeric_paths, uniform


def spec(*shape):
    return {"pixels": jax.ShapeDtypeStruct(shape, jnp.float32)}


def build(cnn, *shape, outputs=3, seed=0):
    return cnn.build(spec(*shape), outputs, rngs=nnx.Rngs(jax.random.key(seed)))


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_equals_the_same_network_of_flax_layers():
    net = build(CNN(channels=(4, 8), hidden=16), 2, 12, 10, 3)
    net.eval()
    x = draw(2, 12, 10, 3)
    y = x
    for layer in net.convolutions:
        conv = nnx.Conv(*layer.kernel[...].shape[2:], (3, 3), rngs=nnx.Rngs(1))
        conv.kernel[...], conv.bias[...] = layer.kernel[...], layer.bias[...]
        y = nnx.max_pool(nnx.relu(conv(y)), (2, 2), (2, 2))
    y = y.reshape(2, -1)
    y = nnx.relu(y @ net.hidden.kernel[...] + net.hidden.bias[...])
    expected = y @ net.head.kernel[...] + net.head.bias[...]
    np.testing.assert_allclose(net({"pixels": x}), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "shape",
    [(28, 28, 1), (32, 32, 3), (5, 7, 1), (1, 1, 1), (1, 9, 2), (3, 300, 1), (70, 41, 3), (36, 36, 1)],
)
def test_every_image_size_builds_and_runs(shape):
    net = build(CNN(channels=(2, 3), hidden=4), 2, *shape)
    assert net({"pixels": draw(2, *shape)}).shape == (2, 3)


def test_parameters_of_the_default_network_for_mnist():
    state = nnx.state(build(CNN(), 1, 28, 28, 1, outputs=10), nnx.Param)
    counted = sum(leaf.size for leaf in jax.tree.leaves(state))
    assert counted == (9 * 32 + 32) + (9 * 32 * 64 + 64) + (7 * 7 * 64 * 128 + 128) + (128 * 10 + 10)


def test_activations_keep_their_scale_at_the_start():
    """He et al. (2015): the variance neither dies nor explodes through the layers."""
    net = build(CNN(channels=(64, 64, 64), dropout=0.0), 8, 32, 32, 16)
    x = draw(8, 32, 32, 16)
    for layer in net.convolutions:
        x = nnx.relu(layer(x))
        assert 0.5 < float(jnp.mean(x**2)) < 2.0


def test_dropout_is_numeric_and_traced():
    assert numeric_paths(CNN(dropout=uniform(0.0, 0.5))).keys() == {"dropout"}

    def outputs(rate):
        net = build(CNN(channels=(2,), dropout=rate), 4, 6, 6, 1)
        net.train()
        return net({"pixels": draw(4, 6, 6, 1)})

    rates = jnp.array([0.0, 0.5])
    none, half = jax.jit(jax.vmap(outputs))(rates)
    still = build(CNN(channels=(2,)), 4, 6, 6, 1)
    still.eval()
    np.testing.assert_allclose(none, still({"pixels": draw(4, 6, 6, 1)}), rtol=1e-5, atol=1e-5)
    assert not np.allclose(none, half)


def train(seed, x, y, steps=60):
    net = build(CNN(channels=(8, 8), hidden=16, dropout=0.1), *x.shape, outputs=2, seed=seed)
    graph, params, rest = nnx.split(net, nnx.Param, ...)
    optimizer = optax.adam(3e-3)

    def step(carry, _):
        params, rest, moments = carry

        def loss(params):
            model = nnx.merge(graph, params, rest, copy=True)
            model.train()
            logits = model({"pixels": x})
            after = nnx.split(model, nnx.Param, ...)[2]
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), after

        (_, rest), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        updates, moments = optimizer.update(gradient, moments, params)
        return (optax.apply_updates(params, updates), rest, moments), None

    params, rest, _ = jax.lax.scan(step, (params, rest, optimizer.init(params)), None, length=steps)[0]
    model = nnx.merge(graph, params, rest, copy=True)
    model.eval()
    return model({"pixels": x})


def test_learns_where_not_what_and_a_member_equals_its_solo_run():
    """Horizontal against vertical bars at random places: no single pixel tells them apart."""
    rng = np.random.default_rng(0)
    x, y = np.zeros((32, 8, 8, 1), np.float32), np.arange(32) % 2
    for image, upright in zip(x, y, strict=True):
        place = rng.integers(8)
        image[(slice(None), place) if upright else (place, slice(None))] = 1
    x += rng.normal(scale=0.1, size=x.shape).astype(np.float32)
    x, y = jnp.asarray(x), jnp.asarray(y)
    together = jax.jit(jax.vmap(lambda seed: train(seed, x, y)))(jnp.arange(2))
    alone = jax.jit(lambda seed: train(seed, x, y))(1)
    assert np.array_equal(np.argmax(together, -1), np.stack([y, y]))
    # 60 steps of float32 in another order of summation
    np.testing.assert_allclose(together[1], alone, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: CNN(activation="rellu"), "did you mean 'relu'"),
        (lambda: CNN(channels=()), "one a block"),
        (lambda: CNN(channels=(8, 0)), "one a block"),
        (lambda: CNN(hidden=0), "at least 1"),
        (lambda: build(CNN(), 2, 8, 8), "B, H, W, C"),
        (lambda: CNN().build({}, 2, rngs=nnx.Rngs(0)), "the features are: none"),
        (lambda: build(CNN(dropout=uniform(0, 1)), 2, 8, 8, 1), "resolve it"),
    ],
)
def test_errors_name_the_fault(call, text):
    with pytest.raises(ConfigError, match=text):
        call()


def test_batch_normalisation_stands_behind_the_maximum():
    net = build(CNN(channels=(4,), hidden=8, dropout=0.0, norm="batch"), 6, 8, 8, 2)
    x = draw(6, 8, 8, 2)
    pooled = nnx.max_pool(net.convolutions[0](x), (2, 2), (2, 2))
    scaled = (pooled - pooled.mean((0, 1, 2))) / jnp.sqrt(pooled.var((0, 1, 2)) + 1e-5)
    hidden = nnx.relu(net.hidden(nnx.relu(scaled).reshape(6, -1)))
    np.testing.assert_allclose(net({"pixels": x}), net.head(hidden), rtol=1e-4, atol=1e-4)
    assert net.convolutions[0].bias is None


def test_an_unknown_norm_is_refused():
    with pytest.raises(ConfigError, match="batch"):
        CNN(norm="batsh")
