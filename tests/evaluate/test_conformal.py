"""Conformal sets and intervals by what they promise: the share of truths inside."""

import numpy as np
import pytest

from manyfit.errors import ConfigError, DataError
from manyfit.evaluate import (
    conformal_interval,
    conformal_quantile,
    conformal_sets,
    cv_plus_interval,
    forecast_intervals,
)


def rows_of(rng, n, classes=4):
    """Probabilities of a model that is too sure of itself, and the classes."""
    logits = 2 * rng.normal(size=(n, classes))
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    target = (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    sure = p**3
    return sure / sure.sum(axis=1, keepdims=True), target


@pytest.mark.parametrize("method", ["least", "adaptive"])
@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_sets_contain_the_truth_as_often_as_asked(method, coverage):
    rng = np.random.default_rng(0)
    inside, sizes = [], []
    for i in range(200):
        (p, y), (new, truth) = rows_of(rng, 99), rows_of(rng, 100)
        sets = conformal_sets(p, y, new, coverage=coverage, method=method, seed=i)
        inside.append(sets[np.arange(100), truth].mean())
        sizes.append(sets.sum(axis=1).mean())
    # 20,000 rows in 200 calibrations: an error of about 0.004; adaptive sets are never empty and cover a little more
    low, high = coverage - 0.012, coverage + (0.03 if method == "adaptive" else 0.012)
    assert low <= np.mean(inside) <= high
    assert 1 <= np.mean(sizes) < 4


def test_adaptive_sets_are_never_empty_and_larger_where_rows_are_hard():
    rng = np.random.default_rng(1)
    p, y = rows_of(rng, 500)
    new, _ = rows_of(rng, 500)
    sets = conformal_sets(p, y, new, coverage=0.9)
    assert sets.any(axis=1).all()
    easy = new.max(axis=1) > 0.9
    assert sets[~easy].sum(axis=1).mean() > sets[easy].sum(axis=1).mean() + 0.3


def test_intervals_contain_the_truth_as_often_as_asked_and_follow_the_scale():
    rng = np.random.default_rng(2)
    inside, widths = [], []
    for _ in range(200):
        scale = rng.choice([0.5, 2.0], size=199)
        error = scale * rng.standard_t(4, size=199)
        f = rng.normal(size=199)
        found = conformal_interval(
            f[:99], f[:99] + error[:99], f[99:], calibration_scale=scale[:99], scale=scale[99:]
        )
        truth = f[99:] + error[99:]
        inside.append(((found[:, 0] <= truth) & (truth <= found[:, 1])).mean())
        width = found[:, 1] - found[:, 0]
        widths.append(width[scale[99:] == 2.0].mean() / width[scale[99:] == 0.5].mean())
    assert np.mean(inside) == pytest.approx(0.9, abs=0.012)
    assert np.mean(widths) == pytest.approx(4.0)


def test_cv_plus_covers_with_models_of_a_cross_validation():
    rng = np.random.default_rng(3)
    inside = []
    for _ in range(200):
        x, noise = rng.normal(size=(60, 3)), rng.normal(size=60)
        y = x @ [1.0, -2.0, 0.5] + noise
        fold = np.arange(50) % 5
        weights = [np.linalg.lstsq(x[:50][fold != k], y[:50][fold != k], rcond=None)[0] for k in range(5)]
        residuals = np.abs(y[:50] - np.array([x[i] @ weights[fold[i]] for i in range(50)]))
        found = cv_plus_interval(residuals, fold, np.stack([x[50:] @ w for w in weights]), coverage=0.8)
        inside.append(((found[:, 0] <= y[50:]) & (y[50:] <= found[:, 1])).mean())
    assert 0.78 <= np.mean(inside) <= 0.86


@pytest.mark.parametrize("told", [0.3, 3.0], ids=["too narrow", "too wide"])
def test_quantiles_of_forecasts_are_moved_until_they_hold_what_was_asked(told):
    """The margin is the same wherever a forecast is sure or not, so that widths keep to what the network told."""
    rng = np.random.default_rng(4)
    inside, widths = [], []
    for _ in range(200):
        scale = rng.choice([0.5, 2.0], size=(299, 2, 1))
        came = scale * rng.normal(size=(299, 2, 1))
        end = told * 1.645 * scale
        forecast = np.stack([np.zeros_like(end), -end, np.zeros_like(end), end], axis=-1)
        low, high = np.moveaxis(forecast_intervals(forecast[200:], forecast[:200], came[:200]), -1, 0)
        inside.append(((low <= came[200:]) & (came[200:] <= high)).mean())
        width, large = (high - low)[:, 0], scale[200:, 0] == 2.0  # one step ahead, whose margin is one number
        widths.append(width[large].mean() - width[~large].mean())
    assert np.mean(inside) == pytest.approx(0.9, abs=0.012)
    if told < 1:
        assert np.mean(widths) == pytest.approx(2 * told * 1.645 * 1.5)


def test_intervals_of_forecasts_never_turn_over_and_leave_out_what_was_not_observed():
    wide = np.array([0.0, -5.0, 0.0, 5.0]).reshape(1, 1, 1, 4)
    past, came = np.repeat(wide, 20, axis=0), np.full((20, 1, 1), 0.1)
    came[::2] = np.nan
    narrow = np.array([0.5, 0.0, 0.5, 2.0]).reshape(1, 1, 1, 4)
    assert forecast_intervals(narrow, past, came, coverage=0.5).ravel().tolist() == [1.0, 1.0]
    with pytest.raises(DataError, match="do not fit"):
        forecast_intervals(narrow, past[..., :1], came)


def test_the_quantile_counts_the_row_to_come():
    assert conformal_quantile([1.0, 2.0, 3.0, 4.0], 0.8) == 4.0  # the fourth of five
    assert conformal_quantile([1.0, 2.0, 3.0, 4.0], 0.6) == 3.0
    assert conformal_quantile([1.0, 2.0, 3.0, 4.0], 0.81) == np.inf
    assert conformal_quantile(np.arange(1, 10), 0.9) == 9.0


def test_too_few_rows_promise_nothing():
    assert conformal_sets([[0.9, 0.1]], [0], [[0.9, 0.1]]).all()
    assert np.isinf(conformal_interval([1.0], [1.0], [2.0])).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: conformal_sets([[0.5, 0.5]], [0, 1], [[0.5, 0.5]]), DataError, "do not fit"),
        (lambda: conformal_sets([[5.0, 0.5]], [0], [[0.5, 0.5]]), DataError, "in \\[0, 1\\]"),
        (lambda: conformal_sets([[0.5, 0.5]], [0], [[1, 0]], method="adaptiv"), ConfigError, "did you mean"),
        (lambda: conformal_sets([[0.5, 0.5]], [0], [[1, 0]], coverage=90), ConfigError, "between 0 and 1"),
        (lambda: conformal_interval([1.0], [1.0], [2.0], scale=[1.0]), ConfigError, "of neither"),
        (lambda: conformal_interval([1.0], [np.nan], [2.0]), DataError, "not finite"),
        (lambda: cv_plus_interval([1.0], [2], [[1.0]]), DataError, "2 to 2"),
    ],
)
def test_what_cannot_be_promised_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call()
