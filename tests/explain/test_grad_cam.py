"""Class activation: equal to the closed form where there is one, and on strokes rather than on paper."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.datasets import load_digits

import manyfit as mf
from manyfit.engine.objective import Fold
from manyfit.errors import ConfigError
from manyfit.explain import agreement, class_activation_maps
from manyfit.models import CNN, Custom
from manyfit.objectives import Supervised
from manyfit.tasks.task import Task

digits = load_digits()
IMAGES = digits.images[:, :, :, None].astype(np.float32) / 16
DATA = {"inputs": {"pixels": IMAGES}, "target": digits.target.astype(np.int32)}


class Averaged(nnx.Module):
    """A convolution, a global average, a linear head: class activation has a closed form."""

    def __init__(self, inputs, outputs, rngs):
        self.conv = mf.nn.Conv2d(inputs["pixels"].shape[3], 6, 3, rngs=rngs)
        self.head = nnx.Linear(6, outputs, rngs=rngs)

    def __call__(self, features):
        return self.head(jnp.mean(jax.nn.relu(self.conv(features["pixels"])), axis=(1, 2)))


def begun(model, seeds=1):
    """Members before training: an objective and a stack of models."""
    objective = Supervised(model, classes=10).bind(DATA)
    prepared = objective.prepare(Fold(DATA, jnp.arange(50), jnp.ones(50)))
    hyper = {"total_steps": jnp.float32(1)}

    def one(key):
        return objective.export(objective.init(key, hyper, prepared))

    return objective, jax.vmap(one)(jax.random.split(jax.random.key(0), seeds))


def test_it_is_the_closed_form_behind_a_global_average():
    objective, models = begun(Custom(Averaged), seeds=3)
    rows = jax.tree.map(lambda leaf: leaf[:7], DATA)
    classes = np.array([3, 1, 4, 1, 5, 9, 2])
    found = class_activation_maps(objective, models, rows, classes)
    params = models["weights"].params
    for member in range(3):
        conv, head = (jax.tree.map(lambda leaf, m=member: leaf[m], params[name]) for name in ("conv", "head"))
        maps = jax.nn.relu(mf.nn.convolution(rows["inputs"]["pixels"], conv["kernel"]) + conv["bias"])
        cam = jax.nn.relu(jnp.einsum("bhwc,cb->bhw", maps, head["kernel"][:, classes]))
        expected = cam / jnp.maximum(cam.max(axis=(1, 2), keepdims=True), 1e-30)
        np.testing.assert_allclose(found[member], expected, atol=1e-5)


def test_heat_lies_on_the_strokes():
    rng = np.random.default_rng(0)
    canvas = np.zeros((900, 20, 20, 1), np.float32)  # a digit somewhere on a larger paper
    for page, digit, (y, x) in zip(canvas, IMAGES, rng.integers(3, 10, (900, 2))):
        page[y : y + 8, x : x + 8] = digit
    data = {"inputs": {"pixels": canvas}, "target": DATA["target"][:900]}
    known, new = (
        jax.tree.map(lambda a, part=part: a[part], data) for part in (slice(0, 700), slice(700, 900))
    )
    task = Task(kind="multiclass", data=known, rows=700, classes=tuple("0123456789"))
    objective = Supervised(
        CNN(channels=(16, 32), hidden=32, dropout=0.0), optimizer=mf.optim.AdamW(learning_rate=5e-3)
    )
    best = mf.Experiment(objective, task, folds=2, epochs=10, batch_size=32, patience=None).run().best
    assert np.mean(best.predict(new) == new["target"].astype(str)) > 0.5
    maps = class_activation_maps(best.objective, best.models, new, new["target"]).mean(axis=0)
    ink = new["inputs"]["pixels"][..., 0] > 0.25
    on = np.array([heat[mask].mean() for heat, mask in zip(maps, ink)])
    off = np.array([heat[~mask].mean() for heat, mask in zip(maps, ink)])
    # a statistic: the map has 10 x 10 places, and the paper beside a stroke tells of the class as well
    assert np.mean(on > off) > 0.75
    assert on.mean() > 2 * off.mean()


def test_a_network_without_positions_is_refused():
    objective, models = begun(Custom(Flat))
    with pytest.raises(ConfigError, match="feature map"):
        class_activation_maps(objective, models, jax.tree.map(lambda a: a[:2], DATA), np.zeros(2, int))


class Flat(nnx.Module):
    """No convolution at all."""

    def __init__(self, inputs, outputs, rngs):
        self.head = nnx.Linear(64, outputs, rngs=rngs)

    def __call__(self, features):
        return self.head(features["pixels"].reshape(-1, 64))


def test_agreement_is_the_mean_correlation_of_pairs():
    maps = np.random.default_rng(0).random((4, 3, 5, 5))
    pairs = [
        [np.corrcoef(maps[i, row].ravel(), maps[j, row].ravel())[0, 1] for i in range(4) for j in range(i)]
        for row in range(3)
    ]
    np.testing.assert_allclose(agreement(maps), np.mean(pairs, axis=1), atol=1e-12)
    assert np.isnan(agreement(maps[:1])).all()
    assert np.isnan(agreement(np.zeros((3, 2, 4, 4)))).all()
