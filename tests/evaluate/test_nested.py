"""Nested cross-validation: every row where it belongs, and an interval that covers where the plain one does not."""

from __future__ import annotations

import numpy as np
import pytest

from manyfit.errors import ConfigError, DataError
from manyfit.evaluate import nested_interval, nested_plan, row_interval


def test_every_network_is_tested_on_all_that_it_did_not_see():
    plan = nested_plan(53, folds=5, repeats=2)
    assert len(plan.splits) == 2 * (5 + 10)
    for split, parts in zip(plan.splits, plan.left_out, strict=True):
        fold = plan.fold[split.repeat]
        np.testing.assert_array_equal(split.test, np.flatnonzero(np.isin(fold, parts)))
        np.testing.assert_array_equal(np.sort(np.r_[split.train, split.test]), np.arange(53))


def least_squares(x, y, split):
    weights, *_ = np.linalg.lstsq(x[split.train], y[split.train], rcond=None)
    return (x[split.test] @ weights - y[split.test]) ** 2


def test_it_covers_the_error_of_a_learner_that_overfits():
    """Least squares with a fifth as many inputs as rows: rows' own interval of cross-validation is too narrow."""
    n, inputs, folds = 50, 10, 5
    rng = np.random.default_rng(0)
    truths, nested, plain = [], [], []
    for _ in range(150):
        x, y = rng.normal(size=(n, inputs)), rng.normal(size=n)
        plan = nested_plan(n, folds=folds, repeats=6)
        losses = [least_squares(x, y, split) for split in plan.splits]
        nested.append(nested_interval(losses, plan))
        outer = np.concatenate([v for v, parts in zip(losses[:folds], plan.left_out) if len(parts) == 1])
        plain.append(row_interval(outer))
        weights, *_ = np.linalg.lstsq(x, y, rcond=None)
        truths.append(1.0 + np.sum(weights**2))  # of this very fit, on new rows
    covers = [np.mean([i.low <= t <= i.high for i, t in zip(some, truths)]) for some in (nested, plain)]
    assert covers[0] > 0.88
    assert covers[0] > covers[1] + 0.03


def test_what_does_not_belong_together_is_refused():
    plan = nested_plan(20, folds=4, repeats=1)
    with pytest.raises(DataError, match="3 arrays of losses for a plan of 10 networks"):
        nested_interval([np.zeros(5)] * 3, plan)
    with pytest.raises(DataError, match="split 0 tests 5 rows"):
        nested_interval([np.zeros(4)] * 10, plan)
    with pytest.raises(ConfigError, match="give 3 folds or more"):
        nested_plan(20, folds=2)
