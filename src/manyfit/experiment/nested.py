"""Nested cross-validation: the whole search again within the training rows of every fold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from manyfit.engine import RunFolder
from manyfit.evaluate import Interval, Split, plan, resampled_interval
from manyfit.experiment.preparation import Prepared
from manyfit.experiment.status import Status
from manyfit.experiment.summary import bounds_of, sizes_of
from manyfit.tasks.task import Task

if TYPE_CHECKING:
    from manyfit.experiment.experiment import Experiment
    from manyfit.experiment.result import Result
    from manyfit.experiment.run import Run

FOLDER = "nested"
"""Where in a run's folder the searches of its folds lie."""
SCORED = "scored.json"
"""What a fold's search chose, and its score on the fold's test rows: written when both are known."""


def nested_score(
    experiment: Experiment,
    prepared: Prepared,
    folder: Path | None,
    *,
    progress: Callable[[Status], None] | None,
    stop: Callable[[], bool],
    save_every: float,
) -> Interval | None:
    """The score of the whole procedure, search and choice; None where it was stopped, to go on from there.

    For each fold of ``experiment`` its search runs on that fold's training and validation rows alone, cross-validated
    in ``experiment.nested`` inner folds, pruning and all; the trial that it chooses then trains as the fold's own
    networks do, and is scored on the fold's test rows, which had no part in any of it. First trials are left
    out, as those of a warm start come from a search of all rows. It costs about as much as the run itself once for
    every fold.

    Source: Varma and Simon (2006), "Bias in error estimation when using cross-validation for model selection".
    """
    scores = np.full((experiment.seeds, len(prepared.splits)), np.nan)
    for place, split in enumerate(prepared.splits):
        inner = dataclasses.replace(
            _plain(experiment),
            folds=_inner(experiment, prepared.task, split),
            seed=experiment.seed + 1 + place,
        )
        watch = _named(progress, f"nested fold {place + 1} of {len(prepared.splits)}")
        here = None if folder is None else RunFolder(folder / FOLDER / f"fold-{place}")
        if here is not None and (here / SCORED).exists():
            scores[:, place] = np.array(here.read_json(SCORED)["scores"], np.float64)
            continue
        run, searched = _run(inner, here, watch, stop, save_every)
        if searched.interrupted:
            return None
        chosen = next((trial for trial in run.trials if trial.index == searched.chosen), None)
        if chosen is None:
            continue  # every network diverged: the fold has no score, as one whose networks do has none
        outer = dataclasses.replace(
            _plain(experiment),
            folds=[_parts(split)],
            trials=1,
            given_trials=[chosen.values],
            search="sobol",
            prune=None,
        )
        _, result = _run(outer, None, watch, stop, save_every)
        if result.interrupted:
            return None
        for row in result.members:
            value = row["test"].get(prepared.metric)
            if value is not None and row["status"] != "diverged":
                scores[row["seed"], place] = value
        if here is not None:
            here.write_json(SCORED, {"hyper": chosen.shown, "scores": scores[:, place].tolist()})
    found = resampled_interval(scores, **sizes_of(prepared))
    return found.within(*bounds_of(prepared, prepared.metric))


def _plain(experiment: Experiment) -> Experiment:
    """The experiment without what its own folds take, and without what is measured or told once a run."""
    return dataclasses.replace(
        experiment,
        nested=None,
        first_trials=(),  # what a search of all rows found has seen the rows that a fold tests
        repeats=1,
        bootstrap=False,
        gap=0.0,
        window=None,
        embargo=None,
        latency=None,
        storage=None,
        options=None,
    )


def _inner(experiment: Experiment, task: Task, split: Split) -> list[tuple[np.ndarray, ...]]:
    """The inner folds, in rows of the whole data set."""
    rows = np.unique(np.concatenate([split.train, split.validation]))

    def of(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.asarray(values)[rows]

    found = plan(
        len(rows),
        folds=experiment.nested,
        target=of(task.labels),
        groups=of(task.groups),
        time=of(task.time),
        gap=experiment.gap or None,
        window=experiment.window,
        embargo=experiment.embargo,
        validation=experiment.validation,
        seed=experiment.seed,
        classes=task.classes,
    )
    return [_parts(one, rows) for one in found]


def _parts(split: Split, rows: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    parts = (
        [split.train, split.validation, split.test] if len(split.validation) else [split.train, split.test]
    )
    return tuple(part if rows is None else rows[part] for part in parts)


def _run(
    experiment: Experiment,
    folder: RunFolder | None,
    progress: Callable[[Status], None] | None,
    stop: Callable[[], bool],
    save_every: float,
) -> tuple[Run, Result]:
    """Begun, or gone on with where it was stopped; with the run itself, whose trials are as they are, not as shown."""
    from manyfit.experiment.run import Run

    run = Run(experiment, progress, stop, save_every)
    if folder is None:
        return run, run.into(None, False)
    return run, run.into(folder.path, folder.exists())


def _named(progress: Callable[[Status], None] | None, stage: str) -> Callable[[Status], None] | None:
    """The same watcher, told which part of the run it sees."""
    if progress is None:
        return None
    return lambda status: progress(dataclasses.replace(status, stage=stage))
