"""Interquartile means, profiles and probabilities of improvement against slow references."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from manyfit.errors import DataError
from manyfit.evaluate.runs import (
    interquartile_mean,
    interquartile_mean_interval,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    stratified_bootstrap,
)


@pytest.mark.parametrize("runs", [3, 4, 5, 10, 16])
def test_interquartile_mean_is_scipys_trimmed_mean(runs):
    scores = np.random.default_rng(runs).normal(size=(runs, 3))
    assert np.isclose(interquartile_mean(scores), stats.trim_mean(scores, 0.25, axis=None))


def test_bootstrap_draws_runs_within_each_task():
    scores = np.array([[0.0, 100.0], [1.0, 101.0], [2.0, 102.0]])
    for table in stratified_bootstrap(scores, lambda t: t.copy(), resamples=100):  # type: ignore[arg-type]
        assert set(table[:, 0]) <= {0.0, 1.0, 2.0} and set(table[:, 1]) <= {100.0, 101.0, 102.0}
    means = stratified_bootstrap(scores, lambda t: t[:, 0].mean(), resamples=4000)
    assert abs(means.std() - np.std([0, 1, 2]) / np.sqrt(3)) < 0.02


def test_interval_covers_the_truth():
    rng = np.random.default_rng(0)
    truth = 0.0  # of a symmetric distribution
    inside = 0
    for i in range(200):
        found = interquartile_mean_interval(rng.normal(size=16), resamples=300, seed=i)
        inside += found.low <= truth <= found.high
    assert 0.85 <= inside / 200 <= 0.99  # a percentile bootstrap of 16 runs is a little narrow


def test_runs_that_diverged_are_counted():
    found = interquartile_mean_interval([1.0, 2.0, np.nan, 3.0])
    assert found.dropped == 1 and found.n == 3
    with pytest.raises(DataError, match="give"):
        interquartile_mean_interval(np.zeros((2, 2, 2)))


def test_profile_counts_scores_above():
    scores = np.array([[0.0, 2.0], [1.0, 3.0]])
    profile = performance_profile(scores, [-1.0, 0.5, 2.5, 4.0])
    np.testing.assert_allclose(profile.share, [1.0, 0.75, 0.25, 0.0])
    assert (profile.low <= profile.share).all() and (profile.share <= profile.high).all()


def test_probability_of_improvement_is_the_mann_whitney_statistic():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 6, size=(7, 2)).astype(float), rng.integers(0, 6, size=(5, 2)).astype(float)
    expected = np.mean([stats.mannwhitneyu(a[:, t], b[:, t]).statistic / 35 for t in range(2)])
    found = probability_of_improvement(a, b)
    assert np.isclose(found.mean, expected) and found.low <= expected <= found.high


def test_optimality_gap():
    assert optimality_gap([400.0, 500.0, 600.0], 500.0) == pytest.approx(100 / 3)
