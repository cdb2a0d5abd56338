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
    images = MLP(hidden=(6,)).build(Inputs({"pixels": shape(1, 3, 4, 2)}), 2, rngs=nnx.Rngs(0))
    table = MLP(hidden=(6,)).build(Inputs({"numeric": shape(1, 24)}), 2, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(
        images({"pixels": jnp.asarray(pixels)}), table({"numeric": jnp.asarray(pixels.reshape(5, 24))})
    )


def test_rows_without_a_feature_are_refused():
    with pytest.raises(ConfigError, match=r"no feature that an MLP takes.*\['tokens'\]"):
        MLP().build(Inputs({"tokens": shape(1, 3)}), 2, rngs=nnx.Rngs(0))
