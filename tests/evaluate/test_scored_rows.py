"""Intervals of all metrics of one test set."""

from __future__ import annotations

import math

import numpy as np
import pytest

from manyfit import metrics
from manyfit.evaluate import row_interval, score_intervals


def told(rows, seed):
    """Probabilities that are right, and classes drawn by them."""
    rng = np.random.default_rng(seed)
    p = rng.beta(0.8, 0.8, rows)
    return (rng.random(rows) < p).astype(int), np.stack([1 - p, p], axis=1)


def test_the_intervals_cover_what_more_rows_would_say():
    truth = metrics.score("binary", *told(200_000, 1))
    held = {name: [] for name in truth}
    for seed in range(2, 102):
        for name, found in score_intervals("binary", *told(150, seed)).items():
            held[name].append(found.low <= truth[name] <= found.high)
    assert all(np.mean(inside) >= 0.86 for inside in held.values()), {k: np.mean(v) for k, v in held.items()}
    assert not all(np.mean(inside) == 1.0 for inside in held.values())


def test_means_are_those_of_the_metrics_and_accuracy_is_wilsons():
    target, output = told(80, 0)
    found = score_intervals("binary", target, output)
    scores = metrics.score("binary", target, output)
    assert {name: i.mean for name, i in found.items()} == pytest.approx(scores)
    assert found["accuracy"] == row_interval((output.argmax(axis=1) == target).astype(float))
    assert all(i.basis == "rows" and i.n == 80 for i in found.values())
    values = score_intervals("regression", np.arange(30.0), np.arange(30.0) + np.sin(np.arange(30.0)))
    assert all(i.low < i.mean < i.high for i in values.values())


def test_all_right_is_not_certain_and_one_row_or_one_class_says_nothing():
    target = np.array([0, 1] * 10)
    sure = score_intervals("binary", target, np.eye(2)[target])
    assert sure["accuracy"].mean == 1.0 and sure["accuracy"].low < 0.9
    one = score_intervals("binary", [1], [[0.2, 0.8]])
    assert math.isnan(one["log_loss"].low) and math.isnan(one["auroc"].mean)
    same = score_intervals("binary", np.ones(20, int), np.tile([0.3, 0.7], (20, 1)))
    assert math.isnan(same["auroc"].mean) and math.isnan(same["auroc"].low)
