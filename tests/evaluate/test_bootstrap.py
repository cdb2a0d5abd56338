"""Bootstrap intervals against SciPy, and by what they cover in simulation."""

import numpy as np
import pytest
from scipy import stats

from manyfit.errors import ConfigError, DataError
from manyfit.evaluate import (
    bca_interval,
    bootstrap_632_plus,
    hierarchical_interval,
    no_information_error,
    plan,
)


def test_bca_is_scipys():
    rows = np.random.default_rng(0).gamma(1.0, size=40)  # skewed, so that the correction matters
    found = bca_interval(rows, resamples=20_000)
    other = stats.bootstrap((rows,), np.mean, n_resamples=20_000, method="BCa", rng=1).confidence_interval
    width = other.high - other.low
    # two draws of 20,000 resamples differ by about a hundredth of the width
    assert found.low == pytest.approx(other.low, abs=0.03 * width)
    assert found.high == pytest.approx(other.high, abs=0.03 * width)
    assert found.high - found.mean > 1.1 * (found.mean - found.low)


def f1(target, called):
    return 2 * np.sum(target * called) / (np.sum(target) + np.sum(called))


def test_rows_of_several_arrays_stay_together():
    rng = np.random.default_rng(1)
    target = rng.integers(2, size=80)
    called = np.where(rng.random(80) < 0.8, target, 1 - target)
    found = bca_interval((target, called), f1, resamples=500)
    assert found.mean == f1(target, called)
    assert 0.6 < found.low < found.mean < found.high < 0.95
    assert found == bca_interval((target, called), f1, resamples=500)
    assert found != bca_interval((target, called), f1, resamples=500, seed=1)


def test_a_statistic_that_cannot_vary_has_no_width():
    found = bca_interval(np.ones(10))
    assert (found.low, found.mean, found.high) == (1.0, 1.0, 1.0)


def test_folds_that_are_independent_are_covered():
    rng = np.random.default_rng(2)
    runs, inside = 300, 0
    for i in range(runs):
        table = rng.normal(size=(1, 20)) + 0.5 * rng.normal(size=(3, 20))
        found = hierarchical_interval(table, resamples=500, seed=i)
        inside += found.low <= 0.0 <= found.high
    assert 0.89 <= inside / runs <= 0.98  # the percentile bootstrap of 20 folds covers about 93 %


def test_seeds_within_folds_widen_the_interval():
    rng = np.random.default_rng(3)
    folds = rng.normal(size=(1, 8))
    calm, noisy = (hierarchical_interval(folds + s * rng.normal(size=(4, 8))) for s in (0.0, 3.0))
    assert noisy.high - noisy.low > 1.3 * (calm.high - calm.low)


def test_missing_scores_are_left_out_and_counted():
    table = np.array([[0.9, 0.8, np.nan], [0.7, np.nan, np.nan]])
    found = hierarchical_interval(table)
    assert (found.mean, found.n, found.dropped) == (pytest.approx(0.8), 2, 3)
    assert 0.7 <= found.low <= found.high <= 0.9
    alone = hierarchical_interval([[0.5], [0.7]])
    assert alone.mean == pytest.approx(0.6) and np.isnan(alone.low)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bca_interval([1.0]), DataError, "2 rows or more"),
        (lambda: bca_interval(([1.0, 2.0], [1.0])), DataError, "same 2 rows"),
        (lambda: bca_interval([1.0, 2.0], level=1.0), ConfigError, "level"),
        (lambda: hierarchical_interval(np.ones((2, 2, 2))), DataError, "seeds, folds"),
    ],
)
def test_what_cannot_be_resampled_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_632_estimates():
    """The plain one by its definition; the other at its two ends and where nothing can be learned."""
    assert bootstrap_632_plus(0.3, 0.1, 0.5, plus=False) == pytest.approx(0.368 * 0.1 + 0.632 * 0.3)
    assert bootstrap_632_plus(0.1, 0.1, 0.5) == pytest.approx(0.1)
    assert bootstrap_632_plus(0.7, 0.0, 0.5) == pytest.approx(0.5)
    overfit = (0.3 - 0.1) / (0.5 - 0.1)
    weight = 0.632 / (1 - 0.368 * overfit)
    assert bootstrap_632_plus(0.3, 0.1, 0.5) == pytest.approx((1 - weight) * 0.1 + weight * 0.3)


def test_no_information_is_the_error_of_shuffled_calls():
    rng = np.random.default_rng(0)
    target, called = rng.integers(0, 3, 500), rng.integers(0, 2, 500)
    every = (target[:, None] != called[None]).mean()
    assert no_information_error(target, called) == pytest.approx(every)


def test_one_nearest_neighbour_on_noise_is_not_praised():
    """It remembers every row: by the plain .632 it errs in 32 %, by .632+ in half, as it does."""
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(300, 5)), rng.integers(0, 2, 300)
    errors = []
    for split in plan(300, bootstrap=True, repeats=20, validation=0.0):
        model = KNeighborsClassifier(1).fit(x[split.train], y[split.train])
        errors.append(np.mean(model.predict(x[split.test]) != y[split.test]))
    whole = KNeighborsClassifier(1).fit(x, y).predict(x)
    rate = no_information_error(y, whole)
    assert bootstrap_632_plus(np.mean(errors), np.mean(whole != y), rate, plus=False) < 0.36
    assert bootstrap_632_plus(np.mean(errors), np.mean(whole != y), rate) > 0.45
