"""A forecast run: backtest, then train on everything, then say what comes next."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load, save

from manyfit.engine import RunFolder
from manyfit.errors import RunError
from manyfit.evaluate import forecast_intervals
from manyfit.experiment.experiment import Experiment
from manyfit.experiment.predictor import Predictor
from manyfit.experiment.result import Result
from manyfit.space import resolve
from manyfit.tasks.task import Task

NAME = "forecasts.safetensors"
MOST_WINDOWS = 300
"""Test windows of the backtest whose errors are kept, for the conformal intervals."""
SHOWN = 4
"""Windows of the backtest that the report draws."""


def backtest(result: Result, task: Task, experiment: Experiment) -> dict[str, np.ndarray]:
    """Forecasts of test windows by networks that had not seen them, ``(n, horizon, targets, 1 + levels)``.

    ``residual`` and ``target`` ``(n, horizon, targets)`` (residuals NaN where nothing was observed), ``past``
    ``(n, lookback, targets)``, ``row`` and ``fold`` ``(n,)``.
    """
    predictor = result.best
    objective, data = predictor.objective, jax.tree.map(jnp.asarray, task.data)
    rows = [m for m in result.members if m["trial"] == result.chosen and m["status"] != "diverged"]
    folds = np.array([m["fold"] for m in rows])
    each = max(1, MOST_WINDOWS // len(experiment.folds))
    many = jax.jit(jax.vmap(lambda model, windows: objective.predict(model, windows), (0, None)))
    parts: dict[str, list[np.ndarray]] = {
        k: [] for k in ("forecast", "target", "past", "residual", "row", "fold")
    }
    for fold, split in enumerate(experiment.folds):
        members = np.flatnonzero(folds == fold)
        if not len(members):
            continue
        test = np.asarray(split[-1])
        test = test[np.unique(np.linspace(0, len(test) - 1, min(each, len(test))).round().astype(int))]
        padded = np.resize(test, each)  # one shape for all folds, compiled once
        windows = objective.gather(data, jnp.asarray(padded))
        models = jax.tree.map(lambda leaf, m=members: jnp.asarray(leaf[m]), predictor.models)
        forecast = np.asarray(many(models, windows)).mean(axis=0)[: len(test)]
        target = np.asarray(windows["target"])[: len(test)]
        residual = target - forecast[..., 0]
        if "observed" in windows:
            residual = np.where(np.asarray(windows["observed"])[: len(test)] > 0, residual, np.nan)
        past = np.asarray(windows["inputs"]["past"])[: len(test), :, : objective.targets]
        found = {"forecast": forecast, "target": target, "past": past, "residual": residual}
        for name, values in found.items():
            parts[name].append(values.astype(np.float32))
        parts["row"].append(test.astype(np.int32))
        parts["fold"].append(np.full(len(test), fold, np.int32))
    return {name: np.concatenate(values) for name, values in parts.items()}


def refit(experiment: Experiment, result: Result, task: Task) -> Predictor:
    """The chosen trial trained once more, on all rows but the newest, for as long as it was best in the backtest."""
    chosen = next(t for t in result.trials if t.trial == result.chosen)
    values = {name: value for name, value in chosen.hyper.items() if name != "batch_size"}
    best = [m["best_epoch"] for m in result.members if m["trial"] == result.chosen]
    rows = np.arange(task.rows)
    newest = rows[np.argsort(task.time, kind="stable")[-1:]] if task.time is not None else rows[-1:]
    final = dataclasses.replace(
        experiment,
        objective=resolve(experiment.objective, values),
        batch_size=chosen.hyper.get("batch_size", experiment.batch_size),
        folds=[(np.setdiff1d(rows, newest), rows[:0], newest)],
        epochs=max(1, round(float(np.mean(best)))),
        patience=None,
        trials=1,
        prune=None,
        first_trials=(),
        search="sobol",
        options=None,
    )
    return final.run().best


def write_forecasts(folder: str | Path, found: Mapping[str, np.ndarray]) -> None:
    """``forecasts.safetensors`` of a run."""
    RunFolder(folder).write(NAME, save({k: np.asarray(v, order="C") for k, v in found.items()}))


def read_forecasts(folder: str | Path) -> dict[str, np.ndarray]:
    """What ``write_forecasts`` wrote; raises ``RunError`` where it is not there or broken."""
    place = Path(folder) / NAME
    try:
        return dict(load(place.read_bytes()))
    except Exception as error:
        raise RunError(f"{place} cannot be read ({error}); run the forecast anew") from error


def intervals(run: str | Path, forecast: np.ndarray, coverage: float) -> np.ndarray:
    """Conformal intervals ``(rows, horizon, targets, 2)`` of a run's forecasts, by its backtest."""
    found = read_forecasts(run)
    came = np.where(np.isfinite(found["residual"]), found["target"], np.nan)
    return forecast_intervals(forecast, found["forecast"], came, coverage=coverage)


def forecast_run(
    experiment: Experiment,
    task: Task,
    folder: Path,
    *,
    resume: bool,
    progress: Callable[[Any], None] | None,
    stop: Callable[[], bool],
    save_every: float,
) -> Result:
    """Backtest into the folder, then replace its model by one trained on everything."""
    result = experiment.run(folder, resume=resume, progress=progress, stop=stop, save_every=save_every)
    if result.interrupted or result.predictor is None:
        return result
    write_forecasts(folder, backtest(result, task, experiment))
    final = refit(experiment, result, task)
    final.save(RunFolder(folder))
    return dataclasses.replace(result, predictor=final)
