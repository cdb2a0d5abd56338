"""N-HiTS against its definition, and a temporal convolution that cannot see ahead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models import Inputs
from manyfit.models.nhits import NHiTS, interpolation
from manyfit.models.tcn import TCN, CausalBlock


def test_interpolation_keeps_lines_and_sums_to_one():
    matrix = interpolation(5, 20)
    np.testing.assert_allclose(matrix.sum(axis=0), 1)
    inner = np.arange(5) @ matrix  # a line through the knots stays one between the first and the last
    np.testing.assert_allclose(np.diff(inner[2:-2]), 0.25)
    np.testing.assert_array_equal(interpolation(6, 6), np.eye(6))


def test_what_a_block_of_nhits_explains_is_taken_off_and_forecasts_add_up():
    past = np.random.default_rng(0).normal(size=(2, 7, 3)).astype(np.float32)
    shapes = Inputs({"past": jax.ShapeDtypeStruct((1, 7, 3), jnp.float32)})
    module = NHiTS((3, 1), (2, 1), (4,), horizon=4).build(shapes, 8, rngs=nnx.Rngs(0))
    found = np.asarray(jax.jit(module.__call__)({"past": jnp.asarray(past)}))
    for row, channel in np.ndindex(2, 3):
        rest, forecast = past[row, :, channel], np.zeros(8)
        for block, pool in zip(module.blocks, (3, 1)):
            padded = np.concatenate([rest[:1]] * (-len(rest) % pool) + [rest])
            h = padded.reshape(-1, pool).max(axis=1)
            (layer,) = block.layers
            h = np.maximum(h @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...]), 0)
            back = h @ np.asarray(block.back.kernel[...]) + np.asarray(block.back.bias[...])
            forth = h @ np.asarray(block.forth.kernel[...]) + np.asarray(block.forth.bias[...])
            rest = rest - back @ interpolation(len(back), 7)
            forecast += (forth.reshape(2, -1) @ interpolation(len(forth) // 2, 4)).ravel()
        np.testing.assert_allclose(found[row, channel], forecast, rtol=1e-4, atol=1e-5)


def test_a_causal_block_has_no_gradient_from_later_steps():
    block = CausalBlock(2, 3, 3, 2, 0.0, nnx.Rngs(0))
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(block(x)[:, 4])))(jnp.ones((1, 9, 2)))
    assert gradient[:, :5].any() and not gradient[:, 5:].any()


def test_known_covariates_enter_both():
    shapes = {"past": (1, 6, 2), "known": (1, 9, 1)}
    specs = Inputs({name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in shapes.items()})
    features = {"past": jnp.ones((2, 6, 2)), "known": jnp.ones((2, 9, 1))}
    for model in (NHiTS((2,), (1,), (4,)), TCN((3,), 2, dropout=0.0)):
        module = model.build(specs, 3, rngs=nnx.Rngs(0))
        told = jax.jit(lambda known, m=module: jnp.sum(jnp.sin(m({**features, "known": known}))))
        assert told(features["known"]) != told(features["known"].at[:, 8].set(2.0))


def test_each_block_has_a_pool_and_a_ratio():
    with pytest.raises(ConfigError, match="give each block one"):
        NHiTS(pools=(2, 1), ratios=(1,))
