"""An objective of one's own: nothing but pure functions of one member, and the engine does the rest.

Dictionary learning: 16 patterns, and a sparse code for every picture of a digit by
a few steps of ISTA (Daubechies et al. 2004). The penalty is searched, on five folds.

python examples/own_objective.py
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

import manyfit as mf
from manyfit.engine import BaseObjective, Metric


@dataclass(frozen=True)
class Dictionary(BaseObjective):
    rate: mf.Numeric = mf.loguniform(1e-2, 1.0)  # traced: another value never recompiles
    penalty: float = 0.05
    patterns: int = 16

    def init(self, key, hyper, prepared):
        return _unit(jax.random.normal(key, (self.patterns, 64)))

    def error(self, patterns, x):
        code = jnp.zeros((len(x), self.patterns))
        for _ in range(20):
            code = code - 0.1 * (code @ patterns - x) @ patterns.T
            code = jnp.sign(code) * jnp.maximum(jnp.abs(code) - 0.1 * self.penalty, 0.0)
        return jnp.square(jax.lax.stop_gradient(code) @ patterns - x).sum(axis=1)

    def update(self, patterns, batch, key, hyper):
        gradient = jax.grad(lambda d: (self.error(d, batch.data) * batch.weight).sum() / batch.weight.sum())(
            patterns
        )
        patterns = _unit(patterns - hyper["rate"] * gradient)
        return patterns, {"loss": Metric.mean(self.error(patterns, batch.data), batch.weight)}

    def evaluate(self, patterns, batch):
        return {"loss": Metric.mean(self.error(patterns, batch.data), batch.weight)}


def _unit(patterns):
    return patterns / jnp.linalg.norm(patterns, axis=1, keepdims=True)


pictures = (load_digits().data / 16).astype("float32")
print(
    mf.Experiment(Dictionary(), pictures - pictures.mean(), trials=8, seeds=2, epochs=30, batch_size=64).run()
)
