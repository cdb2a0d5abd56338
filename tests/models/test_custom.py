"""A network of the user's own as an architecture."""

import numpy as np
import pytest
from flax import nnx

from manyfit import Experiment, nn
from manyfit.engine import Shape
from manyfit.engine.program import program_of
from manyfit.errors import ConfigError
from manyfit.models import Custom
from manyfit.objectives import Supervised


def _make(inputs, outputs, rngs, width=8):
    return nn.Linear(width, outputs, rngs=rngs)


def test_an_equal_network_of_ones_own_is_one_program():
    first, second, other = (Supervised(Custom(_make, {"width": width})) for width in (8, 8, 9))
    assert program_of(first, Shape(32)) is program_of(second, Shape(32))
    assert program_of(first, Shape(32)) is not program_of(other, Shape(32))


def test_a_hyper_parameter_that_cannot_be_hashed_is_traced_anew():
    objective = Supervised(Custom(_make, {"width": [8]}))
    assert program_of(objective, Shape(32)) is not program_of(objective, Shape(32))


def test_a_feature_by_a_wrong_name_is_said_with_those_that_there_are():
    class Network(nnx.Module):
        def __call__(self, features):
            return features["image"]

    data = {"inputs": {"pixels": np.zeros((4, 8, 8, 1), np.float32)}, "target": np.zeros(4, np.int32)}
    model = Custom(lambda inputs, outputs, rngs: Network())
    objective = Supervised(model, classes=2).bind(data)
    with pytest.raises(ConfigError, match=r"features\['image'\]; these data have 'pixels' \(B, 8, 8, 1\)"):
        Experiment(objective, data, folds=2, epochs=1, batch_size=4).run()
