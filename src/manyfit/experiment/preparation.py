"""Every decision of an experiment that can be made before training: task, folds, trials."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from manyfit import metrics
from manyfit.errors import ConfigError
from manyfit.evaluate import Split, Twins, plan, twins
from manyfit.experiment.search import Search
from manyfit.experiment.trials import Trial
from manyfit.objectives import Tagging
from manyfit.tasks import task_of
from manyfit.tasks.task import Task
from manyfit.tune import Pruner, Racing, named_pruner

if TYPE_CHECKING:
    from manyfit.experiment.experiment import Experiment


MOST_COMPARED = 200_000
"""Rows beyond which nobody waits for them to be compared."""
TWIN_SHARE = 0.01
"""The part of the rows from which on twins are worth a word."""


@dataclass(frozen=True)
class Prepared:
    """An experiment with every decision made that can be made before training."""

    task: Task
    objective: Any
    splits: list[Split]
    search: Search
    trials: list[Trial]
    """Those of the first batch, later of all batches so far."""
    metric: str
    direction: str
    evolved: bool = False
    """Whether poor trials go on from good ones."""


def prepare(experiment: Experiment) -> Prepared:
    """Check the experiment and settle its task, folds and trials. Nothing is trained."""
    for name, least in (("trials", 1), ("seeds", 1), ("epochs", 1), ("repeats", 1)):
        value = getattr(experiment, name)
        if not isinstance(value, int) or value < least:
            raise ConfigError(f"{name}={value!r}: give a whole number of at least {least}")
    if experiment.patience is not None and experiment.patience < 1:
        raise ConfigError(
            f"patience={experiment.patience}: give at least 1 epoch, or None for no early stopping"
        )
    if not 0 <= experiment.validation < 1:
        raise ConfigError(f"validation={experiment.validation}: give a share of the training rows in [0, 1)")
    if experiment.latency is not None and experiment.latency < 1:
        raise ConfigError(f"latency={experiment.latency}: give the rows of the batch to be timed, at least 1")
    task = task_of(experiment.data)
    if experiment.latency is not None and task.kind == "own":
        raise ConfigError("latency is that of predicting rows, and this objective has none: leave it out")
    _check_nested(experiment, task)
    splits = _splits(experiment, task)

    def bind(trial: Trial) -> Trial:
        if not hasattr(trial.objective, "bind"):
            return trial
        return dataclasses.replace(trial, objective=trial.objective.bind(task.data, task.cardinalities))

    pruner = named_pruner(experiment.prune) if isinstance(experiment.prune, str) else experiment.prune
    _check_judging(experiment, pruner, splits, task)
    search = Search(
        _settled(experiment.objective, task),
        experiment.batch_size,
        experiment.trials,
        experiment.seed,
        method=experiment.search,
        batch=experiment.batch,
        pruner=pruner,
        first=experiment.first_trials,
        given=experiment.given_trials,
        bind=bind,
    )
    trials = search.next([])
    if task.kind == "own":
        metric, direction = experiment.metric or task.metric or trials[0].objective.monitor, task.direction
    elif task.kind == "tagging":
        if not isinstance(trials[0].objective, Tagging):
            raise ConfigError(
                f"these data have a label for each word, and {type(trials[0].objective).__name__} gives one a row: "
                "use manyfit.objectives.Tagging"
            )
        labels = metrics.tag_metric(experiment.metric or task.metric or "accuracy", task.classes)
        metric, direction = labels.name, labels.direction
    else:
        found = metrics.metric(experiment.metric or task.metric or _first_metric(task, splits), task.kind)
        if found.name not in metrics.ROW_MEANS and all(len(split.test) == 1 for split in splits):
            raise ConfigError(
                f"{found.name} of a single test row says nothing: choose a mean over rows "
                f"({', '.join(metrics.ROW_MEANS)}), or folds of more rows"
            )
        metric, direction = found.name, found.direction
    evolved = experiment.evolve is not None
    return Prepared(task, trials[0].objective, splits, search, trials, metric, direction, evolved)


def _first_metric(task: Task, splits: list[Split]) -> str:
    """The score that is reported first, of those that so many test rows define."""
    names = metrics.DEFAULTS[task.kind]
    if all(len(split.test) == 1 for split in splits):
        names = tuple(name for name in names if name in metrics.ROW_MEANS)
    return names[0]


def _check_judging(experiment: Experiment, pruner: Pruner | None, splits: list[Split], task: Task) -> None:
    """Refuse pruning and evolution that could not do anything, or not by validation rows."""
    judge = pruner or experiment.evolve
    if judge is None:
        return
    what = "pruning" if pruner is not None else "evolution"
    if task.rows and not any(len(split.validation) for split in splits):
        raise ConfigError(f"{what} compares losses on validation rows, and validation=0 holds none out")
    if not judge.rungs(experiment.epochs):
        raise ConfigError(
            f"{what} would first look when the {experiment.epochs} epochs are over: train longer"
        )
    if isinstance(pruner, Racing) and len(splits) < 2:
        raise ConfigError("racing compares trials fold by fold, and there is one fold: give two or more")
    evolution = experiment.evolve
    if evolution is None:
        return
    if pruner is not None or experiment.patience is not None or experiment.search not in ("sobol", "random"):
        raise ConfigError(
            "evolving trials all train to the last epoch: give patience=None (--patience 0), no pruning, and a "
            "search that does not learn"
        )
    if evolution.share * experiment.trials < 1:
        raise ConfigError(
            f"the worst {evolution.share:.0%} of {experiment.trials} trials are less than one: give "
            f"{math.ceil(1 / evolution.share)} trials or more"
        )


def _check_nested(experiment: Experiment, task: Task) -> None:
    """Refuse what cannot be nested; raises ``ConfigError``."""
    folds = experiment.nested
    if folds is None:
        return
    if not isinstance(folds, int) or folds < 2:
        raise ConfigError(f"nested={folds!r}: give the number of inner folds, at least 2")
    if not task.rows or task.parts is not None:
        raise ConfigError(
            "nested searches within the training rows of a fold, and here are none: leave it out"
        )
    if experiment.trials < 2 and experiment.given_trials is None:
        raise ConfigError(
            "nested scores a search, and there is one trial: leave it out, or give --trials and a range"
        )
    if experiment.evolve is not None:
        raise ConfigError(
            "an evolved setting changes as it trains, and no fold can train it anew: leave nested out"
        )
    if experiment.budget is not None:
        raise ConfigError("a budget would end the search of every fold elsewhere: leave budget or nested out")


def twins_of(prepared: Prepared) -> Twins | None:
    """The rows of identical inputs; None where there are no rows, or too many to look."""
    task = prepared.task
    if (
        task.kind in ("own", "tagging")
        or not 0 < task.rows <= MOST_COMPARED
        or not isinstance(task.data["inputs"], Mapping)
    ):
        return None
    return twins(task.data["inputs"], task.data["target"], prepared.splits)


def twin_warnings(found: Twins | None) -> list[str]:
    """What is to be said of rows with identical inputs; nothing where they are few."""
    if found is None:
        return []
    said = []
    if found.leaked > TWIN_SHARE * found.rows:
        said.append(
            f"{found.leaked} of {found.rows} rows ({found.leaked_share:.1%}) are tested by networks that trained on a "
            "row of the same inputs, so that the score may flatter: drop duplicates, or keep them together by a group"
        )
    if found.contradicted > TWIN_SHARE * found.rows:
        said.append(
            f"{found.contradicted} of {found.rows} rows ({found.contradicted / found.rows:.1%}) have a twin of the "
            "same inputs with another target: no model is right about both"
        )
    return said


def _settled(objective: Any, task: Task) -> Any:
    """The objective with what the task decides: classes and preprocessing."""
    names = {f.name for f in dataclasses.fields(objective)} if dataclasses.is_dataclass(objective) else set()
    settled: dict[str, Any] = {}
    if "classes" in names and task.kind != "own":
        settled["classes"] = len(task.classes) or None
    if "preprocess" in names and getattr(objective, "preprocess", None) is None:
        settled["preprocess"] = task.preprocess
    return dataclasses.replace(objective, **settled) if settled else objective


def _splits(experiment: Experiment, task: Task) -> list[Split]:
    if task.parts is not None:
        return list(task.parts)
    if task.rows == 0:
        none = np.empty(0, np.int32)
        return [Split(none, none, none)]
    number = isinstance(experiment.folds, (int, str))
    resampled = experiment.bootstrap
    return plan(
        task.rows,
        folds=experiment.folds if number and not resampled else None,
        bootstrap=resampled,
        repeats=experiment.repeats,
        target=task.labels,
        groups=task.groups,
        time=task.time,
        gap=experiment.gap or None,
        window=experiment.window,
        embargo=experiment.embargo,
        validation=experiment.validation,
        splitter=None if number else experiment.folds,
        seed=experiment.seed,
        classes=task.classes,
    )
