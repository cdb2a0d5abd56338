"""Networks of series: padding changes nothing, neither what they say nor what they learn."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models import InceptionTime, Inputs, SeriesResNet, SeriesRNN

NETWORKS = [SeriesResNet((3,)), InceptionTime(2, 1, (5, 3)), SeriesRNN("lstm", 3, dropout=0.0)]


def series(steps):
    """Two series of 6 and 4 steps, what lies after their ends being anything."""
    x = np.random.default_rng(0).normal(size=(2, steps, 2)).astype(np.float32)
    x[:, :6] = np.random.default_rng(1).normal(size=(2, 6, 2))
    return {"steps": jnp.asarray(x), "lengths": jnp.array([6, 4])}


@pytest.mark.parametrize("model", NETWORKS, ids=lambda model: type(model).__name__)
def test_padding_changes_nothing(model):
    module = model.build(Inputs({"steps": jax.ShapeDtypeStruct((1, 6, 2), jnp.float32)}), 2, rngs=nnx.Rngs(0))
    graph, state = nnx.split(module)

    @jax.jit
    def learned(features):
        def loss(state):
            here = nnx.merge(graph, state)
            return jnp.sum(jnp.sin(here(features))), here(features)

        (_, outputs), gradient = jax.value_and_grad(loss, has_aux=True, allow_int=True)(state)
        return outputs, [g for g in jax.tree.leaves(gradient) if jnp.issubdtype(g.dtype, jnp.floating)]

    short, long = learned(series(6)), learned(series(9))
    np.testing.assert_allclose(short[0], long[0], atol=2e-5)
    for a, b in zip(short[1], long[1], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def test_other_features_are_refused():
    with pytest.raises(ConfigError, match="takes series"):
        SeriesResNet().build(Inputs({}), 2, rngs=nnx.Rngs(0))
