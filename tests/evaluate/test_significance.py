"""Tests of differences against SciPy, brute force and published worked examples."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from manyfit.errors import ConfigError, DataError
from manyfit.evaluate import correlated_t, delong, friedman, mcnemar, paired_test

NAMES = ("a", "b", "c", "d")
SCORES = np.round(np.random.default_rng(4).normal(0.8, 0.02, (14, 4)) + np.array([0, 0.02, 0.01, 0.03]), 2)
"""Of four learners on 14 data sets, with ties."""


@pytest.mark.parametrize(("only_a", "only_b", "both"), [(0, 0, 5), (9, 1, 3), (4, 4, 0), (130, 95, 700)])
def test_mcnemar_is_the_binomial_test_of_the_rows_that_differ(only_a, only_b, both):
    a = np.array([1] * only_a + [0] * only_b + [1] * both)
    b = np.array([0] * only_a + [1] * only_b + [1] * both)
    found = mcnemar(a, b)
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert (found.only_a, found.only_b) == (only_a, only_b)
    assert found.p == pytest.approx(expected, rel=1e-9)


def kernel(positive, negative):
    """The Mann-Whitney kernel, pair by pair."""
    return (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)


def test_delong_equals_the_definition_pair_by_pair():
    rng = np.random.default_rng(0)
    target = rng.random(60) < 0.3
    a = np.round(target + rng.normal(size=60), 1)  # rounded: there are ties
    b = np.round(target * 0.5 + rng.normal(size=60), 1)
    of_a, of_b, compared = delong(target, a, b)
    assert of_a.mean == pytest.approx(roc_auc_score(target, a), abs=1e-12)
    assert of_b.mean == pytest.approx(roc_auc_score(target, b), abs=1e-12)
    pairs = [kernel(s[target], s[~target]) for s in (a, b)]
    rows, columns = (np.stack([p.mean(axis=axis) for p in pairs]) for axis in (1, 0))
    covariance = np.cov(rows) / rows.shape[1] + np.cov(columns) / columns.shape[1]
    error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    z = (of_a.mean - of_b.mean) / error
    assert compared.p == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)
    half = stats.norm.ppf(0.975) * error
    assert compared.difference.high - compared.difference.mean == pytest.approx(half, rel=1e-9)


def test_delong_of_the_same_order_is_no_difference():
    target, a = np.array([0, 1, 0, 1, 1]), np.array([0.1, 0.4, 0.5, 0.8, 0.9])
    assert delong(target, a, 3 * a)[2].p == 1.0


def test_delong_covers_and_keeps_its_level():
    rng = np.random.default_rng(1)
    inside, rejected, runs = 0, 0, 400
    for _ in range(runs):
        target = np.arange(120) % 3 == 0
        a, b = target + rng.normal(size=(2, 120))
        of_a, _, compared = delong(target, a, b)
        inside += of_a.low <= stats.norm.cdf(1 / math.sqrt(2)) <= of_a.high
        rejected += compared.p < 0.05
    assert 0.92 <= inside / runs <= 0.98  # 95 %, give or take what 400 runs show
    assert rejected / runs <= 0.08


@pytest.mark.parametrize(
    ("learners", "data_sets", "q"), [(2, 10, 1.960), (4, 14, 2.569), (6, 30, 2.850), (10, 20, 3.164)]
)
def test_the_critical_difference_is_the_published_one(learners, data_sets, q):
    """Demsar (2006), table 5a: the critical values of Nemenyi's test at 0.05."""
    scores = np.random.default_rng(5).random((data_sets, learners))
    found = friedman(scores, [str(i) for i in range(learners)]).critical_difference
    assert found == pytest.approx(q * math.sqrt(learners * (learners + 1) / (6 * data_sets)), rel=3e-4)


def test_friedman_is_scipys_with_ties():
    found = friedman(SCORES, NAMES)
    assert found.mean_rank == pytest.approx(stats.rankdata(-SCORES, axis=1).mean(axis=0))
    chi = stats.friedmanchisquare(*SCORES.T).statistic
    n, k = SCORES.shape
    assert found.p == pytest.approx(stats.f.sf((n - 1) * chi / (n * (k - 1) - chi), k - 1, (k - 1) * (n - 1)))
    assert friedman(1 - SCORES, NAMES, higher_is_better=False).p == pytest.approx(found.p)


def test_what_the_critical_difference_does_not_separate():
    """Ranks 1, 2, 3, 4 in every data set: with 20 of them the difference is 1.05, neighbours are alike."""
    found = friedman(np.tile([0.9, 0.8, 0.7, 0.6], (20, 1)), NAMES)
    assert found.mean_rank.tolist() == [1, 2, 3, 4] and 1 < found.critical_difference < 2
    assert found.alike() == [("a", "b"), ("b", "c"), ("c", "d")]
    assert np.isnan(found.against_best[0]) and (found.against_best[1:] < 0.02).all()


def test_learners_that_are_all_the_same_are_alike():
    found = friedman(np.ones((5, 3)), ("a", "b", "c"))
    assert found.p == 1.0 and found.alike() == [("a", "b", "c")]


def test_the_posterior_is_the_corrected_test_seen_from_the_other_side():
    """With no region of equivalence the smaller tail is half the two-sided p-value."""
    rng = np.random.default_rng(2)
    a = 0.8 + 0.02 * rng.normal(size=(3, 10))
    b = a - 0.01 + 0.02 * rng.normal(size=(3, 10))
    p = paired_test(a, b, 90, 10).p
    found = correlated_t(a, b, 90, 10, rope=0.0)
    assert min(found.worse, found.better) == pytest.approx(p / 2, rel=1e-9)
    assert found.equal == pytest.approx(0.0, abs=1e-12)
    wide = correlated_t(a, b, 90, 10, rope=0.01)
    assert wide.worse + wide.equal + wide.better == pytest.approx(1.0)
    assert wide.equal > 0.1 and wide.better < found.better


def test_equal_scores_are_practically_equal():
    found = correlated_t(np.full(10, 0.8), np.full(10, 0.8), 90, 10, rope=0.01)
    assert (found.worse, found.equal, found.better) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mcnemar([0.5], [1]), DataError, "true or false"),
        (lambda: mcnemar([1, 0], [1]), DataError, "2 and 1 rows"),
        (lambda: delong([1, 1], [0, 1], [0, 1]), DataError, "some rows of each"),
        (lambda: delong([1, 0], [0, np.nan], [0, 1]), DataError, "not finite"),
        (lambda: delong([1, 0], [0, 1, 2], [0, 1, 2]), DataError, "one number a row"),
        (lambda: friedman([[1, 2]], ("a", "b")), DataError, "2x2"),
        (lambda: friedman([[1, 2], [np.nan, 2]], ("a", "b")), DataError, "data set 1 has no score of 'a'"),
        (lambda: correlated_t([1, 2], [1, 2], 1, 1, rope=-1), ConfigError, "rope"),
    ],
)
def test_what_cannot_be_tested_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call()
