"""The Pareto front against its definition, point by point."""

import numpy as np
import pytest

from manyfit.errors import DataError
from manyfit.tune import pareto_front


def test_it_is_the_points_that_none_dominates():
    rng = np.random.default_rng(0)
    points = rng.integers(0, 6, size=(80, 3)).astype(float)  # many ties
    points[7, 1] = np.nan
    found = pareto_front(points)

    def dominates(a, b):
        return bool((a <= b).all() and (a < b).any())  # a NaN compares as false

    for i, point in enumerate(points):
        expected = not any(dominates(other, point) for other in points) and not np.isnan(point).any()
        assert found[i] == expected
    assert 0 < found.sum() < 80


def test_no_points_and_no_table():
    assert pareto_front(np.zeros((0, 2))).tolist() == []
    with pytest.raises(DataError, match="points, objectives"):
        pareto_front([1.0, 2.0])
