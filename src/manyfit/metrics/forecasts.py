"""Metrics of forecasts that are distributions: ensembles, normal curves, quantiles, intervals; float64 NumPy.

All take ``weight`` (``(n,)``, at least 0, ``None`` for ones) and give the weighted mean over the rows, NaN
where the weights add up to 0.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from manyfit.errors import DataError

Floats: TypeAlias = npt.NDArray[np.float64]


def crps_ensemble(
    target: npt.ArrayLike, ensemble: npt.ArrayLike, weight: npt.ArrayLike | None = None, *, fair: bool = False
) -> float:
    """Continuous ranked probability score, ``E|X - t| - E|X - X'| / 2``, in units of the target; 0 is perfect.

    ``target`` ``(n,)``, ``ensemble`` ``(n, m)``. Of one member it is the absolute error. ``fair`` divides the
    spread by ``m (m - 1)`` instead of ``m^2``, so that small ensembles are not punished for being small.

    Source: Gneiting & Raftery (2007), "Strictly proper scoring rules", equation 21.
    """
    t, x = _arrays(target, ensemble, 2)
    m = x.shape[1]
    ordered = np.sort(x, axis=1)
    # sum over pairs of |x_i - x_j| from the order statistics, without the pairs
    places = 2 * np.arange(m) - m + 1
    pairs = 2.0 * np.sum(places * (ordered - ordered[:, :1]), axis=1)
    spread = pairs / (m * (m - 1) if fair and m > 1 else m * m)
    return _mean(np.mean(np.abs(x - t[:, None]), axis=1) - 0.5 * spread, weight)


def crps_gaussian(
    target: npt.ArrayLike,
    mean: npt.ArrayLike,
    deviation: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
) -> float:
    """The same score of normal distributions, in closed form: all ``(n,)``, ``deviation`` at least 0.

    Source: Gneiting et al. (2005), "Calibrated probabilistic forecasting", equation 5.
    """
    t, m = _arrays(target, mean, 1)
    s = np.asarray(deviation, np.float64)
    if s.shape != t.shape or not (s >= 0).all():
        raise DataError(f"deviation {s.shape}: give a value of at least 0 for each of the {len(t)} rows")
    sure = s == 0
    z = (t - m) / np.where(sure, 1.0, s)
    erf = np.array([math.erf(v / math.sqrt(2.0)) for v in z])
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    score = s * (z * erf + 2 * density - 1 / math.sqrt(math.pi))
    return _mean(np.where(sure, np.abs(t - m), score), weight)


def pinball(
    target: npt.ArrayLike, quantile: npt.ArrayLike, level: float, weight: npt.ArrayLike | None = None
) -> float:
    """The quantile loss of the forecasts ``(n,)`` of the quantile of ``level`` in (0, 1) (Koenker & Bassett, 1978)."""
    t, q = _arrays(target, quantile, 1)
    return _mean(np.maximum(level * (t - q), (level - 1) * (t - q)), weight)


def coverage(
    target: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, weight: npt.ArrayLike | None = None
) -> float:
    """The share of rows whose target lies in ``[low, high]``, all ``(n,)``."""
    t, a = _arrays(target, low, 1)
    _, b = _arrays(target, high, 1)
    return _mean(((a <= t) & (t <= b)).astype(np.float64), weight)


def _arrays(target: npt.ArrayLike, forecast: npt.ArrayLike, dims: int) -> tuple[Floats, Floats]:
    t, f = np.asarray(target, np.float64), np.asarray(forecast, np.float64)
    if t.ndim != 1 or f.ndim != dims or len(f) != len(t) or (dims == 2 and f.shape[1] == 0):
        wanted = "(n,)" if dims == 1 else "(n, members)"
        raise DataError(f"target {t.shape} and forecast {f.shape}: give (n,) and {wanted} of the same n")
    return t, f


def _mean(values: Floats, weight: Any) -> float:
    w = np.ones(len(values)) if weight is None else np.asarray(weight, np.float64)
    if w.shape != values.shape or not (w >= 0).all():
        raise DataError(f"weight {w.shape}: give a value of at least 0 for each of the {len(values)} rows")
    there = w > 0
    return float(np.sum(w[there] * values[there]) / np.sum(w)) if there.any() else float("nan")
