"""Intervals against SciPy, the formula of the paper, and their own promise: coverage."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import RepeatedKFold, ShuffleSplit

from manyfit.errors import ConfigError, DataError
from manyfit.evaluate import Interval, holm, paired_test, plan, repeats_of, resampled_interval, row_interval
from manyfit.evaluate.intervals import student_t_quantile, student_t_tail

SCORES = np.array([[0.90, 0.92, 0.88, 0.91, 0.89], [0.91, 0.90, 0.87, 0.93, 0.90]])


@pytest.mark.parametrize("df", [0.5, 1, 2, 3, 4, 9.7, 30, 200, 1e4, 1e6])
@pytest.mark.parametrize("level", [0.5, 0.51, 0.7, 0.9, 0.975, 0.995, 0.999999, 0.025, 1e-6])
def test_student_t_quantile_is_scipys(df, level):
    assert student_t_quantile(level, df) == pytest.approx(stats.t.ppf(level, df), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("df", [1, 2, 5, 50, 1e5, math.inf])
@pytest.mark.parametrize("t", [0.0, 1e-6, 0.3, 1.0, 2.5, 10.0, 30.0])
def test_student_t_tail_is_scipys(df, t):
    assert student_t_tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-10, abs=1e-300)


def test_quantiles_near_the_median_follow_the_density():
    """SciPy 1.17 is off by 4e-5 here; the density of four degrees of freedom at 0 is 3/8."""
    assert student_t_quantile(0.500001, 4) == pytest.approx(1e-6 / 0.375, rel=1e-9)


def test_normal_quantile():
    assert student_t_quantile(0.975, math.inf) == pytest.approx(stats.norm.ppf(0.975), rel=1e-12)


def test_the_formula_of_the_paper():
    found = resampled_interval(SCORES, 80, 20)
    folds = SCORES.mean(0)
    half = stats.t.ppf(0.975, 4) * math.sqrt((1 / 5 + 20 / 80) * np.var(folds, ddof=1))
    assert found.mean == pytest.approx(folds.mean())
    assert found.high - found.mean == pytest.approx(half)
    assert found.mean - found.low == pytest.approx(half)
    assert found.sd == pytest.approx(np.std(folds, ddof=1))
    assert (found.n, found.basis, found.dropped) == (5, "folds", 0)
    shares = resampled_interval(SCORES, 0.8, 0.2)
    assert shares.low == pytest.approx(found.low)


def test_more_seeds_are_not_more_folds():
    assert resampled_interval(np.repeat(SCORES, 10, axis=0), 80, 20).n == 5
    wide = resampled_interval(np.repeat(SCORES, 10, axis=0), 80, 20)
    assert wide.low == pytest.approx(resampled_interval(SCORES, 80, 20).low)


def test_missing_scores_are_left_out_and_counted():
    scores = SCORES.copy()
    scores[0, 1] = np.nan
    found = resampled_interval(scores, 80, 20)
    assert (found.n, found.dropped) == (5, 1)
    expected = resampled_interval([[*np.nanmean(scores, axis=0)]], 80, 20)
    assert found.low == pytest.approx(expected.low)
    scores[:, 2] = np.nan
    assert (resampled_interval(scores, 80, 20).n, resampled_interval(scores, 80, 20).dropped) == (4, 3)
    assert "3 scores missing" in str(resampled_interval(scores, 80, 20))
    nothing = resampled_interval(np.full((2, 5), np.nan), 80, 20)
    assert math.isnan(nothing.mean)
    assert nothing.n == 0


def test_a_single_fold_rests_on_its_seeds():
    seeds = np.array([0.90, 0.91, 0.93])
    found = resampled_interval(seeds[:, None], 80, 20)
    low, high = stats.t.interval(0.95, 2, seeds.mean(), stats.sem(seeds))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.basis, found.n) == ("seeds", 3)
    alone = resampled_interval([[0.9]], 80, 20)
    assert alone.mean == 0.9
    assert math.isnan(alone.low)


def coverage(experiments, n, features, repeats=1):
    """Least squares on Gaussian rows: the expected squared error is 1 + p / (n_train - p - 1), exactly."""
    rng = np.random.default_rng(0)
    n_test = n // 5
    truth = 1 + features / (n - n_test - features - 1)
    splits = plan(n, folds=5, repeats=repeats, validation=0.0)
    corrected = naive = 0
    for _ in range(experiments):
        x = rng.normal(size=(n, features))
        y = x.sum(1) + rng.normal(size=n)
        scores = []
        for s in splits:
            w = np.linalg.lstsq(x[s.train], y[s.train], rcond=None)[0]
            scores.append(np.mean((y[s.test] - x[s.test] @ w) ** 2))
        found = resampled_interval(scores, n - n_test, n_test, repeats=repeats)
        corrected += found.low <= truth <= found.high
        found = resampled_interval(scores, 1e12, 1)
        naive += found.low <= truth <= found.high
    return corrected / experiments, naive / experiments


@pytest.mark.parametrize(("n", "features"), [(60, 5), (200, 10)])
def test_the_interval_covers_the_truth(n, features):
    """The correction errs to the wide side: 97.4 and 97.7 per cent over 2,000 experiments.

    The band is 0.95 less, and 0.99 more, three standard deviations of a binomial of 300.
    """
    found, _ = coverage(300, n, features)
    assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / 300) < found < 0.99 + 3 * math.sqrt(0.99 * 0.01 / 300)


def test_without_the_correction_repeats_feign_certainty():
    found, naive = coverage(200, 200, 10, repeats=4)
    assert found > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 200)
    assert naive < 0.8


def test_repeats_are_the_formula_and_no_more_evidence_than_half_the_correction():
    rng = np.random.default_rng(2)
    scores = 0.8 + 0.05 * rng.normal(size=(3, 5))
    sd = math.sqrt(np.mean(np.var(scores, axis=1, ddof=1)))
    half = stats.t.ppf(0.975, 4) * sd * math.sqrt(1 / 5 + (20 / 80) * (1 + 1 / 3) / 2)
    found = resampled_interval(scores.reshape(-1), 80, 20, repeats=3)
    assert (found.low, found.high) == pytest.approx((scores.mean() - half, scores.mean() + half))
    same = resampled_interval(np.tile(scores[0], 1000), 80, 20, repeats=1000)
    once = resampled_interval(scores[0], 80, 20)
    floor = math.sqrt((1 / 5 + 0.125) / (1 / 5 + 0.25))
    assert (same.high - same.low) / (once.high - once.low) == pytest.approx(floor, rel=1e-3)
    gap = paired_test(scores.reshape(-1), np.full(15, 0.8), 80, 20, repeats=3)
    t = (scores.mean() - 0.8) / (sd * math.sqrt(1 / 5 + 0.25 * (1 + 1 / 3) / 2))
    assert gap.p == pytest.approx(2 * stats.t.sf(abs(t), 4))
    lacking = scores.copy()
    lacking[1, 2] = np.nan
    assert resampled_interval(lacking.reshape(-1), 80, 20, repeats=3).n == 14
    with pytest.raises(ConfigError, match="repeats=4 of 15 folds"):
        resampled_interval(scores.reshape(-1), 80, 20, repeats=4)


def test_a_plan_says_how_often_it_is_repeated():
    assert repeats_of(plan(60, folds=5, repeats=4)) == 4
    assert repeats_of(plan(60, folds=5)) == 1
    assert repeats_of(plan(60, folds=1, repeats=4)) == 1  # hold-outs
    assert repeats_of(plan(60, bootstrap=True, repeats=4)) == 1
    assert repeats_of(plan(60, splitter=RepeatedKFold(n_splits=5, n_repeats=3))) == 3
    assert repeats_of(plan(60, splitter=ShuffleSplit(n_splits=10, test_size=0.2))) == 1


def test_paired_test_is_the_formula():
    a, b = SCORES, SCORES[:1] - np.array([0.01, 0.03, 0.02, 0.01, 0.02])
    found = paired_test(a, b, 80, 20)
    d = a.mean(0) - b.mean(0)
    t = d.mean() / math.sqrt((1 / 5 + 20 / 80) * np.var(d, ddof=1))
    assert found.p == pytest.approx(2 * stats.t.sf(t, 4))
    assert found.difference.mean == pytest.approx(d.mean())
    assert paired_test(b, a, 80, 20).p == pytest.approx(found.p)
    assert (found.difference.low > 0) == (found.p < 0.05)


def test_paired_test_at_its_edges():
    assert paired_test(SCORES, SCORES, 80, 20).p == 1.0
    exact = np.full((1, 4), 0.5)
    assert paired_test(exact + 0.25, exact, 80, 20).p == 0.0
    assert math.isnan(paired_test([[0.9]], [[0.8]], 80, 20).p)
    lacking = SCORES.copy()
    lacking[:, 0] = np.nan
    assert paired_test(SCORES, lacking, 80, 20).difference.n == 4
    with pytest.raises(DataError, match="same folds"):
        paired_test(SCORES, SCORES[:, :3], 80, 20)


def test_paired_test_seldom_errs_where_there_is_no_difference():
    """Two learners that each see half of the features, alike by symmetry: at most 5 per cent may differ."""
    rng = np.random.default_rng(1)
    splits = plan(100, folds=5, validation=0.0)
    wrong = 0
    for _ in range(300):
        x = rng.normal(size=(100, 8))
        y = x.sum(1) + rng.normal(size=100)
        scores: list[list[float]] = [[], []]
        for s in splits:
            for half in range(2):
                z = x[:, half * 4 : half * 4 + 4]
                w = np.linalg.lstsq(z[s.train], y[s.train], rcond=None)[0]
                scores[half].append(float(np.mean((y[s.test] - z[s.test] @ w) ** 2)))
        wrong += paired_test([scores[0]], [scores[1]], 80, 20).p < 0.05
    assert wrong / 300 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_rows():
    x = np.random.default_rng(0).exponential(size=50)
    found = row_interval(x)
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 49, x.mean(), stats.sem(x)))
    assert (found.n, found.basis) == (50, "rows")
    assert row_interval(x, np.full(50, 3.0)).low == pytest.approx(found.low)
    weighted = row_interval(x, np.r_[np.ones(30), np.zeros(20)])
    assert weighted.low == pytest.approx(row_interval(x[:30]).low)
    assert row_interval(np.r_[x, np.nan]).dropped == 1
    assert math.isnan(row_interval([1.5]).low)
    assert math.isnan(row_interval([]).mean)


@pytest.mark.parametrize(("right", "n"), [(45, 50), (50, 50), (0, 20), (1, 1)])
def test_rows_of_right_and_wrong_are_wilsons(right, n):
    found = row_interval([1.0] * right + [0.0] * (n - right))
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    found = holm([0.02, math.nan, 0.01])
    assert found[0] == pytest.approx(0.02)
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(0.02)
    assert holm([]) == []


def test_what_is_refused():
    with pytest.raises(ConfigError, match="n_train"):
        resampled_interval(SCORES, 0, 20)
    with pytest.raises(ConfigError, match=r"0\.95"):
        resampled_interval(SCORES, 80, 20, level=95)
    with pytest.raises(DataError, match="seeds, folds"):
        resampled_interval(np.ones((2, 2, 2)), 80, 20)
    with pytest.raises(DataError):
        row_interval(np.ones(3), np.ones(2))
    with pytest.raises(ConfigError):
        student_t_quantile(1.0, 3)


def test_text():
    assert str(Interval(0.9, 0.8701, 0.93, 0.01, 5)) == "0.9 [0.8701, 0.93] (5 folds)"
