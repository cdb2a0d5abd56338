"""Sensible forecasting experiments, from the options of ``manyfit forecast``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from manyfit.errors import ConfigError
from manyfit.experiment.experiment import Experiment
from manyfit.losses.forecasts import named_head
from manyfit.models.forecasters import FORECASTERS, named_forecaster
from manyfit.models.linear_forecasters import LinearForecaster, SparseForecaster
from manyfit.objectives.forecasting import Forecasting
from manyfit.tasks.defaults import Plan, number_or_range, optimizer_for, planned
from manyfit.tasks.forecasts import rolling_origins
from manyfit.tasks.task import Task

RATE, LINEAR_RATE = 1e-3, 3e-3
"""Learning rates at the start, from where they fall along a cosine; a linear network bears a larger one."""
STEPS = 3000
"""About how many updates a forecaster is given where nothing is said."""


def forecast_experiment(task: Task, asked: Mapping[str, Any]) -> Experiment:
    """The experiment of a forecast task and the options (None where open)."""
    encoder: Any = task.encoder
    name = asked.get("model") or "auto"
    if name == "auto":
        name = "gru" if encoder.known else "nlinear"
    model = named_forecaster(name)
    task = _read_by(model, name, task)
    about = task.about
    season = about["season"]
    if isinstance(model, SparseForecaster):
        model = dataclasses.replace(model, period=max(1, min(season, about["lookback"])))
    rate = LINEAR_RATE if isinstance(model, (LinearForecaster, SparseForecaster)) else RATE
    optimizer: Any = optimizer_for({**asked, "schedule": asked.get("schedule") or "cosine"}, search=False)
    optimizer = dataclasses.replace(
        optimizer,
        learning_rate=number_or_range("learning_rate", asked.get("learning_rate"), rate),
    )
    targets = len(encoder.targets)
    objective = Forecasting(
        model,
        about["lookback"],
        about["horizon"],
        targets=targets,
        head=named_head(asked.get("loss") or "squared"),
        optimizer=optimizer,
        season=season,
        units=targets == 1,
    )
    folds = 4 if asked.get("folds") is None else asked["folds"]
    validation = 0.2 if asked.get("validation") is None else asked["validation"]
    assert task.time is not None
    splits = rolling_origins(task.time, folds, about["horizon"], validation)
    batch = 32 if asked.get("batch_size") is None else asked["batch_size"]
    epochs = max(5, min(200, STEPS * batch // max(1, len(splits[-1][0]))))
    plan = Plan(None, 3, 4, epochs, 10, 32)
    validated = any(len(inner) for _, inner, _ in splits)
    experiment = planned(objective, task, {**asked, "folds": None}, plan)
    return dataclasses.replace(
        experiment,
        folds=splits,
        metric=asked.get("metric") or ("mae" if targets == 1 else "mase"),
        patience=experiment.patience if validated else None,
        options=asked,
    )


def _read_by(model: Any, name: str, task: Task) -> Task:
    """The task, with a word of the columns that the network does not read.

    Raises ``ConfigError`` where columns that are known of the future are none of its inputs.
    """
    encoder: Any = task.encoder
    if encoder.known and not getattr(model, "reads_known", False):
        raise ConfigError(
            f"{name} does not read what is known of steps to come ({', '.join(encoder.known)}): leave known out, or "
            f"take {_those('reads_known')}"
        )
    if encoder.past and not getattr(model, "reads_channels", False):
        word = (
            f"{name} reads the past of each target by itself, and not {', '.join(encoder.past)}: "
            f"{_those('reads_channels')} would"
        )
        about = {**task.about, "warnings": [*task.about["warnings"], word]}
        return dataclasses.replace(task, about=about)
    return task


def _those(flag: str) -> str:
    names = [name for name, model in FORECASTERS.items() if getattr(model, flag, False)]
    return f"{', '.join(names[:-1])} or {names[-1]}"
