"""Is A better than B? Tests on the rows of one test set, on folds, and over many data sets.

``paired_test`` (``intervals.py``) compares two learners over folds and is the default. Here are the others:
for two models on the same test rows (``mcnemar``, ``delong``), for a statement about how probable a difference
that matters is (``correlated_t``), and for many learners on many data sets (``friedman``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, DataError
from manyfit.evaluate.intervals import Comparison, Interval, holm, paired_test, student_t_quantile

Floats = npt.NDArray[np.float64]


class Discordance(NamedTuple):
    """How two classifiers differ on the same rows, and the exact two-sided p-value of no difference."""

    only_a: int
    """Rows that the first has right and the second wrong."""
    only_b: int
    p: float


def mcnemar(a_right: npt.ArrayLike, b_right: npt.ArrayLike) -> Discordance:
    """McNemar's exact test: among the rows on which two classifiers differ, each is as often right.

    Args:
        a_right, b_right: ``(rows,)`` booleans (or 0 and 1): whether each row was classified rightly.

    It holds the chance in which rows were tested, not that of the training. Raises ``DataError`` for other values.

    Source: McNemar (1947); exact by the binomial distribution, the two tails together at most 1.

    >>> round(mcnemar([1, 1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0, 0]).p, 5)
    0.03125
    """
    a, b = _rights(a_right), _rights(b_right)
    if a.shape != b.shape:
        raise DataError(f"{len(a)} and {len(b)} rows: give both classifiers' answers to the same rows")
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    n, least = only_a + only_b, min(only_a, only_b)
    tail = math.fsum(math.exp(_log_choose(n, k) - n * math.log(2)) for k in range(least + 1))
    return Discordance(only_a, only_b, min(1.0, 2.0 * tail))


def delong(
    target: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike, *, level: float = 0.95
) -> tuple[Interval, Interval, Comparison]:
    """DeLong's test of two areas under the ROC curve on the same rows: each area, and their difference.

    Args:
        target: ``(rows,)``, 1 (or true) for the positive class, else 0.
        a, b: ``(rows,)`` scores, higher for the positive class.

    It holds the chance in which rows were tested, not that of the training. Where the difference has no variance
    (the same order of rows), ``p`` is 1, or 0 if the areas differ. Raises ``DataError`` without both classes.

    Source: DeLong, DeLong, Clarke-Pearson (1988); by midranks as in Sun and Xu (2014).
    """
    truth = np.asarray(target)
    scores = np.stack([np.asarray(s, np.float64) for s in (a, b)])
    if truth.ndim != 1 or scores.shape != (2, len(truth)):
        raise DataError(f"target {truth.shape} and scores {scores.shape[1:]}: give one number a row")
    if not np.isin(truth, (0, 1)).all() or not 0 < truth.sum() < len(truth):
        raise DataError("target: give 0 and 1, some rows of each")
    if not np.isfinite(scores).all():
        raise DataError("scores: some are not finite")
    positive = truth.astype(bool)
    areas, covariance = _auroc_covariance(scores[:, positive], scores[:, ~positive])
    z = student_t_quantile(0.5 + level / 2.0, math.inf)
    each = []
    for area, variance in zip(areas, np.diag(covariance)):
        half = z * math.sqrt(variance)
        interval = Interval(
            float(area), area - half, area + half, math.sqrt(variance * len(truth)), len(truth), "rows"
        )
        each.append(interval.within(0.0, 1.0))
    error = math.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]))
    gap = float(areas[0] - areas[1])
    difference = Interval(
        gap, gap - z * error, gap + z * error, error * math.sqrt(len(truth)), len(truth), "rows"
    )
    p = float(abs(gap) < 1e-12)
    if error >= 1e-12:
        p = math.erfc(abs(gap) / error / math.sqrt(2.0))
    return each[0], each[1], Comparison(difference, p)


@dataclass(frozen=True)
class Posterior:
    """How probable it is that A is worse than B, practically equal, or better; they add up to 1."""

    worse: float
    equal: float
    better: float
    difference: Interval
    """Mean and 95 % credible interval of a - b."""


def correlated_t(
    a: npt.ArrayLike, b: npt.ArrayLike, n_train: float, n_test: float, *, rope: float
) -> Posterior:
    """The Bayesian correlated t test of two learners on the same folds, with a region of practical equivalence.

    Args:
        a, b: scores ``(seeds, folds)`` or ``(folds,)``, higher is better; ``n_train``, ``n_test`` as in
            ``resampled_interval``.
        rope: differences of at most this size mean nothing in practice (0.01 of an accuracy, say).

    The posterior of the difference under a flat prior is Student's t with the variance of the corrected
    resampled test. With fewer than two folds everything is NaN.

    Source: Corani, Benavoli (2015), "A Bayesian approach for comparing cross-validated algorithms"; Benavoli
    et al. (2017), "Time for a change", section 3.
    """
    from scipy import stats

    if not rope >= 0:
        raise ConfigError(f"rope={rope}: give the largest difference that means nothing, at least 0")
    interval = paired_test(a, b, n_train, n_test).difference
    if interval.n < 2:
        return Posterior(math.nan, math.nan, math.nan, interval)
    scale = interval.sd * math.sqrt(1.0 / interval.n + n_test / n_train)
    if scale == 0.0:
        worse, better = float(interval.mean < -rope), float(interval.mean > rope)
    else:
        posterior = stats.t(interval.n - 1, interval.mean, scale)
        worse, better = float(posterior.cdf(-rope)), float(posterior.sf(rope))
    return Posterior(worse, 1.0 - worse - better, better, interval)


@dataclass(frozen=True)
class Ranking:
    """Many learners on many data sets."""

    names: tuple[str, ...]
    mean_rank: Floats
    """1 is best; equal scores share their ranks."""
    p: float
    """Friedman's test in Iman and Davenport's form: all learners are alike."""
    critical_difference: float
    """Mean ranks that differ by more are different (Nemenyi), at the given level over all pairs."""
    against_best: Floats
    """Holm's corrected p-values of each learner against the one of the best mean rank; NaN for itself."""
    data_sets: int

    def alike(self) -> list[tuple[str, ...]]:
        """The largest groups of neighbours in rank that the critical difference does not separate."""
        order = np.argsort(self.mean_rank, kind="stable")
        groups: list[list[int]] = []
        for first in range(len(order)):
            near = [
                i
                for i in order[first:]
                if self.mean_rank[i] - self.mean_rank[order[first]] <= self.critical_difference
            ]
            if len(near) > 1 and not (groups and set(near) <= set(groups[-1])):
                groups.append(near)
        return [tuple(self.names[i] for i in group) for group in groups]


def friedman(
    scores: npt.ArrayLike, names: Sequence[str], *, higher_is_better: bool = True, level: float = 0.95
) -> Ranking:
    """Compare learners by their ranks over data sets.

    Args:
        scores: ``(data sets, learners)``, one score each, at least 2 by 2.
        names: of the learners.

    Raises ``DataError`` for other shapes and scores that are missing.

    Source: Friedman (1937); Iman, Davenport (1980); Demsar (2006), "Statistical comparisons of classifiers over
    multiple data sets".
    """
    from scipy import stats

    table = np.asarray(scores, np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or table.shape[1] != len(names):
        raise DataError(
            f"scores {table.shape} of {len(names)} learners: give (data sets, learners), 2x2 or more"
        )
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise DataError(
            f"data set {row} has no score of {names[column]!r}: leave the data set or the learner out"
        )
    n, k = table.shape
    ranks = stats.rankdata(-table if higher_is_better else table, axis=1)
    mean = ranks.mean(axis=0)
    spread = float(np.sum((ranks - (k + 1) / 2) ** 2))
    statistic = n * (k - 1) * float(np.sum((mean - (k + 1) / 2) ** 2)) / (spread / n) if spread else 0.0
    room = n * (k - 1) - statistic
    p = 1.0 if spread == 0 else 0.0
    if room > 1e-9 and spread:
        p = float(stats.f.sf((n - 1) * statistic / room, k - 1, (k - 1) * (n - 1)))
    error = math.sqrt(k * (k + 1) / (6 * n))
    critical = float(stats.studentized_range.ppf(level, k, np.inf)) / math.sqrt(2) * error
    best = int(np.argmin(mean))
    z = (mean - mean[best]) / error
    against = [math.nan if i == best else math.erfc(abs(z[i]) / math.sqrt(2)) for i in range(k)]
    return Ranking(tuple(names), mean, p, critical, np.array(holm(against)), n)


def _rights(values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    found = np.asarray(values)
    if found.ndim != 1 or not np.isin(found, (0, 1)).all():
        raise DataError("give one true or false a row")
    return found.astype(bool)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _auroc_covariance(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """Areas ``(2,)`` and their covariance ``(2, 2)`` of scores ``(2, m)`` and ``(2, n)``."""
    from scipy import stats

    m, n = positive.shape[1], negative.shape[1]
    among = stats.rankdata(np.concatenate([positive, negative], axis=1), axis=1)
    above = (among[:, :m] - stats.rankdata(positive, axis=1)) / n  # share of negatives below each positive
    below = (
        1.0 - (among[:, m:] - stats.rankdata(negative, axis=1)) / m
    )  # share of positives above each negative
    parts = [
        np.cov(each) / each.shape[1] if each.shape[1] > 1 else np.zeros((2, 2)) for each in (above, below)
    ]
    return above.mean(axis=1), parts[0] + parts[1]
