"""The learning-rate range test as a population: every rate and seed a member, all trained at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from manyfit.errors import ConfigError
from manyfit.experiment.experiment import Experiment
from manyfit.space import collect, numeric_paths, resolve
from manyfit.tasks import task_of
from manyfit.tune.rates import RateCurve

HELD_OUT = 0.2
"""The share of the rows that a single hold-out tests, and of the others that judge each rate."""


def learning_rate_range(
    objective: Any,
    data: Any,
    *,
    low: float = 1e-5,
    high: float = 1.0,
    rates: int = 16,
    seeds: int = 3,
    steps: int = 300,
    batch_size: Any = 256,
    seed: int = 0,
    path: str | None = None,
) -> RateCurve:
    """The validation loss after a short training against the learning rate.

    Unlike Smith's test ("Cyclical learning rates for training neural networks", 2017), which raises the
    rate within one training, every rate gets trainings of its own, from fresh weights: the curve has a
    spread, and a rate's loss does not depend on the rates before it.

    Args:
        objective, data: as for ``Experiment``; other open hyper-parameters stay at their middle.
        low, high, rates: the grid, evenly spread in the logarithm.
        seeds: trainings for each rate.
        steps: updates of each, rounded up to whole epochs; a schedule is played whole within them.
        path: which hyper-parameter to vary, where there is more than one ``learning_rate``.

    Returns:
        A ``RateCurve``: ``suggested`` is where the curve, smoothed over neighbours, is lowest.

    Raises ``ConfigError`` for a grid that is none and an objective without a (single) learning rate.

    >>> from sklearn.datasets import load_iris
    >>> import manyfit as mf, numpy as np
    >>> x, y = load_iris(return_X_y=True)
    >>> rows = {"inputs": {"numeric": x.astype(np.float32)}, "target": y.astype(np.int32)}
    >>> objective = mf.Supervised(mf.models.MLP(hidden=(16,)), classes=3)
    >>> curve = mf.learning_rate_range(objective, rows, rates=5, seeds=2, steps=40, batch_size=32)
    >>> curve.losses.shape
    (5, 2)
    """
    if not 0 < low < high < math.inf or rates < 3 or seeds < 1 or steps < 1:
        raise ConfigError(
            f"low={low}, high={high}, rates={rates}, seeds={seeds}, steps={steps}: "
            "give 0 < low < high, at least 3 rates, 1 seed and 1 step"
        )
    path = path or _only_rate(objective)
    middle = {name: kind.at(0.5) for name, kind in collect(objective).items() if name != path}
    objective = resolve(objective, middle)
    grid = np.geomspace(low, high, rates)
    task = task_of(data)
    size = int(batch_size.at(0.5)) if hasattr(batch_size, "at") else int(batch_size)
    training = round(task.rows * (1 - HELD_OUT) ** 2)
    epochs = max(1, math.ceil(steps / max(1, -(-training // size))))
    experiment = Experiment(
        resolve(objective, {path: float(grid[0])}),
        task,
        seeds=seeds,
        folds=1,
        epochs=epochs,
        patience=None,
        batch_size=size,
        validation=HELD_OUT if task.rows else 0.0,
        seed=seed,
        given_trials=[{path: float(rate)} for rate in grid],
    )
    result = experiment.run()
    history = result.history["validation/loss" if task.rows else "train/loss"]
    losses = np.full((rates, seeds), np.inf)
    for row, curve in zip(result.members, history):
        if row["status"] != "diverged":
            losses[row["trial"], row["seed"]] = curve[-1]
    losses[~np.isfinite(losses)] = np.inf
    return RateCurve(grid, losses, epochs * max(1, -(-training // size)))


def _only_rate(objective: Any) -> str:
    names = {**numeric_paths(objective), **collect(objective)}
    found = [name for name in names if name.rsplit(".", 1)[-1] == "learning_rate"]
    if len(found) != 1:
        known = ", ".join(found or sorted(names))
        raise ConfigError(f"say which learning rate to vary, path=...: {known}")
    return found[0]
