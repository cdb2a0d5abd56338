"""How sure a score is: intervals and paired tests that know that folds share training rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, DataError


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval.

    ``sd`` is the standard deviation of the ``n`` values that the interval rests on, and
    ``basis`` says what these are: ``"folds"`` (each averaged over seeds), ``"seeds"`` (of a
    single fold) or ``"rows"`` (of a test set). ``low`` and ``high`` are NaN where ``n`` is below
    2; ``dropped`` counts the scores that were NaN and left out.
    """

    mean: float
    low: float
    high: float
    sd: float
    n: int
    basis: Literal["folds", "seeds", "rows"] = "folds"
    dropped: int = 0

    def within(self, low: float, high: float) -> Interval:
        """The interval without what the score cannot be: whatever it covered, it still covers."""
        return replace(
            self, low=float(np.clip(self.low, low, high)), high=float(np.clip(self.high, low, high))
        )

    def __str__(self) -> str:
        text = f"{self.mean:.4g} [{self.low:.4g}, {self.high:.4g}] ({self.n} {self.basis})"
        return f"{text}, {self.dropped} scores missing" if self.dropped else text


class Comparison(NamedTuple):
    """The difference a - b, and the two-sided p-value of there being none."""

    difference: Interval
    p: float


def resampled_interval(
    scores: npt.ArrayLike, n_train: float, n_test: float, *, repeats: int = 1, level: float = 0.95
) -> Interval:
    """The corrected resampled t interval of a cross-validated score.

    ``mean +- t(K - 1) sqrt((1/K + n_test/n_train) S^2)`` over K folds: without the second term the
    folds would count as independent, which they are not, for they share training rows. What it
    covers is the expected score of this learner on training sets of this size.

    ``R`` repeats of the folds test the same rows again. They average the luck of the partition away, and of
    the second term that half which simulations leave to it: ``(1 + 1/R) / 2`` of it counts, with ``S`` the
    spread within a repeat and t of ``K - 1``. (Counted as ``RK`` folds, five repeats cover as little as 83 %:
    ``benchmarks/coverage_rules.py``.)

    Args:
        scores: ``(seeds, folds)`` or ``(folds,)``. Seeds are averaged within each fold first: they are not
            independent evidence.
        n_train: training rows of a fold, validation rows included (or their share of the rows:
            only the ratio counts).
        n_test: test rows of a fold, in the same unit.
        repeats: of the folds, one repeat after the other in ``scores``; 1 also for test parts that
            were drawn anew for every fold (hold-outs, bootstraps).
        level: the confidence level.

    NaN scores (members that diverged, metrics that are undefined) are left out and counted in
    ``dropped``. That flatters a learner that diverges often: report ``dropped`` with the mean.
    With a single fold the interval rests on the seeds: it then holds the noise of training, and
    neither that of the training rows nor that of the test rows (for the latter see ``row_interval``).

    Raises:
        ConfigError: sizes, repeats or a level out of range.
        DataError: scores that are not ``(seeds, folds)``.

    Source: Nadeau and Bengio (2003), "Inference for the generalization error", section 3.

    >>> print(resampled_interval([[0.90, 0.92, 0.88, 0.91, 0.89]], n_train=80, n_test=20))
    0.9 [0.8706, 0.9294] (5 folds)
    """
    table = _table(scores)
    _check(n_train, n_test, level)
    if table.shape[1] == 1:
        seeds = table[:, 0][np.isfinite(table[:, 0])]
        return _interval(seeds, 1.0 / max(len(seeds), 1), level, "seeds", table.size - len(seeds))
    found = _seed_means(table)
    return _over_folds(found, n_test / n_train, repeats, level, int(np.sum(~np.isfinite(table))))


def paired_test(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    n_train: float,
    n_test: float,
    *,
    repeats: int = 1,
    level: float = 0.95,
) -> Comparison:
    """The corrected resampled t test of two learners on the same folds.

    Args:
        a: scores ``(seeds, folds)`` of the first learner; arguments as in ``resampled_interval``.
        b: scores of the second on the same folds; the number of seeds may differ.

    Folds that either lacks are left out. With fewer than two folds ``p`` and the interval are
    NaN: compare the rows of the test set (``row_interval`` of the differences of their losses).

    Source: Nadeau and Bengio (2003); Bouckaert and Frank (2004) for repeated folds.
    """
    tables = _table(a), _table(b)
    _check(n_train, n_test, level)
    if tables[0].shape[1] != tables[1].shape[1]:
        raise DataError(f"paired scores need the same folds: {tables[0].shape[1]} and {tables[1].shape[1]}")
    means = [_seed_means(table) for table in tables]
    difference = means[0] - means[1]
    dropped = sum(int(np.sum(~np.isfinite(table))) for table in tables)
    interval = _over_folds(difference, n_test / n_train, repeats, level, dropped)
    if not math.isfinite(interval.sd):
        return Comparison(interval, math.nan)
    factor, df = fold_factor(interval.n / repeats, n_test / n_train, repeats)
    error = interval.sd * math.sqrt(factor)
    if error == 0.0:
        return Comparison(interval, 1.0 if interval.mean == 0.0 else 0.0)
    return Comparison(interval, 2.0 * student_t_tail(abs(interval.mean) / error, df))


def fold_factor(folds: float, share: float, repeats: int = 1) -> tuple[float, float]:
    """The variance of a mean over ``repeats`` of ``folds``, as a multiple of that of folds, and its degrees of freedom.

    ``share`` is test rows by training rows. See ``resampled_interval``.
    """
    return 1.0 / folds + share * (1.0 + 1.0 / repeats) / 2.0, folds - 1.0


def row_interval(
    values: npt.ArrayLike, weight: npt.ArrayLike | None = None, *, level: float = 0.95
) -> Interval:
    """The interval of the mean over the rows of one test set: of losses, or of rights and wrongs.

    It holds the chance in which rows were tested. It does *not* hold the chance in which rows
    the model was trained on, nor that of its seed: it speaks of this one model, and is too
    narrow for a claim about the method. Rows are taken to be independent.

    Args:
        values: ``(rows,)``. If all are 0 or 1 and there are no weights the interval is Wilson's,
            which does not collapse when all rows are right; otherwise it is Student's.
        weight: ``(rows,)``, at least 0: a weighted mean, with Kish's effective number of rows.

    Source: Wilson (1927); Kish (1965).
    """
    x = np.asarray(values, np.float64)
    w = np.ones_like(x) if weight is None else np.asarray(weight, np.float64)
    if x.ndim != 1 or w.shape != x.shape or not (w >= 0).all():
        raise DataError(f"values {x.shape} and weights {w.shape} need one number, at least 0, a row")
    _check(1.0, 1.0, level)
    kept = np.isfinite(x) & (w > 0)
    dropped = int(np.sum((w > 0) & ~np.isfinite(x)))
    x, w = x[kept], w[kept]
    n = len(x)
    if weight is None and n and np.isin(x, (0.0, 1.0)).all():
        p, z = float(x.mean()), student_t_quantile(0.5 + level / 2.0, math.inf)
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        sd = float(np.std(x, ddof=1)) if n > 1 else math.nan
        return Interval(p, max(0.0, centre - half), min(1.0, centre + half), sd, n, "rows", dropped)
    if n < 2:
        return _interval(x, 1.0, level, "rows", dropped)
    share = w / w.sum()
    effective = 1.0 / float(np.sum(share**2))
    mean = float(share @ x)
    if effective <= 1.0 + 1e-9:
        return Interval(mean, math.nan, math.nan, math.nan, n, "rows", dropped)
    sd = math.sqrt(float(share @ (x - mean) ** 2) * effective / (effective - 1.0))
    half = student_t_quantile(0.5 + level / 2.0, effective - 1.0) * sd / math.sqrt(effective)
    return Interval(mean, mean - half, mean + half, sd, n, "rows", dropped)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for how many tests were made, in the order given; NaN stays NaN and does not count.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p_values, np.float64)
    adjusted = np.full(len(p), np.nan)
    order = [i for i in np.argsort(p, kind="stable") if not math.isnan(p[i])]
    highest = 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, float(p[i]) * (len(order) - place)))
        adjusted[i] = highest
    return [float(value) for value in adjusted]


def student_t_tail(t: float, df: float) -> float:
    """P(T > t) for ``t >= 0`` and ``df`` degrees of freedom, ``math.inf`` for the normal."""
    if math.isinf(df):
        return 0.5 * math.erfc(t / math.sqrt(2.0))
    return 0.5 * _beta_regularised(df / (df + t * t), t * t / (df + t * t), df / 2.0, 0.5)


def student_t_quantile(level: float, df: float) -> float:
    """The ``level`` quantile of Student's t, to a relative 1e-12; ``df`` may be ``math.inf``.

    Own, because importing SciPy costs a second of every start.
    """
    if not 0.0 < level < 1.0 or not df > 0:
        raise ConfigError(f"level={level} with df={df}: give a level between 0 and 1 and a positive df")
    tail = min(level, 1.0 - level)
    low, high = 0.0, 1.0
    while student_t_tail(high, df) > tail:
        low, high = high, 2.0 * high
    while high - low > 1e-13 * high:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        low, high = (middle, high) if student_t_tail(middle, df) > tail else (low, middle)
    value = 0.5 * (low + high)
    return 0.0 if level == 0.5 else math.copysign(value, level - 0.5)


def _log_beta_half(a: float) -> float:
    """log B(a, 1/2), also where the logarithms of its gamma functions would cancel."""
    if a < 100.0:
        return math.lgamma(a) + math.lgamma(0.5) - math.lgamma(a + 0.5)
    return 0.5 * math.log(math.pi / a) + 1 / (8 * a) - 1 / (192 * a**3) + 1 / (640 * a**5)


def _beta_regularised(x: float, y: float, a: float, b: float) -> float:
    """I_x(a, b), a or b 1/2, ``y = 1 - x``: the continued fraction 26.5.8 of Abramowitz, Stegun."""
    if x <= 0.0 or y <= 0.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _beta_regularised(y, x, b, a)
    log_x, log_y = (math.log1p(-other) if other < 0.5 else math.log(own) for own, other in ((x, y), (y, x)))
    front = math.exp(a * log_x + b * log_y - _log_beta_half(a + b - 0.5))
    tiny = 1e-300
    c, d = 1.0, 1.0 / max(abs(1.0 - (a + b) * x / (a + 1.0)), tiny)
    fraction = d
    for m in range(1, 2000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1.0 + numerator * d or tiny)
            c = 1.0 + numerator / c or tiny
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-16:
            break
    return front * fraction / a


def _interval(
    values: npt.NDArray[np.float64], factor: float, level: float, basis: Any, dropped: int
) -> Interval:
    """``mean +- t sqrt(factor) sd``; NaN where two values are missing."""
    n = len(values)
    mean = float(np.mean(values)) if n else math.nan
    if n < 2:
        return Interval(mean, math.nan, math.nan, math.nan, n, basis, dropped)
    sd = float(np.std(values, ddof=1))
    half = student_t_quantile(0.5 + level / 2.0, n - 1) * sd * math.sqrt(factor)
    return Interval(mean, mean - half, mean + half, sd, n, basis, dropped)


def _over_folds(
    values: npt.NDArray[np.float64], share: float, repeats: int, level: float, dropped: int
) -> Interval:
    """The interval of scores ``(folds,)``, some NaN, one repeat after the other."""
    if repeats < 1 or len(values) % repeats:
        raise ConfigError(f"repeats={repeats} of {len(values)} folds: give a number that divides them")
    there = np.isfinite(values)
    n = int(there.sum())
    mean = float(np.mean(values[there])) if n else math.nan
    table = values.reshape(repeats, -1)
    free = n - int(there.reshape(repeats, -1).any(axis=1).sum())  # a mean is taken in each repeat
    if free < 1 or n <= repeats:
        return Interval(mean, math.nan, math.nan, math.nan, n, "folds", dropped)
    count = there.reshape(repeats, -1).sum(axis=1)
    middle = np.where(there.reshape(repeats, -1), table, 0.0).sum(axis=1) / np.maximum(count, 1)
    sd = math.sqrt(float(np.nansum((table - middle[:, None]) ** 2)) / free)
    factor, df = fold_factor(n / repeats, share, repeats)
    half = student_t_quantile(0.5 + level / 2.0, df) * sd * math.sqrt(factor)
    return Interval(mean, mean - half, mean + half, sd, n, "folds", dropped)


def _table(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    table = np.asarray(scores, np.float64)
    table = table[None] if table.ndim == 1 else table
    if table.ndim != 2 or table.size == 0:
        raise DataError(f"scores have shape {table.shape}: give (seeds, folds)")
    return table


def _seed_means(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean over the seeds that are there, NaN where none is."""
    there = np.isfinite(table)
    count = there.sum(axis=0)
    total = np.where(there, table, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(table.shape[1], np.nan), where=count > 0)


def _check(n_train: float, n_test: float, level: float) -> None:
    if not (n_train > 0 and n_test > 0):
        raise ConfigError(f"n_train={n_train}, n_test={n_test}: give the rows (or shares) of a fold's parts")
    if not 0.0 < level < 1.0:
        raise ConfigError(f"level={level}: give a confidence level between 0 and 1, such as 0.95")
