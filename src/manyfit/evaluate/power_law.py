"""How an error falls with the number of training rows, and what more rows would bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from manyfit.errors import DataError

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """``floor + scale * n ** -rate``: the error after training on ``n`` rows."""

    floor: float
    scale: float
    rate: float

    def __call__(self, rows: npt.ArrayLike) -> Floats:
        return self.floor + self.scale * np.asarray(rows, np.float64) ** -self.rate


@dataclass(frozen=True)
class Extrapolation:
    """What the error will be at further numbers of training rows, with 95 % intervals."""

    law: PowerLaw
    rows: Floats
    mean: Floats
    low: Floats
    high: Floats


def fit_power_law(rows: npt.ArrayLike, errors: npt.ArrayLike) -> PowerLaw:
    """The power law nearest to errors ``(sizes,)`` in least squares, its floor at least 0.

    Raises:
        DataError: fewer than 3 sizes, or values that are not finite.

    Source: Cortes et al. (1993), "Learning curves: asymptotic values and rate of convergence"; Viering and
    Loog (2023), "The shape of learning curves: a review".
    """
    n, y = np.asarray(rows, np.float64), np.asarray(errors, np.float64)
    if n.ndim != 1 or n.shape != y.shape or len(np.unique(n)) < 3:
        raise DataError(f"a power law needs errors at 3 sizes or more, not at {len(np.unique(n))}")
    if not (np.isfinite(n).all() and np.isfinite(y).all() and (n > 0).all()):
        raise DataError("a power law needs finite errors at sizes above 0")
    # for a given rate the law is linear in the other two, which may not be negative: look along the rates, then closer
    rates = np.geomspace(0.02, 3.0, 60)
    for _ in range(3):
        found = [_with_rate(n, y, rate) for rate in rates]
        best = int(np.argmin([residual for residual, _ in found]))
        law = found[best][1]
        rates = np.geomspace(rates[max(best - 1, 0)], rates[min(best + 1, len(rates) - 1)], 20)
    return law


def _with_rate(n: Floats, y: Floats, rate: float) -> tuple[float, PowerLaw]:
    """The law of this rate nearest to the errors, and how far it stays from them."""
    from scipy.optimize import nnls

    columns = np.stack([np.ones_like(n), (n / n[0]) ** -rate], axis=1)
    (floor, scale), residual = nnls(columns, y)
    return float(residual), PowerLaw(float(floor), float(scale * n[0] ** rate), float(rate))


def extrapolate(
    rows: npt.ArrayLike, errors: npt.ArrayLike, further: npt.ArrayLike, *, resamples: int = 200, seed: int = 0
) -> Extrapolation:
    """The law through the mean errors, and where further training rows would lead.

    Args:
        rows: ``(sizes,)`` training rows.
        errors: ``(sizes, folds)``, seeds averaged; lower is better.
        further: ``(points,)`` numbers of training rows.
        resamples: bootstrap samples of the folds, whole curves at a time. Folds share training rows, so
            that the intervals are a little too narrow; that the curve goes on as a power law is a guess.
        seed: of the resamples.
    """
    n, table, points = (np.asarray(v, np.float64) for v in (rows, errors, further))
    if table.ndim != 2 or len(table) != len(n):
        raise DataError(f"errors have shape {table.shape} for {len(n)} sizes: give (sizes, folds)")
    law = fit_power_law(n, table.mean(axis=1))
    rng = np.random.default_rng(seed)
    folds = table.shape[1]
    drawn = np.stack(
        [
            fit_power_law(n, table[:, rng.integers(folds, size=folds)].mean(axis=1))(points)
            for _ in range(resamples)
        ]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return Extrapolation(law, points, law(points), low, high)
