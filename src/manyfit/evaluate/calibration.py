"""Probabilities that mean what they say: temperature and isotonic calibration on rows that trained nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

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

    curves: tuple[Any, ...]

    @classmethod
    def fit(cls, probabilities: npt.ArrayLike, target: npt.ArrayLike) -> Isotonic:
        """The step functions of least squared error on rows that trained nothing; arguments as in ``Temperature``."""
        from sklearn.isotonic import IsotonicRegression

        logs, y = _logs(probabilities, target)
        p = np.exp(logs)
        return cls(
            tuple(
                IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(p[:, k], y == k)
                for k in range(p.shape[1])
            )
        )

    def __call__(self, probabilities: npt.ArrayLike) -> Floats:
        """The calibrated probabilities; a row of which every class got 0 keeps its own."""
        p = np.asarray(probabilities, np.float64)
        found = np.stack([curve.predict(p[:, k]) for k, curve in enumerate(self.curves)], axis=1)
        total = found.sum(axis=1, keepdims=True)
        return np.where(total > 0, found / np.where(total > 0, total, 1.0), p)


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
