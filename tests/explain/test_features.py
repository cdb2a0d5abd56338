"""Features of a classifier are what its last layer reads: its weights make the logits of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import manyfit as mf
from manyfit.engine.objective import Fold
from manyfit.errors import ConfigError, DataError
from manyfit.explain import hidden_features
from manyfit.models import CNN, Custom
from manyfit.objectives import Supervised

PIXELS = np.random.default_rng(0).normal(size=(260, 6, 6, 1)).astype(np.float32)
DATA = {"inputs": {"pixels": PIXELS}, "target": np.zeros(260, np.int32)}


def begun(model):
    objective = Supervised(model, classes=3).bind(DATA)
    prepared = objective.prepare(Fold(DATA, jnp.arange(50), jnp.ones(50)))
    return objective, objective.export(
        objective.init(jax.random.key(0), {"total_steps": jnp.float32(1)}, prepared)
    )


class Averaged(nnx.Module):
    """A global average that is no layer of its own stands before the last layer."""

    def __init__(self, inputs, outputs, rngs):
        self.conv = mf.nn.Conv2d(1, 4, 3, rngs=rngs)
        self.head = nnx.Linear(4, outputs, rngs=rngs)

    def __call__(self, features):
        return self.head(jnp.mean(jax.nn.relu(self.conv(features["pixels"])), axis=(1, 2)))


@pytest.mark.parametrize(("model", "width"), [(CNN((2,), 5, dropout=0.5), 5), (Custom(Averaged), 4)])
def test_the_last_layer_makes_the_logits_of_them(model, width):
    objective, weights = begun(model)
    found = hidden_features(objective, weights, DATA["inputs"])  # more rows than a block
    assert found.shape == (260, width)
    head = weights["weights"].params["head"]
    logits = found @ np.asarray(head["kernel"]) + np.asarray(head["bias"])
    expected = np.asarray(objective.predict(weights, DATA))
    np.testing.assert_allclose(jax.nn.softmax(logits), expected, atol=1e-5)


def test_no_rows_and_no_hidden_layer():
    objective, weights = begun(CNN((2,), 5))
    with pytest.raises(DataError, match="no rows"):
        hidden_features(objective, weights, {"pixels": PIXELS[:0]})


class Single(nnx.Module):
    def __init__(self, inputs, outputs, rngs):
        self.head = nnx.Linear(36, outputs, rngs=rngs)

    def __call__(self, features):
        return self.head(features["pixels"].reshape(-1, 36))


def test_a_single_layer_has_no_features():
    objective, weights = begun(Custom(Single))
    with pytest.raises(ConfigError, match="single layer"):
        hidden_features(objective, weights, DATA["inputs"])
