"""Every metric of one test set with its interval over the rows."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from manyfit import metrics
from manyfit.evaluate.intervals import Interval, row_interval

MOST, LEAST = 1000, 100
"""Resamples of few rows and of many."""
WORK = 5_000_000
"""Rows times resamples that are affordable."""


def score_intervals(
    task_kind: str, target: npt.ArrayLike, output: npt.ArrayLike, *, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """The default metrics of ``metrics.score``, each with the percentile bootstrap interval over rows.

    Args:
        task_kind: ``binary``, ``multiclass`` or ``regression``.
        target: ``(rows,)``, and ``output`` ``(rows, classes)`` or ``(rows,)``, as in ``metrics.score``.
        level: of the intervals.
        seed: of the resamples.

    Accuracy has Wilson's interval, which does not collapse when all rows are right. Like ``row_interval`` it speaks of
    this one model: the chance of its training rows and of its seed is not in it. Rows are taken to be independent.
    A metric that is undefined on the rows (an area under the ROC curve of one class) is NaN.

    Source: Efron and Tibshirani (1993), "An introduction to the bootstrap", chapter 13.
    """
    found = metrics.score(task_kind, target, output)
    rows = len(np.asarray(target))
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(max(LEAST, min(MOST, WORK // max(1, rows)))) if rows > 1 else ():
        counts = np.bincount(rng.integers(rows, size=rows), minlength=rows).astype(np.float64)
        for name, value in metrics.score(task_kind, target, output, counts).items():
            drawn[name].append(value)
    intervals = {name: _percentiles(value, drawn[name], rows, level) for name, value in found.items()}
    if "accuracy" in found and math.isfinite(found["accuracy"]):
        right = _called(np.asarray(output)) == np.asarray(target)
        intervals["accuracy"] = row_interval(right.astype(np.float64), level=level)
    return intervals


def _percentiles(value: float, drawn: list[float], rows: int, level: float) -> Interval:
    there = np.array(drawn)[np.isfinite(drawn)] if drawn else np.zeros(0)
    if len(there) < 2 or not math.isfinite(value):
        return Interval(value, math.nan, math.nan, math.nan, rows, "rows")
    low, high = np.quantile(there, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(
        value, float(low), float(high), float(np.std(there, ddof=1)) * math.sqrt(rows), rows, "rows"
    )


def _called(output: np.ndarray) -> np.ndarray:
    """The class of each row: of two, the second where its probability is above a half."""
    return (output > 0.5).astype(np.int64) if output.ndim == 1 else output.argmax(axis=1)
