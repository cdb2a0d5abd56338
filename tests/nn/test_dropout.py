"""Dropout against what its definition says of mean, spread, independence and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit.nn.dropout import Dropout, HyperParam, random_bits

SIZE = 400_000


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9])
def test_share_of_zeros_and_mean(rate):
    y = np.asarray(Dropout(rate, rngs=nnx.Rngs(1))(jnp.ones(SIZE)))
    zeros = np.mean(y == 0)
    assert abs(zeros - rate) < 5 * np.sqrt(rate * (1 - rate) / SIZE)  # 5 standard deviations of a binomial
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)


def test_traced_zero_is_the_identity_bit_for_bit():
    x = jax.random.normal(jax.random.key(0), (64, 33)) * 1e10
    apply = jax.jit(lambda rate: Dropout(rate, rngs=nnx.Rngs(0))(x))
    np.testing.assert_array_equal(apply(jnp.float32(0.0)), x)
    np.testing.assert_array_equal(apply(jnp.float32(1.0)), np.zeros_like(x))


def test_static_zero_keeps_no_state_and_traces_nothing():
    layer = Dropout(0.0)
    assert jax.tree.leaves(nnx.state(layer)) == []
    assert jax.make_jaxpr(layer)(jnp.ones(3)).eqns == []


def test_train_and_eval():
    model = nnx.Sequential(Dropout(0.5, rngs=nnx.Rngs(0)))
    x = jnp.ones((100,))
    model.eval()
    np.testing.assert_array_equal(model(x), x)
    model.train()
    assert (model(x) == 0).any()
    np.testing.assert_array_equal(model.layers[0](x, deterministic=True), x)


def test_masks_differ_between_calls_and_are_independent():
    layer = Dropout(0.5, rngs=nnx.Rngs(2))
    masks = np.stack([np.asarray(layer(jnp.ones(SIZE))) for _ in range(4)]) - 1
    correlation = masks @ masks.T / SIZE
    assert np.abs(correlation - np.eye(4)).max() < 5 / np.sqrt(SIZE)
    for lag in (1, 2, 3, 16, 64, 256, 1024, 65536):  # a mask does not correlate with itself shifted
        assert abs(np.mean(masks[0, lag:] * masks[0, :-lag])) < 5 / np.sqrt(SIZE - lag)


def test_bits_are_uniform_and_neighbouring_keys_unrelated():
    keys = jax.random.wrap_key_data(jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]], jnp.uint32))
    bits = np.asarray(jax.vmap(lambda k: random_bits(k, (SIZE,)))(keys))
    for row in bits:
        ones = [np.mean((row >> b) & 1) for b in range(32)]
        assert np.abs(np.array(ones) - 0.5).max() < 5 * 0.5 / np.sqrt(SIZE)
        counts = np.bincount(row >> 24, minlength=256)
        chi2 = np.sum((counts - SIZE / 256) ** 2 / (SIZE / 256))
        assert 255 - 5 * np.sqrt(510) < chi2 < 255 + 5 * np.sqrt(510)
    uniform = bits / 2**32 - 0.5
    correlation = uniform @ uniform.T / SIZE * 12
    assert np.abs(correlation - np.eye(4)).max() < 6 / np.sqrt(SIZE)


def test_each_member_has_its_rate_and_equals_itself_alone():
    rates = jnp.array([0.0, 0.2, 0.7])
    keys = jax.random.split(jax.random.key(3), 3)

    def apply(rate, key):
        return Dropout(rate, rngs=nnx.Rngs(dropout=key))(jnp.ones((50, 40)))

    together = jax.jit(jax.vmap(apply))(rates, keys)
    np.testing.assert_allclose((together == 0).mean((1, 2)), rates, atol=0.05)
    for i in range(3):
        np.testing.assert_array_equal(together[i], apply(rates[i], keys[i]))


def test_rate_is_state_that_vmap_carries():
    layer = Dropout(0.3, rngs=nnx.Rngs(0))
    graph, state = nnx.split(layer)
    assert len(jax.tree.leaves(nnx.state(layer, HyperParam))) == 1
    assert jax.tree.leaves(nnx.state(layer, nnx.Param)) == []
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), state)
    out = jax.vmap(lambda s: nnx.merge(graph, s)(jnp.ones(1000)))(stacked)
    np.testing.assert_array_equal(out[0], out[1])


def test_another_rate_does_not_recompile():
    traces = []

    @jax.jit
    def apply(rate, x):
        traces.append(1)
        return Dropout(rate, rngs=nnx.Rngs(0))(x)

    for rate in (0.0, 0.1, 0.9):
        apply(jnp.float32(rate), jnp.ones(8))
    assert len(traces) == 1


def test_gradient_is_the_mask():
    def total(x, rate):
        return Dropout(rate, rngs=nnx.Rngs(4))(x).sum()

    x = jnp.full((1000,), 3.0)
    dx, drate = jax.grad(total, argnums=(0, 1))(x, jnp.float32(0.25))
    y = Dropout(0.25, rngs=nnx.Rngs(4))(x)
    np.testing.assert_allclose(dx, y / 3.0, rtol=1e-6)
    assert drate == 0.0
    assert np.isfinite(jax.grad(total)(x, jnp.float32(1.0))).all()


def test_broadcast_dims_share_a_mask():
    y = Dropout(0.5, broadcast_dims=(1, -1), rngs=nnx.Rngs(0))(jnp.ones((64, 5, 7)))
    assert (y == y[:, :1, :1]).all()
    assert len(np.unique(y[:, 0, 0])) == 2


def test_shared_rate_and_bfloat16():
    rate = HyperParam(jnp.float32(0.5))
    model = nnx.List([Dropout(rate, rngs=nnx.Rngs(0)), Dropout(rate, rngs=nnx.Rngs(0))])
    assert len(jax.tree.leaves(nnx.state(model, HyperParam))) == 1
    y = model[0](jnp.ones(100, jnp.bfloat16))
    assert y.dtype == jnp.bfloat16
    assert set(np.unique(y.astype(jnp.float32))) == {0.0, 2.0}


@pytest.mark.parametrize("impl", ["rbg", "threefry2x32"])
def test_key_implementations(impl):
    key = jax.random.key(0, impl=impl)
    y = Dropout(0.5)(jnp.ones(1000), rngs=key)
    assert 400 < (y == 0).sum() < 600


def test_what_is_refused():
    for rate in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="probability"):
            Dropout(rate)
    with pytest.raises(ValueError, match="rngs"):
        Dropout(0.5)(jnp.ones(3))
