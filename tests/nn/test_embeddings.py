"""Embeddings against plain loops over rows, columns and bins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit.nn.embeddings import CategoryEmbedding, PeriodicEmbedding, PiecewiseLinearEmbedding

rng = np.random.default_rng(0)


def test_piecewise_linear_is_a_linear_layer_a_feature():
    layer = PiecewiseLinearEmbedding(3, 5, 4, rngs=nnx.Rngs(0))
    x = rng.normal(size=(6, 3)).astype(np.float32)
    encoded = rng.random((6, 3, 5)).astype(np.float32)
    layer.bias[...] = rng.normal(size=(3, 4))
    expected = [
        np.outer(x[:, f], layer.slope[...][f]) + encoded[:, f] @ layer.kernel[...][f] + layer.bias[...][f]
        for f in range(3)
    ]
    np.testing.assert_allclose(layer(x, encoded), np.stack(expected, 1), atol=1e-5)


def test_periodic_is_plr():
    layer = PeriodicEmbedding(2, 3, 4, sigma=0.5, rngs=nnx.Rngs(0))
    x = rng.normal(size=(5, 2)).astype(np.float32)
    found = layer(x)
    assert found.shape == (5, 2, 4)
    for b in range(5):
        for f in range(2):
            angle = 2 * np.pi * np.asarray(layer.frequencies[...][f]) * x[b, f]
            waves = np.concatenate([np.cos(angle), np.sin(angle)])
            expected = np.maximum(waves @ layer.kernel[...][f] + layer.bias[...][f], 0)
            np.testing.assert_allclose(found[b, f], expected, atol=1e-5)


def test_periodic_starts_at_the_spread_that_is_asked_for():
    layer = PeriodicEmbedding(50, 64, 8, sigma=0.3, rngs=nnx.Rngs(1))
    assert np.std(layer.frequencies[...]) == pytest.approx(0.3, rel=0.05)
    # He's rule: the mean square before the ReLU is 2, after it 1
    out = layer(rng.normal(size=(200, 50)).astype(np.float32))
    assert float(jnp.mean(out**2)) == pytest.approx(1.0, rel=0.1)


def reference(layer, codes):
    """One row and column at a time."""
    rows = []
    for row in codes:
        parts = []
        for i in layer.small:
            hot = np.zeros(layer.sizes[i] - 1)
            if row[i] > 0:
                hot[row[i] - 1] = 1
            parts.append(hot)
        for k, i in enumerate(layer.large):
            table = np.asarray(layer.table[...])
            parts.append(table[k, row[i] - 1] if row[i] > 0 else np.zeros(table.shape[2]))
        rows.append(np.concatenate(parts))
    return np.array(rows)


@pytest.mark.parametrize("sizes", [(4, 100, 2, 11), (3, 5), (50, 20), (10, 10, 11)])
@pytest.mark.parametrize("dense", [0, 4096])
def test_categories_against_a_plain_loop(sizes, dense):
    layer = CategoryEmbedding(sizes, dense=dense, rngs=nnx.Rngs(0))
    codes = np.stack([rng.integers(0, c, 64) for c in sizes], 1).astype(np.int32)
    codes[0] = 0
    found = layer(codes)
    assert found.shape == (64, layer.width)
    np.testing.assert_allclose(found, reference(layer, codes), atol=1e-6)
    assert (found[0] == 0).all()


def test_both_ways_of_looking_up_have_one_gradient():
    sizes = (30, 60)
    codes = np.stack([rng.integers(0, c, 40) for c in sizes], 1).astype(np.int32)
    aim = rng.normal(size=(40, 2 * 6)).astype(np.float32)

    def gradient(dense):
        layer = CategoryEmbedding(sizes, 6, dense=dense, rngs=nnx.Rngs(3))
        graph, params = nnx.split(layer)
        return jax.grad(lambda p: jnp.sum((nnx.merge(graph, p)(codes) - aim) ** 2))(params)

    a, b = (jax.tree.leaves(gradient(d)) for d in (0, 4096))
    np.testing.assert_allclose(a[0], b[0], rtol=1e-5, atol=1e-5)
    assert np.abs(a[0]).max() > 0


def layers():
    numbers = rng.normal(size=(7, 3)).astype(np.float32)
    codes = np.stack([rng.integers(0, c, 7) for c in (4, 40)], 1).astype(np.int32)
    return {
        "piecewise": (
            lambda r: PiecewiseLinearEmbedding(3, 4, 5, rngs=r),
            (numbers, rng.random((7, 3, 4)).astype(np.float32)),
        ),
        "periodic": (lambda r: PeriodicEmbedding(3, 4, 5, rngs=r), (numbers,)),
        "category": (lambda r: CategoryEmbedding((4, 40), rngs=r), (codes,)),
        "category, gathered": (lambda r: CategoryEmbedding((4, 40), dense=0, rngs=r), (codes,)),
    }


@pytest.mark.parametrize("name", list(layers()))
def test_a_member_of_a_population_equals_the_member_alone(name):
    build, x = layers()[name]
    graph = nnx.split(build(nnx.Rngs(0)))[0]
    keys = jax.random.split(jax.random.key(0), 3)
    stacked = jax.vmap(lambda k: nnx.split(build(nnx.Rngs(k)))[1])(keys)

    def loss(params, x):
        return jnp.sum(jnp.sin(nnx.merge(graph, params)(*x)))

    together = jax.jit(jax.vmap(jax.value_and_grad(loss), in_axes=(0, None)))(stacked, x)
    one = jax.jit(jax.value_and_grad(loss))
    for i in range(3):
        alone = one(nnx.split(build(nnx.Rngs(keys[i])))[1], x)
        jax.tree.map(
            lambda a, b, i=i: np.testing.assert_allclose(a[i], b, rtol=1e-4, atol=1e-5), together, alone
        )


def test_sizes_that_are_refused():
    with pytest.raises(ValueError, match="bins=0"):
        PiecewiseLinearEmbedding(1, 0, 1, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="unknown and missing"):
        CategoryEmbedding((1, 4), rngs=nnx.Rngs(0))
