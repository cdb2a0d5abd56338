"""The score against the number of training rows: every size and fold a member of one population."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from manyfit import metrics
from manyfit.errors import ConfigError
from manyfit.evaluate import Extrapolation, Interval, Split, extrapolate, repeats_of, resampled_interval
from manyfit.experiment.preparation import prepare
from manyfit.experiment.result import number
from manyfit.experiment.summary import bounds_of
from manyfit.space import resolve, settle
from manyfit.tasks.task import Task

if TYPE_CHECKING:
    from manyfit.experiment.experiment import Experiment

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


@dataclass(frozen=True)
class LearningCurve:
    """Scores by the number of training rows, and what more of them would bring."""

    metric: str
    direction: str
    rows: np.ndarray
    """``(sizes,)``, the mean over folds of the rows trained on."""
    scores: np.ndarray
    """``(sizes, seeds, folds)`` on the whole test part of each fold; NaN where a network diverged."""
    intervals: Sequence[Interval]
    further: Extrapolation | None
    """The error (the score itself where lower is better, else what is missing to its best) at twice, four and
    eight times the rows; None where it cannot be told."""

    def text(self, width: int = 30) -> str:
        """A line for each size, and what more rows would bring."""
        means = [i.mean for i in self.intervals]
        there = [mean for mean in means if np.isfinite(mean)]
        low, high = (min(there), max(there)) if there else (0.0, 0.0)
        lines = [f"{'training rows':>13}  {self.metric:>10}  95 % interval"]
        for count, i in zip(self.rows, self.intervals):
            share = (i.mean - low) / (high - low) if high > low else 1.0
            filled = round(width * share) if np.isfinite(share) else 0
            between = f"{number(i.low)} to {number(i.high)}"
            lines.append(f"{count:13.0f}  {number(i.mean):>10}  {between:18}  {'#' * max(1, filled)}")
        for count, mean, worst, best in self._expected():
            lines.append(f"{count:13.0f}  {number(mean):>10}  {number(worst)} to {number(best)}  expected")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able account."""
        return {
            "metric": self.metric,
            "direction": self.direction,
            "sizes": [
                {"rows": float(n), "mean": i.mean, "low": i.low, "high": i.high}
                for n, i in zip(self.rows, self.intervals)
            ],
            "expected": [
                {"rows": count, "mean": mean, "low": low, "high": high}
                for count, mean, low, high in self._expected()
            ],
        }

    def _expected(self) -> list[tuple[float, float, float, float]]:
        """(rows, score, its lower end, its upper end) beyond what there is, less sure than what there is."""
        if self.further is None:
            return []
        best = _best(self.metric) if self.direction == "maximize" else None
        found = []
        for count, mean, low, high in zip(
            self.further.rows, self.further.mean, self.further.low, self.further.high
        ):
            if best is None:
                found.append((float(count), float(mean), float(low), float(high)))
            else:
                found.append((float(count), best - float(mean), best - float(high), best - float(low)))
        # the band of the fit knows how well a power law goes through the points, not how well these are known:
        # two doubts of their own, whose squares add up
        last = self.intervals[-1]
        half = max(last.mean - last.low, last.high - last.mean)
        least, most = (
            metrics.METRICS[self.metric].bounds if self.metric in metrics.METRICS else (-np.inf, np.inf)
        )
        return [
            (
                count,
                mean,
                max(least, mean - np.hypot(half, mean - low)),
                min(most, mean + np.hypot(half, high - mean)),
            )
            for count, mean, low, high in found
        ]


def learning_curve(
    experiment: Experiment, *, shares: Sequence[float] = SHARES, hyper: Mapping[str, Any] | None = None
) -> LearningCurve:
    """Train on growing parts of each fold's training rows, test on all of its test rows.

    Smaller parts lie within larger ones; rows of a group stay together, and in time the latest are taken.

    Args:
        experiment: its objective, data, folds and settings; searched values stand in the middle of
            their range unless ``hyper`` says otherwise.
        shares: of the training rows, in (0, 1], at least two; three or more for an extrapolation.
        hyper: dotted path -> value.

    Raises:
        ConfigError: shares out of range, or an objective without rows.
    """
    sizes = sorted(set(shares))
    if len(sizes) < 2 or not 0 < sizes[0] <= sizes[-1] <= 1:
        raise ConfigError(f"shares={list(shares)}: give at least two shares of the training rows, in (0, 1]")
    middle = settle(experiment.objective, lambda label, kind: kind.at(0.5)) | dict(hyper or {})
    objective = resolve(experiment.objective, middle)
    if experiment.bootstrap:
        raise ConfigError(
            "a learning curve takes growing parts of folds, and bootstraps have rows twice: use folds"
        )
    size = experiment.batch_size
    one = dataclasses.replace(
        experiment,
        objective=objective,
        trials=1,
        search="sobol",
        prune=None,
        evolve=None,
        budget=None,
        first_trials=(),
        given_trials=None,
        batch_size=size if isinstance(size, int) else int(size.at(0.5)),
        options=None,
    )
    prepared = prepare(one)
    if not prepared.task.rows:
        raise ConfigError("a learning curve is over training rows, and this objective has none")
    order = [_order(split, prepared.task, experiment.seed + i) for i, split in enumerate(prepared.splits)]
    splits = []
    for share in sizes:
        for split, (train, validation) in zip(prepared.splits, order):
            kept = train[: max(2, round(share * len(train)))]
            held = validation[: max(1, round(share * len(validation)))]
            splits.append((kept, held, split.test))
    plain = dataclasses.replace(
        one, folds=splits, repeats=1, bootstrap=False, gap=0.0, window=None, embargo=None
    )
    if not len(prepared.splits[0].validation):
        plain = dataclasses.replace(plain, folds=[(a, c) for a, _, c in splits])
    result = plain.run()
    folds = len(prepared.splits)
    scores = np.full((len(sizes), experiment.seeds, folds), np.nan)
    for row in result.members:
        value = row["test"].get(prepared.metric)
        if value is not None and row["status"] != "diverged":
            scores[row["fold"] // folds, row["seed"], row["fold"] % folds] = value
    counts = np.array([len(kept) + len(held) for kept, held, _ in splits], np.float64)
    rows = counts.reshape(len(sizes), folds).mean(axis=1)
    test = float(np.mean([len(split.test) for split in prepared.splits]))
    repeats = repeats_of(prepared.splits)
    ends = bounds_of(prepared, prepared.metric)
    intervals = [
        resampled_interval(scores[i], rows[i], test, repeats=repeats).within(*ends) for i in range(len(sizes))
    ]
    return LearningCurve(
        prepared.metric,
        prepared.direction,
        rows,
        scores,
        intervals,
        _further(prepared.metric, prepared.direction, rows, scores),
    )


def _order(split: Split, task: Task, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The training and validation rows in the order in which a growing part takes them."""
    rng = np.random.default_rng([seed, 11])

    def of(rows: np.ndarray) -> np.ndarray:
        if task.time is not None:
            return rows[np.argsort(-np.asarray(task.time)[rows], kind="stable")]
        if task.groups is not None:
            groups = np.asarray(task.groups)[rows]
            turn = {group: i for i, group in enumerate(rng.permutation(np.unique(groups)))}
            return rows[np.argsort([turn[group] for group in groups], kind="stable")]
        rows = rng.permutation(rows)
        if task.labels is None:
            return rows
        # of each class the first share at a time: a row's place among those of its class, as a part of them
        labels = np.asarray(task.labels)[rows]
        place = np.zeros(len(rows))
        for label in np.unique(labels):
            here = np.flatnonzero(labels == label)
            place[here] = (np.arange(len(here)) + rng.random()) / len(here)
        return rows[np.argsort(place, kind="stable")]

    return of(split.train), of(split.validation)


def _best(metric: str) -> float:
    """The best value that a score can have."""
    return metrics.METRICS[metric].bounds[1]


def _further(metric: str, direction: str, rows: np.ndarray, scores: np.ndarray) -> Extrapolation | None:
    errors = np.nanmean(scores, axis=1)
    if direction == "maximize":
        if metric not in metrics.METRICS or not np.isfinite(_best(metric)):
            return None
        errors = _best(metric) - errors
    if len(rows) < 3 or not np.isfinite(errors).all() or (errors < 0).any():
        return None
    return extrapolate(rows, errors, rows[-1] * np.array([2.0, 4.0, 8.0]))
