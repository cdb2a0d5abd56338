"""What binding an objective to data costs, and of what preprocessing it works."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

import manyfit as mf
from manyfit.objectives import supervised

ROWS = {"inputs": {"x": np.ones((4, 3), np.float32)}, "target": np.zeros(4, np.float32)}


@dataclass(frozen=True)
class Counted:
    """Notes how often it was traced; holds an array where asked to, and cannot be hashed then."""

    name: str
    shift: object = 0.0

    def fit(self, inputs, weight):
        TRACED.append(self.name)
        return {}

    def apply(self, stats, inputs):
        return {"x": inputs["x"] + jnp.asarray(self.shift)}


TRACED: list[str] = []


def test_features_are_traced_once_for_many_trials():
    TRACED.clear()
    supervised._feature_shapes.cache_clear()
    for _ in range(5):
        mf.Supervised(mf.models.MLP(hidden=(4,)), preprocess=Counted("hashed")).bind(ROWS)
    assert TRACED == ["hashed"]


def test_preprocessing_that_holds_an_array_works_too():
    bound = mf.Supervised(mf.models.MLP(hidden=(4,)), preprocess=Counted("array", np.ones(3, np.float32)))
    assert bound.bind(ROWS).features["x"].shape == (1, 3)
