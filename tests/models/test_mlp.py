"""What an MLP reads: columns, pixels, both; and nothing at all."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models import MLP
from manyfit.models.architecture import Inputs


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def test_pixels_are_columns_side_by_side():
    pixels = np.random.default_rng(0).normal(size=(5, 3, 4, 2)).astype(np.float32)
    model = MLP(hidden=(6,), input_gain=1.0)
    images = model.build(Inputs({"pixels": shape(1, 3, 4, 2)}), 2, rngs=nnx.Rngs(0))
    table = model.build(Inputs({"numeric": shape(1, 24)}), 2, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(
        images({"pixels": jnp.asarray(pixels)}), table({"numeric": jnp.asarray(pixels.reshape(5, 24))})
    )


def test_rows_without_a_feature_are_refused():
    with pytest.raises(ConfigError, match=r"no feature that an MLP takes.*\['tokens'\]"):
        MLP().build(Inputs({"tokens": shape(1, 3)}), 2, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("gain", [0.0, -1.0, float("nan"), float("inf")])
def test_a_gain_that_starts_nothing_is_refused(gain):
    with pytest.raises(ConfigError, match=r"input_gain=.*give a number above 0"):
        MLP(input_gain=gain)


@pytest.mark.parametrize(
    ("features", "model", "gain"),
    [
        ({"pixels": shape(1, 10, 40, 1)}, MLP(), 2**0.5),
        ({"numeric": shape(1, 400)}, MLP(), 0.3),
        ({"numeric": shape(1, 400)}, MLP(activation="tanh"), 0.3),
        ({"numeric": shape(1, 400), "pixels": shape(1, 10, 40, 1)}, MLP(activation="tanh"), 1.0),
        ({"numeric": shape(1, 400)}, MLP(input_gain=0.7), 0.7),
    ],
)
def test_first_weights_begin_with_the_gain_of_what_they_read(features, model, gain):
    built = model.build(Inputs(features), 2, rngs=nnx.Rngs(0))
    first, second = (np.asarray(layer.kernel[...]) for layer in built.layers)
    assert np.std(first) * np.sqrt(len(first)) == pytest.approx(gain, rel=0.03)
    inner = 1.0 if model.activation == "tanh" else 2**0.5
    assert np.std(second) * np.sqrt(len(second)) == pytest.approx(inner, rel=0.03)
