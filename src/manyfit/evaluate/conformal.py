"""Conformal prediction: sets of classes and intervals of values that contain the truth as often as asked.

Rows that trained nothing (a validation part, or the rows of other folds) tell how wrong predictions are; what is
promised holds for any model and any distribution, as long as the rows to come are like those rows (exchangeable).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, DataError, nearest

Floats = npt.NDArray[np.float64]
METHODS = ("least", "adaptive")


def conformal_sets(
    calibration: npt.ArrayLike,
    target: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    *,
    coverage: float = 0.9,
    method: Literal["least", "adaptive"] = "adaptive",
    seed: int = 0,
) -> npt.NDArray[np.bool_]:
    """Which classes belong into each row's prediction set, ``(rows, classes)``.

    Args:
        calibration: class probabilities ``(n, classes)`` of rows that trained nothing.
        target: ``(n,)`` their class indices.
        probabilities: ``(rows, classes)`` of the rows to predict.
        coverage: the share of sets that are to contain the truth; it is reached on average over
            calibration sets, and overshot by at most ``1 / (n + 1)``.
        method: ``"least"`` gives the smallest sets on average (Sadinle et al. 2019), possibly empty ones;
            ``"adaptive"`` larger ones where rows are hard (APS, Romano et al. 2020), never empty.
        seed: of the draws between two sizes in ``"adaptive"``.

    With fewer than ``coverage / (1 - coverage)`` calibration rows every class belongs in. Raises ``DataError``
    for shapes that do not fit and probabilities outside [0, 1].

    >>> sure = np.array([[0.9, 0.1], [0.2, 0.8]] * 20)
    >>> conformal_sets(sure, [0, 1] * 20, [[0.95, 0.05], [0.5, 0.5]], coverage=0.8, method="least")
    array([[ True, False],
           [False, False]])
    """
    p, new = _probabilities(calibration, "calibration"), _probabilities(probabilities, "probabilities")
    y = np.asarray(target)
    if p.shape[1] != new.shape[1] or y.shape != p.shape[:1] or y.dtype.kind not in "iub":
        raise DataError(
            f"calibration {p.shape}, target {y.shape}, probabilities {new.shape}: they do not fit"
        )
    if method not in METHODS:
        raise ConfigError(f"method={method!r}: {nearest(method, METHODS)}")
    rng = np.random.default_rng(seed)
    if method == "least":
        scores, ahead = 1.0 - p[np.arange(len(y)), y], 1.0 - new
    else:
        scores = _mass_ahead(p, rng)[np.arange(len(y)), y]
        ahead = _mass_ahead(new, rng)
    chosen = ahead <= conformal_quantile(scores, coverage)
    if method == "adaptive":
        chosen[np.arange(len(new)), new.argmax(axis=1)] = True
    return chosen


def conformal_interval(
    calibration: npt.ArrayLike,
    target: npt.ArrayLike,
    prediction: npt.ArrayLike,
    *,
    coverage: float = 0.9,
    calibration_scale: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
) -> Floats:
    """The lower and upper end of each row's interval, ``(rows, 2)``.

    Args:
        calibration: predictions ``(n,)`` for rows that trained nothing, ``target`` ``(n,)`` their values.
        prediction: ``(rows,)``.
        coverage: as in ``conformal_sets``.
        calibration_scale, scale: how uncertain each prediction is (``(n,)`` and ``(rows,)``, above 0; the spread
            of an ensemble, say): intervals are then as wide as their rows are uncertain.

    Infinite where there are too few calibration rows. Source: Vovk et al. (2005), "Algorithmic learning in a random
    world"; scaled as in Papadopoulos et al. (2008).
    """
    f, y, new = (np.asarray(a, np.float64) for a in (calibration, target, prediction))
    if f.ndim != 1 or f.shape != y.shape or new.ndim != 1:
        raise DataError(
            f"calibration {f.shape}, target {y.shape}, prediction {new.shape}: give one number a row"
        )
    if (calibration_scale is None) != (scale is None):
        raise ConfigError(
            "give the scale of both, the calibration rows and the rows to predict, or of neither"
        )
    of_f, of_new = (
        np.ones_like(like) if given is None else np.asarray(given, np.float64)
        for given, like in ((calibration_scale, f), (scale, new))
    )
    if of_f.shape != f.shape or of_new.shape != new.shape or (of_f <= 0).any() or (of_new <= 0).any():
        raise DataError("scale: give one number above 0 a row")
    half = conformal_quantile(np.abs(y - f) / of_f, coverage) * of_new
    return np.stack([new - half, new + half], axis=1)


def cv_plus_interval(
    residuals: npt.ArrayLike, fold: npt.ArrayLike, predictions: npt.ArrayLike, *, coverage: float = 0.9
) -> Floats:
    """CV+: each row's interval ``(rows, 2)`` from a cross-validation, without setting rows aside.

    Args:
        residuals: ``(n,)`` absolute errors of the out-of-fold predictions.
        fold: ``(n,)`` the fold whose model made each of them.
        predictions: ``(folds, rows)`` of every fold's model for the rows to predict.

    At least ``1 - 2 (1 - coverage)`` is guaranteed, about ``coverage`` is usual. Source: Barber, Candes, Ramdas,
    Tibshirani (2021), "Predictive inference with the jackknife+".
    """
    error, which = np.asarray(residuals, np.float64), np.asarray(fold)
    each = np.asarray(predictions, np.float64)
    if error.ndim != 1 or error.shape != which.shape or each.ndim != 2 or which.dtype.kind not in "iu":
        raise DataError(
            f"residuals {error.shape}, fold {which.shape}, predictions {each.shape}: they do not fit"
        )
    if len(which) and not (which.min() >= 0 and which.max() < len(each)):
        raise DataError(
            f"fold names {which.min()} to {which.max()}, there are predictions of {len(each)} folds"
        )
    centre = each[which]  # (n, rows)
    high = conformal_quantile(centre + error[:, None], coverage)
    low = -conformal_quantile(-(centre - error[:, None]), coverage)
    return np.stack([low, high], axis=1)


def conformal_quantile(scores: npt.ArrayLike, coverage: float) -> Floats:
    """The ``ceil((n + 1) coverage)``-th smallest of ``n`` scores along the first axis; infinite past the last."""
    if not 0.0 < coverage < 1.0:
        raise ConfigError(f"coverage={coverage}: give a share between 0 and 1, such as 0.9")
    s = np.asarray(scores, np.float64)
    if not np.isfinite(s).all():
        raise DataError("some scores of the calibration rows are not finite")
    # a tolerance, or 0.9 * 10 would be the tenth of ten
    place = math.ceil((len(s) + 1) * coverage - 1e-9)
    if place > len(s):
        return np.full(s.shape[1:], np.inf)
    return np.asarray(np.partition(s, place - 1, axis=0)[place - 1])


def forecast_intervals(
    forecast: npt.ArrayLike, past: npt.ArrayLike, target: npt.ArrayLike, *, coverage: float = 0.9
) -> Floats:
    """Intervals ``(rows, horizon, targets, 2)`` of forecasts by those of a backtest.

    Args:
        forecast: ``(rows, horizon, targets, 1 + levels)``, a point and then quantiles in rising order, if any.
        past: forecasts ``(n, horizon, targets, 1 + levels)`` of the backtest.
        target: ``(n, horizon, targets)`` what came, NaN where nothing is known.
        coverage: the share of what comes that the intervals are to hold.

    Each step ahead has a margin of its own, infinite where it has too few. Around a point it is split conformal
    (Vovk et al., 2005); two quantiles or more are moved apart, or together where they held too much (conformalised
    quantile regression: Romano, Patterson, Candes, 2019). For series the promise holds as far as the time to come is
    like the time of the backtest.

    >>> came = np.array([[[1.0]], [[-3.0]], [[2.0]], [[np.nan]]])
    >>> forecast_intervals(np.zeros((1, 1, 1, 1)), np.zeros((4, 1, 1, 1)), came, coverage=0.75).ravel().tolist()
    [-3.0, 3.0]
    """
    new, known, came = (np.asarray(a, np.float64) for a in (forecast, past, target))
    if new.ndim != 4 or known.shape[1:] != new.shape[1:] or came.shape != known.shape[:3]:
        raise DataError(f"forecast {new.shape}, past {known.shape}, target {came.shape}: they do not fit")
    first, last = (1, -1) if new.shape[3] > 2 else (0, 0)
    outside = np.maximum(known[..., first] - came, came - known[..., last])
    margin = np.full(outside.shape[1:], np.inf)
    for place in np.ndindex(*margin.shape):
        here = outside[(slice(None), *place)]
        if np.isfinite(here).any():
            margin[place] = conformal_quantile(here[np.isfinite(here)], coverage)
    low, high = new[..., first] - margin, new[..., last] + margin
    crossed, middle = low > high, (new[..., first] + new[..., last]) / 2  # moved together past each other
    return np.stack([np.where(crossed, middle, low), np.where(crossed, middle, high)], axis=-1)


def _mass_ahead(p: Floats, rng: np.random.Generator) -> Floats:
    """Of each class the probability of those that are more probable, and a random share of its own."""
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    mass = np.cumsum(ranked, axis=1) - ranked * rng.random((len(p), 1))
    found = np.empty_like(p)
    np.put_along_axis(found, order, mass, axis=1)
    return found


def _probabilities(values: npt.ArrayLike, name: str) -> Floats:
    p = np.asarray(values, np.float64)
    if p.ndim != 2 or p.size == 0 or not ((p >= 0) & (p <= 1 + 1e-6)).all():
        raise DataError(f"{name} {p.shape}: give probabilities (rows, classes) in [0, 1]")
    return p
