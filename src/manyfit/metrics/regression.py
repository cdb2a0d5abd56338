"""Metrics of values, weighted, in float64 NumPy; ``predictions`` has table and rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from manyfit.metrics._sums import Floats, ratio


def rmse(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The root of the mean squared error, in units of the target."""
    return float(np.sqrt(ratio(np.sum(weight * np.square(target - output)), np.sum(weight))))


def mae(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The mean absolute error, in units of the target."""
    return ratio(np.sum(weight * np.abs(target - output)), np.sum(weight))


def r2(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """``1 - residual / total`` sum of squares: 1 is perfect, 0 the mean of these rows, below 0 worse."""
    total = np.sum(weight * np.square(target - ratio(np.sum(weight * target), np.sum(weight))))
    if len(target) < 2 or not total > 0:
        return float("nan")
    return float(1.0 - np.sum(weight * np.square(target - output)) / total)


def median_absolute_error(target: npt.NDArray[Any], output: Floats, weight: Floats) -> float:
    """The weighted median of the absolute errors: the middle of the two middle ones if between them."""
    errors = np.abs(target - output)
    order = np.argsort(errors, kind="stable")
    errors, share = errors[order], np.cumsum(weight[order])
    half = share[-1] / 2.0
    low = int(np.searchsorted(share, half * (1 - 1e-12)))
    high = int(np.searchsorted(share, half * (1 + 1e-12), side="right"))
    return float((errors[low] + errors[min(high, len(errors) - 1)]) / 2.0)
