"""Which settings nothing beats in everything: the Pareto front of several objectives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from manyfit.errors import DataError


def pareto_front(costs: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which points no other point dominates: as low in every cost and lower in one.

    Args:
        costs: ``(points, objectives)``, the lower the better; a point with a cost that is not finite is never on
            the front. Equal points are on it together.

    Raises:
        DataError: not a table of points.

    >>> pareto_front([[1, 3], [2, 2], [2, 4], [3, 1]]).tolist()
    [True, True, False, True]
    """
    table = np.asarray(costs, np.float64)
    if table.ndim != 2 or not table.shape[1]:
        raise DataError(f"costs have shape {table.shape}: give (points, objectives)")
    usable: npt.NDArray[np.bool_] = np.asarray(np.isfinite(table).all(axis=1))
    front = np.array(usable)
    for i in np.flatnonzero(usable):
        others = table[usable]
        beaten = (others <= table[i]).all(axis=1) & (others < table[i]).any(axis=1)
        front[i] = not beaten.any()
    return front
