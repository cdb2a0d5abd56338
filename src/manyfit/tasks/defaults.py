"""Sensible experiments: what a task gets when nothing more is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manyfit.errors import ConfigError
from manyfit.experiment.experiment import Experiment
from manyfit.models import CNN, MLP
from manyfit.objectives import Supervised
from manyfit.optim import AdamW
from manyfit.space import loguniform, uniform
from manyfit.tasks.task import Task

LEARNING_RATE = loguniform(3e-4, 1e-2)
WEIGHT_DECAY = loguniform(1e-4, 3e-1)
DROPOUT = uniform(0.0, 0.5)

MOST_EMBEDDED = 24
"""Up to so many numbers a row each get a learned piecewise-linear function; beyond, it costs more than it brings."""


def batch_size_for(rows: int) -> int:
    """A power of two between 32 and 512, about a fiftieth to a twenty-fifth of the rows."""
    size = 32
    while size < 512 and size * 50 < rows:
        size *= 2
    return size


def experiment_for(task: Task, asked: Mapping[str, Any]) -> Experiment:
    """The experiment for a task and the options of ``manyfit fit`` (None where open)."""
    images = task.about.get("kind") == "images"
    kind = asked.get("model") or "auto"
    if kind == "auto":
        kind = "cnn" if images else "mlp"
    if kind == "cnn" and not images:
        raise ConfigError("model 'cnn' reads images; for a table use 'mlp'")
    dropout = number_or_range("dropout", asked.get("dropout"), DROPOUT if not images else 0.3)
    hidden = asked.get("hidden")
    model: Any
    if kind == "cnn":
        model = CNN(dropout=dropout, **({"hidden": hidden[-1]} if hidden else {}))
    else:
        embedding = asked.get("embedding") or "auto"
        if embedding == "auto":
            numbers = 0 if images else task.data["inputs"]["numeric"].shape[1]
            embedding = "piecewise" if 0 < numbers <= MOST_EMBEDDED else "none"
        model = MLP(hidden=tuple(hidden or (256, 256)), dropout=dropout, embedding=embedding)
    optimizer = AdamW(
        learning_rate=number_or_range(
            "learning_rate", asked.get("learning_rate"), LEARNING_RATE if not images else 1e-3
        ),
        weight_decay=number_or_range(
            "weight_decay", asked.get("weight_decay"), WEIGHT_DECAY if not images else 1e-2
        ),
        clip=1.0,
    )
    patience = asked.get("patience")
    trials = asked.get("trials")
    objective = Supervised(model, optimizer=optimizer, balance=bool(asked.get("balance")))
    if trials is None:
        trials = 1 if images or not _open(objective) else 16
    return Experiment(
        objective,
        task,
        trials=trials,
        seeds=asked.get("seeds") or 1,
        folds=asked.get("folds") or 5,
        epochs=asked.get("epochs") or (15 if images else 100),
        patience=None if patience == 0 else (patience or (5 if images else 12)),
        batch_size=asked.get("batch_size") or batch_size_for(task.rows),
        validation=0.2 if asked.get("validation") is None else asked["validation"],
        seed=asked.get("seed") or 0,
        metric=asked.get("metric"),
        options=asked,
    )


def number_or_range(name: str, text: str | float | None, default: Any) -> Any:
    """``"0.01"`` -> 0.01, ``"1e-4:1e-1"`` -> a range to search (logarithmic over positive bounds a decade apart)."""
    if text is None:
        return default
    parts = str(text).split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        raise ConfigError(f"{name} is {text!r}; give a number, or LOW:HIGH to search") from None
    if len(values) == 1:
        if values[0] < 0:
            raise ConfigError(f"{name} is {text!r}; give a number of at least 0")
        return values[0]
    if len(values) != 2:
        raise ConfigError(f"{name} is {text!r}; give a number, or LOW:HIGH to search")
    low, high = values
    if low < 0 or high <= low:
        raise ConfigError(f"{name} is {text!r}; LOW has to be at least 0 and below HIGH")
    return loguniform(low, high) if low > 0 and high / low >= 10 else uniform(low, high)


def _open(objective: Any) -> bool:
    from manyfit.space import collect

    return bool(collect(objective))
