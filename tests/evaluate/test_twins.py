"""Rows that stand in the data twice are found, within folds and across them."""

from __future__ import annotations

import numpy as np

from manyfit.evaluate import Split, plan, twins


def test_twins_across_folds_and_with_other_targets():
    x = np.array([[0.0, np.nan], [1, 2], [-0.0, np.nan], [3, 4], [1, 2], [5, 6]], np.float32)
    c = np.array([[0], [1], [0], [1], [1], [1]], np.int32)
    y = np.array([0, 1, 1, 0, 1, 0])
    rows = [np.array(r, np.int32) for r in ([0, 1], [3], [2, 4, 5])]
    found = twins({"numeric": x, "category": c}, y, [Split(*rows)])
    assert (found.rows, found.leaked, found.contradicted) == (6, 2, 2)
    assert found.leaked_share == 2 / 6


def test_against_counting_by_hand():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (200, 3)).astype(np.float32)
    y = rng.integers(0, 2, 200)
    splits = plan(200, folds=4, target=y)
    leaked = 0
    for s in splits:
        known = {tuple(r) for r in x[np.r_[s.train, s.validation]]}
        leaked += sum(tuple(x[i]) in known for i in s.test)
    contradicted = sum(any((x[j] == x[i]).all() and y[j] != y[i] for j in range(200)) for i in range(200))
    found = twins({"x": x}, y, splits)
    assert (found.leaked, found.contradicted) == (leaked, contradicted)


def test_rows_that_are_all_different():
    x = np.arange(50.0)[:, None]
    assert twins({"x": x}, np.zeros(50), plan(50, folds=5)).leaked == 0
