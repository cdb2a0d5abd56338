"""The probe: what it records, and that training is the same with it, bit for bit."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

import manyfit as mf
from manyfit.engine.objective import Batch, Fold
from manyfit.inspect import courses
from manyfit.inspect.training import judged
from manyfit.models import CNN, MLP
from manyfit.objectives import Supervised
from manyfit.tasks.task import Task

digits = load_digits()
IMAGES = {
    "inputs": {"pixels": digits.images[:300, :, :, None].astype(np.float32) / 16},
    "target": digits.target[:300].astype(np.int32),
}
TABLE = {"inputs": {"numeric": digits.data[:300].astype(np.float32) / 16}, "target": IMAGES["target"]}
MODELS = {"mlp": (MLP(hidden=(16, 16), dropout=0.1), TABLE), "cnn": (CNN(channels=(4, 8), hidden=8), IMAGES)}


def run(name, *, probe):
    model, data = MODELS[name]
    task = Task(kind="multiclass", data=data, rows=300, classes=tuple("0123456789"))
    objective = Supervised(model, classes=10, probe=probe)
    return mf.Experiment(objective, task, folds=2, epochs=4, batch_size=32, seed=3).run()


@pytest.mark.parametrize("name", MODELS)
def test_training_is_the_same_bit_for_bit(name):
    plain, probed = run(name, probe=False), run(name, probe=True)
    for a, b in zip(jax.tree.leaves(plain.best.models), jax.tree.leaves(probed.best.models)):
        np.testing.assert_array_equal(a, b)
    for key, values in plain.history.items():
        if key.startswith("train/"):
            np.testing.assert_array_equal(values, probed.history[key])
    assert not courses(plain.history)
    found = courses(probed.history)
    assert list(found) == ["activation", "zeros", "output-gradient", "gradient"]
    layers = [course.path for course in found["gradient"]]
    assert layers == (
        ["layers.0", "layers.1", "head"]
        if name == "mlp"
        else ["convolutions.0", "convolutions.1", "hidden", "head"]
    )
    for course in found["gradient"]:
        assert np.isfinite(course.values).all()
        assert (course.values > 0).all()
    assert judged(found, 0.0) == judged(found, 1.0) == "healthy"


def test_what_is_recorded_is_what_jax_says():
    model, data = MODELS["mlp"]
    objective = dataclasses.replace(Supervised(model, classes=10, probe=True).bind(data))
    prepared = objective.prepare(Fold(data, jnp.arange(300), jnp.ones(300)))
    hyper = {"total_steps": jnp.float32(10)}
    model = objective.export(objective.init(jax.random.key(0), hyper, prepared))
    batch = Batch(jax.tree.map(lambda leaf: leaf[:32], data), jnp.ones(32))
    metrics = jax.jit(objective.evaluate)(model, batch)
    functional = objective._functional()

    def loss(params):
        weights = model["weights"]._replace(params=params)
        outputs, _ = functional.apply(weights, batch.data["inputs"], train=False)
        return jnp.mean(objective._loss(outputs, batch.data["target"]))

    gradient = jax.grad(loss)(model["weights"].params)["layers"]
    by_hand = [float(jnp.sqrt(sum(jnp.sum(a**2) for a in jax.tree.leaves(gradient[i])))) for i in (0, 1)]
    recorded = {
        name.rsplit("/", 1)[-1]: float(m.value) for name, m in metrics.items() if "/gradient/" in name
    }
    assert [recorded["layers.0"], recorded["layers.1"]] == pytest.approx(by_hand, rel=1e-5)


def test_padding_leaves_no_trace():
    model, data = MODELS["mlp"]
    objective = Supervised(model, classes=10, probe=True).bind(data)
    prepared = objective.prepare(Fold(data, jnp.arange(300), jnp.ones(300)))
    state = objective.export(objective.init(jax.random.key(0), {"total_steps": jnp.float32(1)}, prepared))
    rows = jax.tree.map(lambda leaf: leaf[:20], data)
    evaluate = jax.jit(objective.evaluate)
    alone = evaluate(state, Batch(rows, jnp.ones(20)))
    longer = jax.tree.map(lambda leaf: np.concatenate([leaf[:20], leaf[100:107]]), data)
    padded = evaluate(state, Batch(longer, jnp.ones(27).at[20:].set(0)))
    for name, metric in alone.items():
        np.testing.assert_allclose(metric.value, padded[name].value, rtol=1e-4, atol=1e-6)
