"""Probabilities that mean what they say: temperature and isotonic calibration on rows that trained nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from manyfit import metrics
from manyfit.errors import DataError

Floats = npt.NDArray[np.float64]
_LEAST = 1e-12
"""Probabilities are taken as at least so much, so that their logarithm is finite."""


@dataclass(frozen=True)
class Temperature:
    """Class probabilities with their logarithms divided by a temperature: above 1 softens, below 1 sharpens.

    The order of classes, and so the accuracy, stays. Source: Guo et al. (2017), "On calibration of modern
    neural networks".
    """

    temperature: float

    @classmethod
    def fit(cls, probabilities: npt.ArrayLike, target: npt.ArrayLike) -> Temperature:
        """The temperature of least log loss on rows that trained nothing.

        Args:
            probabilities: ``(rows, classes)``; ``target``: ``(rows,)`` class indices.

        Between 1/100 and 100: where all rows are right the least loss would be at 0.

        >>> said = np.array([[0.99, 0.01]] * 8)
        >>> model = Temperature.fit(said, [0, 0, 0, 1, 0, 0, 0, 1])
        >>> model(said)[0].round(3).tolist()
        [0.75, 0.25]
        """
        logs, y = _logs(probabilities, target)
        own = logs[np.arange(len(y)), y]

        def slope(inverse: float) -> float:
            """Of the mean log loss, convex, by the inverse temperature."""
            scaled = inverse * logs
            p = np.exp(scaled - scaled.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            return float(np.mean(np.sum(p * logs, axis=1) - own))

        low, high = math.log(1e-2), math.log(1e2)
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if slope(math.exp(middle)) > 0 else (middle, high)
        return cls(math.exp(-0.5 * (low + high)))

    def __call__(self, probabilities: npt.ArrayLike) -> Floats:
        """The calibrated probabilities, of the same shape."""
        scaled = np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST)) / self.temperature
        p = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Isotonic:
    """Each class's probability by a rising step function, one class against the rest, then made to sum to 1.

    It can mend any monotone distortion and needs more rows than a temperature, some hundreds; it can make classes
    equal that were not. Source: Zadrozny, Elkan (2002).
    """

    curves: tuple[tuple[Floats, Floats], ...]
    """Of each class the probabilities that were said, rising, and what they were worth."""

    @classmethod
    def fit(cls, probabilities: npt.ArrayLike, target: npt.ArrayLike) -> Isotonic:
        """The step functions of least squared error on rows that trained nothing; arguments as in ``Temperature``."""
        logs, y = _logs(probabilities, target)
        p = np.exp(logs)
        return cls(tuple(_rising(p[:, k], y == k) for k in range(p.shape[1])))

    def __call__(self, probabilities: npt.ArrayLike) -> Floats:
        """The calibrated probabilities; a row of which every class got 0 keeps its own."""
        p = np.asarray(probabilities, np.float64)
        found = np.stack([np.interp(p[:, k], *curve) for k, curve in enumerate(self.curves)], axis=1)
        total = found.sum(axis=1, keepdims=True)
        return np.where(total > 0, found / np.where(total > 0, total, 1.0), p)


@dataclass(frozen=True)
class Calibration:
    """What calibration does for probabilities of rows that trained neither the networks nor the calibration."""

    calibrated: dict[str, Floats]
    """``"none"``, ``"temperature"`` and ``"isotonic"``: the probabilities, ``(rows, classes)`` each."""
    ece: dict[str, float]
    """The expected calibration error of each, in 15 bins."""
    log_loss: dict[str, float]
    temperature: float
    """Of all rows together."""

    @property
    def best(self) -> str:
        """Whose log loss is lowest: a proper score, which the calibration error is not."""
        return min(self.log_loss, key=lambda name: self.log_loss[name])


def cross_calibrated(
    probabilities: npt.ArrayLike, target: npt.ArrayLike, fold: npt.ArrayLike | None = None
) -> Calibration:
    """Each fold's out-of-fold probabilities, calibrated by what those of the other folds are worth.

    Args:
        probabilities: ``(rows, classes)`` out of fold.
        target: ``(rows,)`` class indices.
        fold: ``(rows,)``, the fold that tested a row; where there is one fold alone (or None), five parts of
            its rows stand for folds.

    Raises:
        DataError: shapes that do not belong together, or fewer than two rows.
    """
    p, y = np.asarray(probabilities, np.float64), np.asarray(target)
    _logs(p, y)
    if len(y) < 2:
        raise DataError("one row calibrates nothing: give two or more")
    part = np.zeros(len(y), np.int64) if fold is None else np.asarray(fold)
    if part.shape != y.shape:
        raise DataError(f"fold {part.shape} and target {y.shape}: give the fold of each row")
    if len(np.unique(part)) < 2:
        part = np.random.default_rng(0).permutation(len(y)) % min(5, len(y))
    found = {"none": p, "temperature": np.empty_like(p), "isotonic": np.empty_like(p)}
    kinds: dict[str, type[Temperature] | type[Isotonic]] = {"temperature": Temperature, "isotonic": Isotonic}
    for one in np.unique(part):
        here = part == one
        for name, kind in kinds.items():
            found[name][here] = kind.fit(p[~here], y[~here])(p[here])
    weight = np.ones(len(y))
    return Calibration(
        found,
        {name: metrics.ece(y, some, weight) for name, some in found.items()},
        {name: metrics.log_loss(y, some, weight) for name, some in found.items()},
        Temperature.fit(p, y).temperature,
    )


def _rising(x: Floats, y: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The rising function of least squared error, at each value of ``x`` that occurs: adjacent violators are pooled.

    Own, because importing scikit-learn costs more than a second of every run.
    """
    knots, place = np.unique(x, return_inverse=True)
    rows = np.bincount(place).astype(np.float64)
    means = np.bincount(place, y) / rows
    pools: list[tuple[float, float, int]] = []  # mean, rows, knots
    for mean, count in zip(means.tolist(), rows.tolist()):
        wide = 1
        while pools and pools[-1][0] >= mean:
            other, more, also = pools.pop()
            mean = (mean * count + other * more) / (count + more)
            count, wide = count + more, wide + also
        pools.append((mean, count, wide))
    return knots, np.repeat([mean for mean, _, _ in pools], [wide for _, _, wide in pools])


def _logs(probabilities: npt.ArrayLike, target: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.int64]]:
    p, y = np.asarray(probabilities, np.float64), np.asarray(target)
    if p.ndim != 2 or p.size == 0 or y.shape != p.shape[:1] or y.dtype.kind not in "iub":
        raise DataError(
            f"probabilities {p.shape} and target {y.shape}: give (rows, classes) and class indices"
        )
    if y.min() < 0 or y.max() >= p.shape[1] or not np.isfinite(p).all():
        raise DataError(
            f"target names classes {y.min()} to {y.max()} of {p.shape[1]}, or a probability is NaN"
        )
    return np.log(np.maximum(p, _LEAST)), y.astype(np.int64)
