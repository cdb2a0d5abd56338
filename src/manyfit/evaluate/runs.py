"""Few runs, honestly: interquartile means, performance profiles and who improves on whom, with their intervals.

Source: Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice". Scores
are ``(runs, tasks)`` or ``(runs,)``; what is drawn anew by the bootstrap are runs, within each task by itself
(stratified), for tasks are not a sample of anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, DataError
from manyfit.evaluate.intervals import Interval


def interquartile_mean(scores: npt.ArrayLike) -> float:
    """The mean of the middle half of all scores: a quarter of them (rounded down) is cut at either end.

    >>> interquartile_mean([0.0, 2.0, 3.0, 100.0])
    2.5
    """
    values = np.sort(np.asarray(scores, np.float64).ravel())
    cut = len(values) // 4
    return float(np.mean(values[cut : len(values) - cut]))


def optimality_gap(scores: npt.ArrayLike, target: float) -> float:
    """By how much scores fall short of ``target`` on average, those above it counting as at it."""
    return float(target - np.mean(np.minimum(np.asarray(scores, np.float64), target)))


def interquartile_mean_interval(
    scores: npt.ArrayLike, *, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> Interval:
    """The interquartile mean with its percentile interval by the stratified bootstrap over runs.

    Runs with a score that is NaN (they diverged) are left out and counted in ``dropped``: report it too.

    >>> print(interquartile_mean_interval([1.0, 1.0, 1.0, 1.0]))
    1 [1, 1] (4 seeds)
    """
    table, dropped = _table(scores)
    if len(table) < 2:
        mean = interquartile_mean(table) if len(table) else math.nan
        return Interval(mean, math.nan, math.nan, math.nan, len(table), "seeds", dropped)
    found = stratified_bootstrap(table, interquartile_mean, resamples=resamples, seed=seed)
    low, high = np.quantile(found, (0.5 - level / 2, 0.5 + level / 2))
    return Interval(
        interquartile_mean(table),
        float(low),
        float(high),
        float(np.std(table, ddof=1)),
        len(table),
        "seeds",
        dropped,
    )


def stratified_bootstrap(
    scores: npt.ArrayLike, statistic: Callable[[np.ndarray], float], *, resamples: int = 2000, seed: int = 0
) -> np.ndarray:
    """``statistic`` of ``(runs, tasks)`` tables whose runs are drawn anew within each task, ``(resamples,)``."""
    table, _ = _table(scores)
    if resamples < 100:
        raise ConfigError(f"resamples={resamples}: give at least 100")
    runs, tasks = table.shape
    rng = np.random.default_rng(seed)
    columns = np.arange(tasks)
    drawn = rng.integers(runs, size=(resamples, runs, tasks))
    return np.array([statistic(table[rows, columns]) for rows in drawn])


class Profile(NamedTuple):
    """The share of runs above each threshold, with its interval; all ``(thresholds,)``."""

    thresholds: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray


def performance_profile(
    scores: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Profile:
    """The share of scores above each threshold: the whole distribution over runs, not a point of it.

    Source: Agarwal et al. (2021), section 4.2 (run-score distributions).
    """
    table, _ = _table(scores)
    at = np.asarray(thresholds, np.float64)
    runs, tasks = table.shape
    rng = np.random.default_rng(seed)
    above = table[:, :, None] > at
    drawn = rng.integers(runs, size=(resamples, runs, tasks))
    shares = np.stack([above[rows, np.arange(tasks)].mean(axis=(0, 1)) for rows in drawn])
    low, high = np.quantile(shares, (0.5 - level / 2, 0.5 + level / 2), axis=0)
    return Profile(at, above.mean(axis=(0, 1)), low, high)


def probability_of_improvement(
    a: npt.ArrayLike, b: npt.ArrayLike, *, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> Interval:
    """How probably a run of ``a`` is better than one of ``b`` on a task drawn at random, ties counting half.

    ``a`` and ``b`` are ``(runs, tasks)`` of the same tasks, the greater the better; the number of runs may differ.

    >>> print(probability_of_improvement([3.0, 4.0], [1.0, 2.0]))
    1 [1, 1] (4 seeds)
    """
    tables = [_table(scores) for scores in (a, b)]
    (x, lost), (y, gone) = tables
    if x.shape[1] != y.shape[1]:
        raise DataError(f"scores of {x.shape[1]} and {y.shape[1]} tasks: compare the same tasks")
    if not len(x) or not len(y):
        return Interval(math.nan, math.nan, math.nan, math.nan, 0, "seeds", lost + gone)
    wins = (x[:, None] > y[None]) + 0.5 * (x[:, None] == y[None])
    rng = np.random.default_rng(seed)
    tasks = np.arange(x.shape[1])
    found = np.array(
        [
            wins[
                rng.integers(len(x), size=(len(x), 1, len(tasks))),
                rng.integers(len(y), size=(1, len(y), len(tasks))),
                tasks,
            ].mean()
            for _ in range(resamples)
        ]
    )
    low, high = np.quantile(found, (0.5 - level / 2, 0.5 + level / 2))
    return Interval(
        float(wins.mean()),
        float(low),
        float(high),
        float(found.std(ddof=1)),
        len(x) + len(y),
        "seeds",
        lost + gone,
    )


def _table(scores: npt.ArrayLike) -> tuple[np.ndarray, int]:
    """``(runs, tasks)`` without runs that have a score missing, and how many these were."""
    table = np.asarray(scores, np.float64)
    if table.ndim not in (1, 2) or table.size == 0:
        raise DataError(f"scores have shape {table.shape}: give (runs,) or (runs, tasks)")
    table = table[:, None] if table.ndim == 1 else table
    whole = np.isfinite(table).all(axis=1)
    return table[whole], int(np.sum(~whole))
