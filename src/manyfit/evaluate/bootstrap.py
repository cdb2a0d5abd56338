"""Intervals by resampling: of any statistic of rows, and of a score over seeds and folds."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, DataError
from manyfit.evaluate.intervals import Interval

Statistic = Callable[..., float]
"""From arrays of rows to a number."""


def bca_interval(
    rows: npt.ArrayLike | tuple[npt.ArrayLike, ...],
    statistic: Statistic = np.mean,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The bias-corrected and accelerated bootstrap interval of a statistic of the rows of one test set.

    Args:
        rows: ``(rows,)``, or several such arrays that are resampled together (target and prediction).
        statistic: of arrays like these, to a number (``sklearn.metrics.f1_score``, say). Resamples for which
            it is undefined (NaN) are drawn anew up to ten times.
        resamples: how many; the ends of the interval are uncertain by about 2 % of its width at 2,000.

    Like ``row_interval`` it speaks of one model: the chance of the training rows and the seed is not in it.
    Raises ``DataError`` for fewer than two rows or arrays of different lengths.

    Source: Efron (1987), "Better bootstrap confidence intervals"; the acceleration is the jackknife's.

    >>> print(bca_interval([0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]))
    0.7 [0.4, 0.9] (10 rows)
    """
    from scipy import stats

    parts = [np.asarray(part) for part in (rows if isinstance(rows, tuple) else (rows,))]
    n = len(parts[0])
    if n < 2 or any(part.ndim != 1 or len(part) != n for part in parts):
        raise DataError(
            f"rows of shapes {[part.shape for part in parts]}: give arrays of the same 2 rows or more"
        )
    _check(resamples, level)
    rng = np.random.default_rng(seed)
    whole = float(statistic(*parts))

    def drawn() -> float:
        for _ in range(10):
            take = rng.integers(n, size=n)
            value = float(statistic(*(part[take] for part in parts)))
            if math.isfinite(value):
                return value
        return math.nan

    found = np.array([drawn() for _ in range(resamples)])
    found = found[np.isfinite(found)]
    sd = float(np.std(found, ddof=1)) if len(found) > 1 else math.nan
    if len(found) < 2 or sd == 0.0 or not math.isfinite(whole):
        low = high = whole if len(found) > 1 and sd == 0.0 else math.nan
        return Interval(whole, low, high, sd * math.sqrt(n), n, "rows")
    left_out = np.arange(n)
    jackknife = np.array([float(statistic(*(part[left_out != i] for part in parts))) for i in range(n)])
    pull = np.nanmean(jackknife) - jackknife[np.isfinite(jackknife)]
    size = float(np.sum(pull**2)) ** 1.5
    acceleration = float(np.sum(pull**3)) / (6 * size) if size else 0.0
    bias = stats.norm.ppf((np.sum(found < whole) + 0.5 * np.sum(found == whole)) / len(found))
    ends = []
    for tail in (0.5 - level / 2, 0.5 + level / 2):
        z = bias + stats.norm.ppf(tail)
        ends.append(float(np.quantile(found, stats.norm.cdf(bias + z / (1 - acceleration * z)))))
    return Interval(whole, ends[0], ends[1], sd * math.sqrt(n), n, "rows")


def hierarchical_interval(
    scores: npt.ArrayLike, *, resamples: int = 4000, level: float = 0.95, seed: int = 0
) -> Interval:
    """The bootstrap interval of a score over seeds and folds: folds are drawn, and seeds anew within each.

    Args:
        scores: ``(seeds, folds)``; repeats are further folds.

    Folds are taken as independent, which those of one cross-validation are not: it is for folds that are data sets,
    subjects or repeats of a simulation. Of a cross-validation use ``resampled_interval``. NaN scores are left out.

    Source: Davison, Hinkley (1997), "Bootstrap methods and their application", section 3.8.

    >>> print(hierarchical_interval([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7]]))
    0.8 [0.7, 0.9] (3 folds)
    """
    table = np.atleast_2d(np.asarray(scores, np.float64))
    if table.ndim != 2 or table.size == 0:
        raise DataError(f"scores have shape {table.shape}: give (seeds, folds)")
    _check(resamples, level)
    dropped = int(np.sum(~np.isfinite(table)))
    table = table[:, np.isfinite(table).any(axis=0)]
    seeds, folds = table.shape
    if folds < 2:
        mean = float(np.nanmean(table)) if table.size else math.nan
        return Interval(mean, math.nan, math.nan, math.nan, folds, "folds", dropped)
    centre = float(np.nanmean(table, axis=0).mean())
    rng = np.random.default_rng(seed)
    fold = rng.integers(folds, size=(resamples, 1, folds))
    drawn = table[rng.integers(seeds, size=(resamples, seeds, folds)), fold]
    means = _mean(_mean(drawn, axis=1), axis=1)
    means = means[np.isfinite(means)]
    low, high = np.quantile(means, (0.5 - level / 2, 0.5 + level / 2))
    sd = float(np.std(np.nanmean(table, axis=0), ddof=1))
    return Interval(centre, float(low), float(high), sd, folds, "folds", dropped)


def _mean(values: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    """The mean of what is there, NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _check(resamples: int, level: float) -> None:
    if resamples < 100 or not 0.0 < level < 1.0:
        raise ConfigError(
            f"resamples={resamples}, level={level}: give at least 100, and a level between 0 and 1"
        )


def bootstrap_632_plus(
    left_out: float, apparent: float, no_information: float, *, plus: bool = True
) -> float:
    """Efron and Tibshirani's .632+ estimate of an error (lower is better).

    Resamples leave out 37 % of the rows, so that their error is that of a smaller training set, too
    high; the error on training rows is too low. The estimate lies between, nearer to the former the
    more the learner overfits.

    Args:
        left_out: the mean error over resamples, each on the rows that it left out.
        apparent: the error on all rows of the network trained on all of them.
        no_information: the error if inputs and target had nothing to do with one another
            (``no_information_error``).
        plus: false gives the plain .632, which trusts the apparent error even of a learner that remembers.

    Source: Efron and Tibshirani (1997), "Improvements on cross-validation: the .632+ bootstrap method",
    equations 24 to 32.

    >>> round(bootstrap_632_plus(0.5, 0.0, 0.5), 3)  # nothing learned, all remembered
    0.5
    """
    bounded = min(left_out, no_information)
    overfit = 0.0
    if plus and bounded > apparent and no_information > apparent:
        overfit = (bounded - apparent) / (no_information - apparent)
    weight = 0.632 / (1.0 - 0.368 * overfit)
    return (1.0 - weight) * apparent + weight * (bounded if plus else left_out)


def no_information_error(target: npt.ArrayLike, called: npt.ArrayLike) -> float:
    """The share of errors if every row's call were paired with every row's target, ``(n,)`` classes each.

    Source: Efron and Tibshirani (1997), equation 27.
    """
    truth, calls = np.asarray(target), np.asarray(called)
    if truth.shape != calls.shape or truth.ndim != 1 or not len(truth):
        raise DataError(f"target {truth.shape} and calls {calls.shape}: give two arrays (n,)")
    classes = np.union1d(truth, calls)
    return float(1.0 - sum(np.mean(truth == k) * np.mean(calls == k) for k in classes))
