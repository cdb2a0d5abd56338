"""No row of a validation or test part touches anything that is learned from training rows."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from manyfit.data.preprocess import TablePreprocess
from manyfit.engine import Fold, Hooks, Member, Population, Rows, Shape
from manyfit.models import MLP
from manyfit.objectives import Supervised
from manyfit.optim import AdamW


def table(rng, n=120):
    numeric = rng.normal(size=(n, 4)).astype(np.float32)
    numeric[rng.random((n, 4)) < 0.1] = np.nan
    category = rng.integers(-1, 5, (n, 2)).astype(np.int32)
    target = rng.integers(0, 3, n).astype(np.int32)
    return {"inputs": {"numeric": numeric, "category": category}, "target": target}


def garbage(data, rows, rng):
    """The same table with nonsense in ``rows``: huge numbers, other categories, the target planted as a feature."""
    changed = {
        "inputs": {k: v.copy() for k, v in data["inputs"].items()},
        "target": data["target"].copy(),
    }
    changed["inputs"]["numeric"][rows] = 1e6 * rng.normal(size=(len(rows), 4))
    changed["inputs"]["category"][rows] = 4
    changed["target"][rows] = rng.integers(0, 3, len(rows))
    changed["inputs"]["numeric"][rows, 0] = changed["target"][rows]
    return changed


@pytest.fixture(scope="module")
def setting():
    rng = np.random.default_rng(3)
    data = table(rng)
    order = rng.permutation(120)
    rows = Rows(order[:70], order[70:90], order[90:])
    return data, rows, rng


def objective(scaling, embedding, data):
    spec = Supervised(
        MLP(hidden=(16,), embedding=embedding, dropout=0.2),
        optimizer=AdamW(learning_rate=0.01),
        preprocess=TablePreprocess(scaling=scaling, bins=8, cardinalities=(5, 5)),
        classes=3,
        balance=True,
    )
    return spec.bind(data, cardinalities=(7, 7))


@pytest.mark.parametrize(
    ("scaling", "embedding"), [("quantile", "piecewise"), ("standard", "none"), ("robust", "periodic")]
)
def test_what_is_not_trained_on_changes_nothing_learned(setting, scaling, embedding):
    data, rows, rng = setting
    planted = garbage(data, np.concatenate([rows.validation, rows.test]), rng)
    learned = []
    for some in (data, planted):
        one = objective(scaling, embedding, some)
        population = Population(
            one, some, [Member(0, 0, 0, {"optimizer.learning_rate": 0.01})], [rows], Shape(16), epochs=4
        )
        kept = []
        population.run(Hooks(stop=lambda kept=kept: bool(kept), save_due=lambda: True, save=kept.append))
        prepared = one.prepare(Fold(some, rows.train.astype(np.int32), np.ones(len(rows.train), np.float32)))
        learned.append((prepared, population.history["train/loss"]))
    jax.tree.map(np.testing.assert_array_equal, learned[0][0], learned[1][0])
    np.testing.assert_array_equal(learned[0][1], learned[1][1])


def test_the_check_can_fail(setting):
    """The same nonsense in training rows does change what is learned."""
    data, rows, rng = setting
    planted = garbage(data, rows.train[:5], rng)
    one = objective("quantile", "piecewise", data)
    weight = np.ones(len(rows.train), np.float32)
    first, second = (one.prepare(Fold(d, rows.train.astype(np.int32), weight)) for d in (data, planted))
    with pytest.raises(AssertionError):
        jax.tree.map(np.testing.assert_array_equal, first, second)
