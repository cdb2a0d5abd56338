"""Which labels may be wrong, by what networks say that never trained on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from manyfit.errors import DataError


@dataclass(frozen=True)
class Suspects:
    """Rows whose label may be wrong, the likeliest first."""

    rows: npt.NDArray[np.int64]
    likelier: npt.NDArray[np.int64]
    """The class that each of them is taken for."""
    confidence: npt.NDArray[np.float64]
    """The probability of the label that each of them has."""


def label_suspects(target: npt.ArrayLike, probabilities: npt.ArrayLike) -> Suspects:
    """The rows that confident learning counts as mislabelled.

    A row is taken for the class whose probability is above what that class's own rows have on average (the
    most probable of several such); where this is not its label, the row is a suspect. A hard row and
    one of a class that overlaps another look the same: look at them before you change anything.

    Args:
        target: ``(rows,)`` class indices.
        probabilities: ``(rows, classes)`` out of fold.

    Raises:
        DataError: shapes that do not belong together.

    Source: Northcutt, Jiang and Chuang (2021), "Confident learning: estimating uncertainty in dataset labels",
    ranked by self-confidence.
    """
    y, p = np.asarray(target), np.asarray(probabilities, np.float64)
    if p.ndim != 2 or y.shape != p.shape[:1] or y.dtype.kind not in "iu":
        raise DataError(
            f"target {y.shape} and probabilities {p.shape}: give (rows,) classes and (rows, classes)"
        )
    classes = p.shape[1]
    threshold = np.array([p[y == k, k].mean() if (y == k).any() else np.inf for k in range(classes)])
    above = np.where(p >= threshold, p, -1.0)
    taken = above.argmax(axis=1)
    suspect = (above.max(axis=1) >= 0) & (taken != y)
    rows = np.flatnonzero(suspect)
    own = p[rows, y[rows]]
    order = np.argsort(own, kind="stable")
    return Suspects(rows[order], taken[rows[order]], own[order])
